"""Pages of the docs whose sections are written by commands, each between two marks."""

from pathlib import Path

from splatsmith.files import replace_file

BEGIN, END = "<!-- {} -->", "<!-- end of {} -->"


def put_section(page: Path, name: str, text: str) -> None:
    """Replace the section of that name, or add it at the end; a missing page is begun."""
    whole = page.read_text(encoding="utf-8") if page.is_file() else "# Results\n"
    begin, end = BEGIN.format(name), END.format(name)
    block = f"{begin}\n{text}{end}\n"
    if begin in whole:
        before, rest = whole.split(begin, 1)
        whole = before + block + rest.split(end + "\n", 1)[1]
    else:
        whole = whole.rstrip("\n") + "\n\n" + block
    replace_file(page, whole.encode())

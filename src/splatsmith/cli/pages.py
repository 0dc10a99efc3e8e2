"""Pages of the docs whose sections are written by commands, each between two marks."""

from pathlib import Path

from splatsmith.errors import InputError
from splatsmith.files import replace_file

BEGIN, END = "<!-- {} -->", "<!-- end of {} -->"


def check_page(page: Path | None, name: str) -> None:
    """Raise InputError if `put_section` could not write there: for before the work is done."""
    if page is not None:
        _around(page, name)
        if not page.parent.is_dir():
            raise InputError(f"{page} cannot be written; there is no folder {page.parent}.")


def put_section(page: Path, name: str, text: str) -> None:
    """Replace the section of that name, or add it at the end; a missing page is begun."""
    before, after = _around(page, name)
    block = f"{BEGIN.format(name)}\n{text}{END.format(name)}\n"
    replace_file(page, (before + block + after).encode())


def _around(page: Path, name: str) -> tuple[str, str]:
    """What stands before and after the section; InputError for a page that is none."""
    begin, end = BEGIN.format(name), END.format(name)
    if not page.exists():
        return "# Results\n\n", ""
    try:
        whole = page.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{page} is no page in UTF-8 that can be read ({error}).") from error
    if begin not in whole:
        return whole.rstrip("\n") + "\n\n", ""
    before, rest = whole.split(begin, 1)
    if end not in rest:
        raise InputError(f"{page} has {begin} but not {end} after it; put that where it ends.")
    return before, rest.split(end, 1)[1].removeprefix("\n")

"""Our folder in the user's cache: what took long to work out and can be worked out again.

`text/` holds prompts as the text encoders read them, one safetensors file each, so that an
encoder of 5 to 20 GB is loaded once per prompt and not once per run. `hashes.json` holds the
SHA-256 of weight files by size and time of change. Both may be deleted at any time, and where
the folder cannot be written, everything works without it.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from splatsmith.errors import InvalidFile
from splatsmith.files import replace_file, sha256_of

FORMAT = "splatsmith-text-1"
SUMS = "SHA256SUMS"


def cache_folder() -> Path:
    """$SPLATSMITH_CACHE, or splatsmith in the user's cache folder."""
    if own := os.environ.get("SPLATSMITH_CACHE"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "splatsmith"


def text_key(encoder: str, text: str, form: str) -> str:
    """What a text is called in the cache: its own hash with that of what reads it, and how."""
    return hashlib.sha256(json.dumps([FORMAT, encoder, form, text]).encode()).hexdigest()


def kept_text(key: str) -> dict[str, Tensor] | None:
    """The rows of a text that was read before; None if there are none that are whole."""
    try:
        data = (cache_folder() / "text" / f"{key}.safetensors").read_bytes()
        rows = load(data)
    except (OSError, SafetensorError, ValueError):
        return None
    whole = rows and all(torch.isfinite(row).all() for row in rows.values())
    return rows if whole else None


def keep_text(key: str, rows: Mapping[str, Tensor]) -> None:
    """Remember the rows of a text; where that cannot be, nothing happens."""
    folder = cache_folder() / "text"
    plain = {name: row.detach().cpu().contiguous() for name, row in rows.items()}
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(folder / f"{key}.safetensors", save(plain, metadata={"format": FORMAT}))


def digest_of(root: Path, files: Sequence[Path]) -> str:
    """One SHA-256 for several files below `root`: of their names and hashes.

    InvalidFile if `root` has a SHA256SUMS that names one of them with another hash.
    """
    promised = _sums(root)
    lines = []
    for file in sorted(files):
        name, digest = file.relative_to(root).as_posix(), _hash_of(file)
        if promised.get(name, digest) != digest:
            raise InvalidFile(
                file, None, f"its SHA-256 is not the one in {SUMS}; fetch it again"
            )
        lines.append(f"{digest}  {name}\n")
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _sums(root: Path) -> dict[str, str]:
    try:
        lines = (root / SUMS).read_text("utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidFile(root / SUMS, None, f"cannot be read ({error})") from error
    pairs = [line.split(maxsplit=1) for line in lines if line.strip()]
    if not all(len(pair) == 2 for pair in pairs):
        raise InvalidFile(root / SUMS, None, "must hold a hash and a name in each line")
    return {pair[1].lstrip("*").removeprefix("./"): pair[0].lower() for pair in pairs}


def _hash_of(file: Path) -> str:
    """SHA-256 of a file, remembered as long as its size and time of change stay the same."""
    real = file.resolve()
    about = real.stat()
    key = f"{real}|{about.st_size}|{about.st_mtime_ns}"
    book = cache_folder() / "hashes.json"
    try:
        known = json.loads(book.read_bytes())
    except (OSError, ValueError):
        known = {}
    if isinstance(known, dict) and isinstance(known.get(key), str):
        return str(known[key])
    digest = sha256_of(real)
    if about.st_size >= LARGE:
        with contextlib.suppress(OSError):
            book.parent.mkdir(parents=True, exist_ok=True)
            known = known if isinstance(known, dict) else {}
            replace_file(book, json.dumps(known | {key: digest}, indent=0).encode())
    return digest


LARGE = 1 << 24  # bytes from which it is worth remembering a file's hash

"""`--plugin FILE.py`: run a Python file of the user's own before the command begins."""

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

from splatsmith.errors import InputError


def load_plugins(paths: Sequence[Path]) -> None:
    """Run each file, under a module name of its own; what it adds is then known to recipes.

    Only what stands on the command line is ever run: neither recipes nor folders of runs can
    name such a file.

    Raises:
        InputError: a file cannot be read or fails; the message says in which line.
    """
    for path in paths:
        _load(path.resolve(), path)


def _load(path: Path, said: Path) -> None:
    if path.suffix != ".py":
        raise InputError(f"--plugin takes a Python file, FILE.py, got {said}.")
    if not path.is_file():
        raise InputError(f"{said}: there is no such file.")
    name = f"splatsmith_plugin_{path.stem}"
    found = importlib.util.spec_from_file_location(name, path)
    assert found is not None, "the name of the file says that it is Python"
    assert found.loader is not None, "and so does this"
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module  # dataclasses look up their annotations there
    try:
        found.loader.exec_module(module)
    except InputError as error:
        raise InputError(f"{said}: {error}") from error
    except (Exception, SystemExit) as error:
        from splatsmith.distill.added import place_of

        where = place_of(error, str(path)).replace(str(path), str(said))
        raise InputError(f"{where}: {type(error).__name__}: {error}") from error

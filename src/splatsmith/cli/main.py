"""Entry point: picks the command, and turns what can go wrong into one clean line."""

import os
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import TextIO

import tyro

from splatsmith.cli.compare import compare
from splatsmith.cli.convert import convert
from splatsmith.cli.doctor import doctor
from splatsmith.cli.evaluate import evaluate
from splatsmith.cli.generate import generate
from splatsmith.cli.mesh import mesh
from splatsmith.cli.recipes import recipes
from splatsmith.cli.render import render
from splatsmith.cli.train import train
from splatsmith.cli.words import words
from splatsmith.errors import InputError
from splatsmith.memory import end_quickly, keep_memory
from splatsmith.threads import rest_soon

COMMANDS: dict[str, Callable[..., None]] = {
    "generate": generate,
    "words": words,
    "render": render,
    "mesh": mesh,
    "convert": convert,
    "recipes": recipes,
    "doctor": doctor,
    "train": train,
    "evaluate": evaluate,
    "compare": compare,
}

BAD_INPUT = 2
FAILED = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0, 1 a run failed, 2 bad input, 128 + signal."""
    warnings.showwarning = _show_warning
    keep_memory()
    rest_soon()
    end_quickly()
    return guarded(lambda: _run(arguments))


def guarded(command: Callable[[], None]) -> int:
    """Call `command`; mistakes and signals become a line on stderr and an exit code."""
    try:
        command()
    except InputError as error:
        _complain(f"error: {error}")
        return FAILED if type(error).__name__ == "RunFailed" else BAD_INPUT
    except KeyboardInterrupt as interrupt:
        return _interrupted(interrupt)
    except BrokenPipeError:
        # Whoever read our output has left; what Python would still flush must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _complain(f"error: {where}{error.strerror or error}")
        return FAILED
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else BAD_INPUT
    return 0


def _run(arguments: Sequence[str] | None) -> None:
    tyro.extras.subcommand_cli_from_dict(
        COMMANDS,
        prog="splatsmith",
        description="Words in, 3D Gaussians out, on a bare CPU.",
        args=None if arguments is None else list(arguments),
        config=(tyro.conf.FlagCreatePairsOff,),
    )


def _interrupted(interrupt: KeyboardInterrupt) -> int:
    number = getattr(interrupt, "number", 2)
    folder = getattr(interrupt, "folder", None)
    remedy = f"; go on with: splatsmith generate --resume {folder}" if folder else ""
    _complain(f"{interrupt or 'stopped'}{remedy}")
    return 128 + number


def _complain(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    _complain(f"warning: {message}")

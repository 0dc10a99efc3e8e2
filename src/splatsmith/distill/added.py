"""Scores from outside of the package: once added, recipes name them like any other."""

import hashlib
import inspect
import re
import traceback
import typing
from collections.abc import Iterable
from dataclasses import is_dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from splatsmith.distill.question import Question, Score
from splatsmith.distill.scores import SCORES, SETTINGS
from splatsmith.distill.settings import Common
from splatsmith.errors import InputError

_sources: dict[str, str] = {}  # what was added: kind to SHA-256 of its code


def add_score(settings: type[Common], score: Score) -> None:
    """Let recipes use a score that is not of the package.

    Args:
        settings: a frozen dataclass that extends `Common` or `Guided`, with
            `kind: Literal["name"] = "name"`; its other fields are the keys of the score's table
            in a recipe: bool, int, float, str, Literal, `Varying`, tuples and dataclasses of
            these. `__post_init__` raises InputError for what is out of range.
        score: `(settings, question) -> surprise`, "views channels height width", in units of
            noise: what the prediction has more than what the picture would have it be. Weight,
            clamp, clip and the pseudo-ground-truth come by themselves. It draws from
            `question.generator` only, else a run cannot be resumed exactly.

    One that was added under the same name is replaced; those of the package are not. A run that
    used it is resumed only with the same code: the file that defines it is part of the recipe's
    hash.

    Raises:
        InputError: the settings are not as above, or the name is one of the package's.
    """
    kind = _kind_of(settings)
    if kind in SCORES and kind not in _sources:
        raise InputError(f"The package has a score {kind!r} itself; choose another kind.")
    _sources[kind] = _digest(score)
    SETTINGS[kind], SCORES[kind] = settings, _watched(kind, score)


def sources_of(kinds: Iterable[str]) -> dict[str, str]:
    """SHA-256 of the code of those kinds that were added; the package's own are left out."""
    return {kind: _sources[kind] for kind in sorted({*kinds} & {*_sources})}


def place_of(error: BaseException, path: str) -> str:
    """The file, and the last line of it that had a part in the error."""
    if isinstance(error, SyntaxError) and error.filename == path:
        return f"{path}, line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == path]
    return f"{path}, line {lines[-1]}" if lines else path


def _kind_of(settings: Any) -> str:
    """The name of a score by its settings; InputError if they are not what recipes can read."""
    name = getattr(settings, "__name__", repr(settings))
    if not (isinstance(settings, type) and is_dataclass(settings)):
        raise InputError(f"The settings of a score must be a dataclass, got {name}.")
    frozen = settings.__dataclass_params__.frozen  # type: ignore[attr-defined]
    if not (issubclass(settings, Common) and frozen):
        raise InputError(
            f"The settings of a score, {name}, must be a frozen dataclass that extends Common "
            f"or Guided of splatsmith.distill."
        )
    try:
        kind = typing.get_type_hints(settings)["kind"]
    except (NameError, TypeError) as error:
        raise InputError(f"The annotations of {name} cannot be read: {error}.") from error
    names = typing.get_args(kind) if typing.get_origin(kind) is Literal else ()
    if len(names) != 1 or not re.fullmatch(r"[a-z][a-z0-9-]*", str(names[0])):
        raise InputError(
            f'{name} needs a name, kind: Literal["my-score"] = "my-score", of small letters, '
            f"digits and dashes."
        )
    return str(names[0])


def _watched(kind: str, score: Score) -> Score:
    """The score, with its mistakes told as mistakes of whoever wrote it."""

    @wraps(score)
    def watched(settings: Any, question: Question) -> Tensor:
        try:
            surprise = score(settings, question)
        except InputError:
            raise
        except Exception as error:
            place = place_of(error, _file_of(score))
            reason = f"{type(error).__name__}: {error}"
            raise InputError(f"The score {kind!r} failed ({place}): {reason}") from error
        if not isinstance(surprise, torch.Tensor) or surprise.shape != question.x.shape:
            got = tuple(surprise.shape) if isinstance(surprise, torch.Tensor) else surprise
            raise InputError(
                f"The score {kind!r} must return a tensor of the shape of question.x, "
                f"{tuple(question.x.shape)}, got {got!r}."
            )
        return surprise

    return watched


def _file_of(score: Score) -> str:
    try:
        return inspect.getsourcefile(score) or ""
    except TypeError:  # an object that is called, not a function
        return ""


def _digest(score: Score) -> str:
    """Of the whole file, as a score may call what is beside it; empty if there is none."""
    path = Path(_file_of(score))
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""

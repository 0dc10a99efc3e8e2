"""Holds calls of the package to the shapes of their annotations while the tests run.

jaxtyping's import hook wraps every function; what it is told here is to look at arrays only, as
the other types are mypy's, and at the first calls of a function within a test: a thousand steps
of a loop say no more than a few, and would take twice the time.
"""

import inspect
import sys
import types
import typing
from collections import Counter
from functools import wraps

from beartype import BeartypeConf, beartype
from jaxtyping import AbstractArray

CALLS = 40  # of one function within one test

typed = beartype(conf=BeartypeConf(is_pep484_tower=True))
calls: Counter[tuple[str, str]] = Counter()
resting: dict[tuple[str, str], typing.Any] = {}


def checked(function):
    """The type checker for the hook; `function` only has the annotations, not the work."""
    function.__annotations__ = {
        name: hint for name, hint in function.__annotations__.items() if has_array(hint)
    }
    holds = typed(function) if function.__annotations__ else function
    name = (function.__module__, function.__qualname__)

    @wraps(function)
    def call(*arguments, **named):
        calls[name] += 1
        if holds is function or calls[name] > CALLS:
            rest(name)
        return holds(*arguments, **named)

    return call


def has_array(hint) -> bool:
    """Whether an annotation is an array, or offers or groups some.

    Of a list of arrays beartype would look at any one, another each time.
    """
    if isinstance(hint, type) and issubclass(hint, AbstractArray):
        return True
    within = typing.get_origin(hint) in (typing.Union, types.UnionType, tuple)
    return within and any(has_array(part) for part in typing.get_args(hint))


def rest(name: tuple[str, str]) -> None:
    """Let the hook pass by a function from now on, until `begin`."""
    module, path = name
    found = sys.modules[module]
    for part in path.split("."):
        found = inspect.getattr_static(found, part, None)  # none within another function
    found = getattr(found, "fget", None) or getattr(found, "__func__", None) or found
    if found is not None:
        found.__no_type_check__ = True
        resting[name] = found


def begin() -> None:
    """Look at every function again."""
    for function in resting.values():
        del function.__no_type_check__
    resting.clear()
    calls.clear()

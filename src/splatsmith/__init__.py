"""Splatsmith: words in, 3D Gaussians out, by score distillation on a bare CPU.

    import splatsmith

    result = splatsmith.generate("a red mushroom", seed=0, out="runs/mushroom")
    scene = splatsmith.load(result.paths["scene"])

The names below are imported when they are first used, so that importing the package is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from splatsmith.distill import add_score
    from splatsmith.errors import InputError, InvalidFile
    from splatsmith.export import read_splats as load
    from splatsmith.optimize.result import Result, StepInfo
    from splatsmith.optimize.run import generate, resume
    from splatsmith.recipes.load import load_recipe
    from splatsmith.recipes.schema import Recipe
    from splatsmith.scenes.gaussians import Gaussians

__version__ = "0.1.0"

__all__ = [
    "Gaussians",
    "InputError",
    "InvalidFile",
    "Recipe",
    "Result",
    "StepInfo",
    "add_score",
    "generate",
    "load",
    "load_recipe",
    "resume",
]

_PLACES = {
    "Gaussians": ("splatsmith.scenes.gaussians", "Gaussians"),
    "InputError": ("splatsmith.errors", "InputError"),
    "InvalidFile": ("splatsmith.errors", "InvalidFile"),
    "Recipe": ("splatsmith.recipes.schema", "Recipe"),
    "Result": ("splatsmith.optimize.result", "Result"),
    "StepInfo": ("splatsmith.optimize.result", "StepInfo"),
    "add_score": ("splatsmith.distill", "add_score"),
    "generate": ("splatsmith.optimize.run", "generate"),
    "load": ("splatsmith.export", "read_splats"),
    "load_recipe": ("splatsmith.recipes.load", "load_recipe"),
    "resume": ("splatsmith.optimize.run", "resume"),
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'splatsmith' has no attribute {name!r}")
    module, attribute = _PLACES[name]
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

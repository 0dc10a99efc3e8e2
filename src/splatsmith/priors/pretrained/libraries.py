"""The libraries of the extra `splatsmith[pretrained]`, imported when they are first needed.

They take seconds to import, so nothing imports them at the top of a file. They are large and
loosely typed: what comes from them is `Any` here, and checked where it enters.
"""

import importlib
import warnings
from typing import Any

from splatsmith.errors import InputError


def library(name: str) -> Any:
    """The library, kept quiet; InputError that names the extra if it is not installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = importlib.import_module(name)
    except ImportError as error:
        missing = (error.name or name).split(".")[0]
        raise InputError(
            f"Published priors need the package {missing}, which is not installed; "
            f"pip install 'splatsmith[pretrained]'."
        ) from error
    if name in ("diffusers", "transformers"):
        # Their warnings and progress bars would stand between our own lines.
        logs = importlib.import_module(f"{name}.utils").logging
        logs.set_verbosity_error()
        logs.disable_progress_bar()
    return module


def library_class(name: str, class_name: str) -> Any:
    """A class of a library; InputError if the installed version does not have it."""
    found = getattr(library(name), class_name, None)
    if found is None:
        raise InputError(
            f"The installed {name} has no {class_name}; "
            f"pip install --upgrade 'splatsmith[pretrained]'."
        )
    return found

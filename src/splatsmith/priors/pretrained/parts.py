"""Load one part of a pipeline: the right class, from safetensors, with nothing missing.

The libraries fill in missing weights with random numbers and say so in a log. Here that is an
error: a prior with some random layers still answers, and nobody would know why it answers
badly.
"""

import gc
import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn

from splatsmith.errors import InputError, InvalidFile
from splatsmith.priors.pretrained.folder import ModelFolder
from splatsmith.priors.pretrained.libraries import library, library_class
from splatsmith.priors.pretrained.own import empty_own, is_own, load_own

# Buffers that older versions saved and newer ones make themselves.
MADE_ANEW = ("position_ids",)


def load_part(folder: ModelFolder, part: str, dtype: torch.dtype, *, half: bool) -> nn.Module:
    """The model of a part on the CPU, frozen, its weights as `dtype`.

    InputError or InvalidFile if files are missing or damaged, or do not fit the class.
    """
    if is_own(folder, part):
        return load_own(folder, part, dtype, half=half)
    library_name, class_name = folder.class_of(part)
    variant = folder.variant(part, half=half)
    return load_model(folder.root / part, library_name, class_name, variant, dtype)


def load_model(
    path: Path, library_name: str, class_name: str, variant: str | None, dtype: torch.dtype
) -> nn.Module:
    """The same for any folder that holds one model; `variant` is "fp16" or None."""
    kind = library_class(library_name, class_name)
    dtype_word = "dtype" if library_name == "transformers" else "torch_dtype"
    arguments: dict[str, Any] = {
        dtype_word: dtype,
        "variant": variant,
        "use_safetensors": True,
        "local_files_only": True,
        "output_loading_info": True,
    }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model, told = kind.from_pretrained(str(path), **arguments)
    except SafetensorError as error:
        raise InvalidFile(
            path, None, f"has damaged weights ({error}); fetch it again"
        ) from error
    except (OSError, ValueError, RuntimeError, TypeError, KeyError) as error:
        raise InvalidFile(
            path, None, f"does not load as a {class_name} ({_first_line(error)})"
        ) from error
    names = [str(name) for name in told.get("missing_keys", ())]
    missing = sorted(name for name in names if not name.endswith(MADE_ANEW))
    if missing:
        raise InvalidFile(
            path,
            None,
            f"lacks {len(missing)} weights of a {class_name}, such as {missing[0]}; its files "
            f"belong to another model, or to another version of the library",
        )
    return model.eval().requires_grad_(False)


def load_tokenizer(folder: ModelFolder, part: str) -> Any:
    """The tokenizer of a part."""
    _, class_name = folder.class_of(part)
    transformers = library("transformers")
    kind = getattr(transformers, class_name, None) or getattr(
        transformers, class_name.removesuffix("Fast"), transformers.AutoTokenizer
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return kind.from_pretrained(str(folder.root / part), local_files_only=True)
    except ImportError as error:
        raise InputError(
            f"{folder.root / part} needs a package that is not installed ({error.name}); "
            f"pip install 'splatsmith[pretrained]'."
        ) from error
    except (OSError, ValueError, RuntimeError, TypeError, KeyError) as error:
        raise InvalidFile(
            folder.root / part, None, f"does not load as a {class_name} ({_first_line(error)})"
        ) from error


def empty_part(folder: ModelFolder, part: str) -> nn.Module:
    """The model of a part without its weights (on the meta device): shapes and names only."""
    if is_own(folder, part):
        return empty_own(folder, part)
    library_name, class_name = folder.class_of(part)
    return empty_model(library_name, class_name, dict(folder.config(part)))


def empty_model(library_name: str, class_name: str, config: dict[str, Any]) -> nn.Module:
    """A model without weights from its configuration; takes no memory, however large it is."""
    kind = library_class(library_name, class_name)
    try:
        with torch.device("meta"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if library_name == "transformers":
                return kind(kind.config_class.from_dict(config)).eval()
            return kind.from_config(config).eval()
    except (ValueError, TypeError, KeyError, RuntimeError, AttributeError) as error:
        raise InputError(
            f"No {class_name} can be made from that configuration ({_first_line(error)})."
        ) from error


def release_memory() -> None:
    """Give back what freed models held."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__

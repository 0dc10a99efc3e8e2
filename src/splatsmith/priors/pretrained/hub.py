"""From what the user calls a prior to a folder on this machine.

A folder is taken as it is. Anything that looks like OWNER/NAME is an id of the Hugging Face
hub: only the files that are needed are fetched, into the hub's own cache, where later runs and
other programs find them. With HF_HUB_OFFLINE=1 the cache is all there is.
"""

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from splatsmith.errors import InputError
from splatsmith.priors.pretrained.catalog import PUBLISHED, Published
from splatsmith.priors.pretrained.checkpoint import checkpoint_in
from splatsmith.priors.pretrained.folder import (
    INDEX,
    ModelFolder,
    names_part,
    pipeline_name,
    read_json,
    wanted_files,
    weight_files,
)
from splatsmith.priors.pretrained.libraries import library

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+(@[\w./-]+)?")
OFFLINE = ("1", "on", "yes", "true")  # what the hub's library takes for "yes"

PartsOf = Callable[[str, Sequence[str]], list[str]]  # pipeline and listed parts -> needed parts


def is_published(source: str) -> bool:
    """Whether `--prior SOURCE` means published weights and not a file of our own."""
    if source in PUBLISHED or Path(source).is_dir():
        return True
    return bool(HUB_ID.fullmatch(source)) and not source.endswith(".safetensors")


def find(source: str, needed: PartsOf, *, half: bool) -> ModelFolder:
    """The folder of a short name, a path or an id; fetched if it is not here yet.

    `needed` says which parts of a pipeline are wanted. InputError if it cannot be had.
    """
    if source in PUBLISHED:
        return _first(source, PUBLISHED[source], needed, half=half)
    folder = Path(source)
    if folder.is_dir():
        if not (folder / INDEX).is_file():
            if (checkpoint := checkpoint_in(folder)) is not None:
                return checkpoint
            raise InputError(
                f"{folder} has no {INDEX}: a prior is a folder in the layout of diffusers, as "
                f"save_pretrained writes it. Of single checkpoint files, only those of "
                f"MVDream, ImageDream and Zero-1-to-3 are read."
            )
        return ModelFolder(folder.resolve(), str(folder.resolve()))
    if HUB_ID.fullmatch(source):
        return fetched(source, needed, half=half)
    raise InputError(
        f"No prior {source!r}: it is no folder here, no id of the hub such as OWNER/NAME, and "
        f"none of {', '.join(PUBLISHED)}."
    )


def _first(name: str, published: Published, needed: PartsOf, *, half: bool) -> ModelFolder:
    """The first of a published prior's addresses that has it."""
    complaints = []
    for address in published.ids:
        try:
            return fetched(address, needed, half=half)
        except NotThere as error:
            complaints.append(str(error))
    raise InputError(
        f"The weights of {name!r} could not be found at any known address. "
        + " ".join(complaints)
    )


class NotThere(InputError):
    """The hub has nothing of that id, or the cache does not; another address may."""


def offline() -> bool:
    """Whether the user has told the hub's library to stay off the network."""
    return os.environ.get("HF_HUB_OFFLINE", "").lower() in OFFLINE or bool(
        library("huggingface_hub").constants.HF_HUB_OFFLINE
    )


def fetched(address: str, needed: PartsOf, *, half: bool) -> ModelFolder:
    """OWNER/NAME or OWNER/NAME@REVISION in the hub's cache, fetched where it is not there."""
    hub = library("huggingface_hub")
    name, _, revision = address.partition("@")
    where: dict[str, Any] = {"repo_id": name, "revision": revision or None}
    if offline():
        return _cached(hub, address, where)
    try:
        index = Path(hub.hf_hub_download(filename=INDEX, **where))
        table = read_json(index)
        listed = [part for part, value in table.items() if names_part(value)]
        parts = needed(pipeline_name(table), listed)
        commit = index.parent.name
        names = hub.HfApi().list_repo_files(name, revision=commit)
        files = wanted_files(names, parts, half=half)
        root = Path(hub.snapshot_download(name, revision=commit, allow_patterns=files))
    except InputError:
        raise
    except Exception as error:  # of the hub's library, or of the network below it
        raise _explained(address, error) from error
    return ModelFolder(root, f"{name}@{root.name}")


def find_model(source: str, *, half: bool) -> Path:
    """The folder of a single model, such as a ControlNet: a path, or an id of the hub."""
    if Path(source).is_dir():
        root = Path(source)
    elif not HUB_ID.fullmatch(source):
        raise InputError(f"No model {source!r}: it is no folder here, and no id of the hub.")
    else:
        root = _fetched_model(source, half=half)
    if not (root / "config.json").is_file():
        raise InputError(f"{root} has no config.json; a model is a folder that has one.")
    weight_files((path.name for path in root.iterdir()), str(root), half=half)
    return root.resolve()


def _fetched_model(address: str, *, half: bool) -> Path:
    hub = library("huggingface_hub")
    name, _, revision = address.partition("@")
    where: dict[str, Any] = {"repo_id": name, "revision": revision or None}
    if offline():
        return _in_cache(hub, address, where)
    try:
        names = hub.HfApi().list_repo_files(name, revision=where["revision"])
        files = weight_files(names, address, half=half)
        return Path(hub.snapshot_download(**where, allow_patterns=["config.json", *files]))
    except InputError:
        raise
    except Exception as error:  # of the hub's library, or of the network below it
        raise _explained(address, error) from error


def _cached(hub: Any, address: str, where: dict[str, Any]) -> ModelFolder:
    root = _in_cache(hub, address, where)
    if not (root / INDEX).is_file():
        raise NotThere(f"{address} is in the hub's cache without its {INDEX}; fetch it again.")
    return ModelFolder(root, f"{where['repo_id']}@{root.name}")


def _in_cache(hub: Any, address: str, where: dict[str, Any]) -> Path:
    try:
        return Path(hub.snapshot_download(**where, local_files_only=True))
    except (OSError, ValueError, RuntimeError) as error:
        raise NotThere(
            f"{address} is not in the hub's cache, and HF_HUB_OFFLINE is set; fetch it once "
            f"without that, or give the path of a folder."
        ) from error


def _explained(address: str, error: Exception) -> InputError:
    """What went wrong with the hub, and what to do."""
    kind = {parent.__name__ for parent in type(error).__mro__}
    if "GatedRepoError" in kind:
        return InputError(
            f"{address} is gated: accept its license at https://huggingface.co/"
            f"{address.partition('@')[0]} with your account, then log in with: hf auth login"
        )
    if "RevisionNotFoundError" in kind:
        return InputError(f"{address}: the hub has no such revision; leave out what follows @.")
    if "EntryNotFoundError" in kind and "LocalEntryNotFoundError" not in kind:
        return InputError(
            f"{address} has no {INDEX} on the hub: a prior is a repository in the layout of "
            f"diffusers; look for one of the same weights whose card says so."
        )
    if "RepositoryNotFoundError" in kind:
        return NotThere(
            f"The hub has no {address}, or it is private; check the spelling, or log in with: "
            f"hf auth login"
        )
    if "HFValidationError" in kind:
        return InputError(f"{address!r} is no id of the hub; it looks like OWNER/NAME.")
    first = str(error).strip().splitlines()[0][:200] if str(error).strip() else ""
    return InputError(
        f"{address} could not be fetched ({type(error).__name__}: {first}); try again, or "
        f"fetch it elsewhere and give the path of the folder."
    )

"""Checkpoints that are either whole or not there.

A checkpoint is a folder `step-000123` of safetensors files and a `manifest.json` with the size
and SHA-256 of each. Every file goes to the disk under a draft name first and the manifest comes
last, so a folder without a manifest is a save that never finished: it is dropped without a
word. One with a manifest that does not fit its files is damage: that is said loudly, and the
older checkpoint is used.
"""

import hashlib
import json
import shutil
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from splatsmith.errors import InputError, InvalidFile
from splatsmith.files import replace_file, sync_folder
from splatsmith.optimize.events import Mark, check_events

FORMAT = "splatsmith-checkpoint-1"
MANIFEST = "manifest.json"
LARGEST_MANIFEST = 1 << 20  # bytes; ours have about a thousand

Groups = Mapping[str, Mapping[str, Tensor]]


class CheckpointWarning(UserWarning):
    """A damaged checkpoint was found and an older one is used."""


class SaveFailed(InputError):
    """The disk refused a checkpoint; the one before it is intact."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Everything from which a run goes on.

    `groups` are named sets of tensors, one file each; `counters` are plain numbers; `run` tells
    runs apart, so that a checkpoint cannot slip into another one.
    """

    step: int
    run: str
    groups: Groups
    counters: Mapping[str, Any]
    events: Mark


def folder_of(root: Path, step: int) -> Path:
    """Where the checkpoint of this step lies."""
    return root / f"step-{step:06d}"


def save_checkpoint(root: Path, checkpoint: Checkpoint) -> None:
    """Put the checkpoint on the disk; when this returns, a loss of power cannot undo it.

    Raises SaveFailed if the disk refuses; earlier checkpoints are then untouched.
    """
    files = {
        f"{name}.safetensors": save({key: t.contiguous() for key, t in tensors.items()})
        for name, tensors in checkpoint.groups.items()
    }
    folder = folder_of(root, checkpoint.step)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MANIFEST).unlink(missing_ok=True)
        for name, data in files.items():
            replace_file(folder / name, data)
        replace_file(folder / MANIFEST, _manifest(checkpoint, files))
        sync_folder(root)
        sync_folder(root.parent)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        needed = sum(len(data) for data in files.values())
        raise SaveFailed(
            f"{folder}: the checkpoint of {needed:,} bytes could not be written "
            f"({error.strerror or error}); earlier checkpoints are intact. "
            f"Make room there, then resume."
        ) from error


def load_checkpoint(root: Path, run: str, events: Path) -> Checkpoint | None:
    """The newest checkpoint that is whole and belongs to the run; None if none was finished.

    Warns (CheckpointWarning) of each damaged one that is passed over. Raises InvalidFile if
    checkpoints were finished but none of them can be used.
    """
    damage: list[InvalidFile] = []
    for step in sorted(finished_steps(root), reverse=True):
        try:
            checkpoint = read_checkpoint(folder_of(root, step), run)
            check_events(events, checkpoint.events)
        except InvalidFile as error:
            damage.append(error)
            continue
        for passed in damage:
            warnings.warn(
                f"damaged checkpoint passed over ({passed}); going on from step {step}",
                CheckpointWarning,
                stacklevel=2,
            )
        return checkpoint
    if damage:
        raise damage[0]
    return None


def read_checkpoint(folder: Path, run: str) -> Checkpoint:
    """The checkpoint in `folder`; InvalidFile if a single byte is not what was written."""
    manifest = _read_manifest(folder / MANIFEST)
    try:
        if manifest["run"] != run:
            raise InvalidFile(folder / MANIFEST, None, "belongs to another run")
        groups = {
            Path(name).stem: _read_tensors(folder / Path(name).name, entry)
            for name, entry in manifest["files"].items()
        }
        return Checkpoint(
            step=int(manifest["step"]),
            run=run,
            groups=groups,
            counters=dict(manifest["counters"]),
            events=Mark(**manifest["events"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidFile(folder / MANIFEST, None, f"has no proper {error}") from error


def finished_steps(root: Path) -> list[int]:
    """Steps of which a checkpoint was written to its end."""
    names = [path.parent.name for path in root.glob(f"step-*/{MANIFEST}")]
    return [int(name[5:]) for name in names if name[5:].isdecimal()]


def tidy(root: Path, step: int, scheduled: Callable[[int], bool]) -> None:
    """Keep the checkpoint of `step` and the newest scheduled one before it; remove the rest.

    Checkpoints made because a signal came are not scheduled. They go as soon as a newer one is
    there, so that an interrupted run ends with the same two as an uninterrupted one.
    """
    earlier = [other for other in finished_steps(root) if other < step and scheduled(other)]
    kept = {folder_of(root, number).name for number in [step, *sorted(earlier)[-1:]]}
    for folder in root.glob("step-*"):
        if folder.name not in kept:
            # The manifest goes first: what is left can never be taken for a checkpoint.
            (folder / MANIFEST).unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)


def drop_unfinished(root: Path) -> None:
    """Remove what a killed save has left behind."""
    finished = {folder_of(root, step).name for step in finished_steps(root)}
    for folder in root.glob("step-*"):
        if folder.name not in finished:
            shutil.rmtree(folder, ignore_errors=True)


def _manifest(checkpoint: Checkpoint, files: Mapping[str, bytes]) -> bytes:
    body = {
        "format": FORMAT,
        "run": checkpoint.run,
        "step": checkpoint.step,
        "counters": dict(checkpoint.counters),
        "events": asdict(checkpoint.events),
        "files": {
            name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in files.items()
        },
    }
    return (_canonical(body | {"sha256": _hash_of(body)}) + "\n").encode()


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > LARGEST_MANIFEST:
            raise InvalidFile(path, LARGEST_MANIFEST, "is too long for a manifest")
        body = json.loads(path.read_bytes())
        claimed = body.pop("sha256")
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise InvalidFile(path, None, "is not a manifest") from error
    if claimed != _hash_of(body) or body.get("format") != FORMAT:
        raise InvalidFile(path, None, "does not fit its own SHA-256")
    return body


def _read_tensors(path: Path, entry: Mapping[str, Any]) -> dict[str, Tensor]:
    size = path.stat().st_size if path.is_file() else 0
    if size != entry["bytes"]:
        raise InvalidFile(path, min(size, entry["bytes"]), f"must have {entry['bytes']} bytes")
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != entry["sha256"]:
        raise InvalidFile(path, None, "does not fit its SHA-256 in the manifest")
    try:
        tensors = load(data)
    except (SafetensorError, ValueError) as error:
        raise InvalidFile(path, None, f"is not a safetensors file ({error})") from error
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise InvalidFile(path, None, f"tensor {name} is not finite")
    return tensors


def _hash_of(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(_canonical(body).encode()).hexdigest()


def _canonical(body: Mapping[str, Any]) -> str:
    return json.dumps(body, indent=1)

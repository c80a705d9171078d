"""A training state on disk: a directory that is either complete or not there.

    checkpoints/step_<n>/  model, ema, optimizer, carry: safetensors    state.json    manifest.json

It is written under a temporary name, synced and renamed; the manifest, with sizes and checksums, comes last. What a
kill leaves half done (`.partial`, `.old`) is put right by `tidy` at the next start.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from trm.errors import UserError

MANIFEST = "manifest.json"
PARTIAL, OLD = ".partial", ".old"


@dataclass(frozen=True)
class TrainingState:
    """Everything that may influence the next step.

    model: weights and puzzle embedding by published name.  ema: averaged parameters, empty without.
    optimizer: moments by `<parameter>/<moment>`.  carry: the slots of all ranks, in slot order.
    state: step, data position, bytes of metrics.jsonl written so far, resolved configuration; JSON.
    """

    model: Mapping[str, Tensor]
    ema: Mapping[str, Tensor]
    optimizer: Mapping[str, Tensor]
    carry: Mapping[str, Tensor]
    state: Mapping[str, Any]

    def parts(self) -> dict[str, Mapping[str, Tensor]]:
        """The tensors, by part."""
        return {part: getattr(self, part) for part in PARTS}


PARTS = ("model", "ema", "optimizer", "carry")


def save(folder: Path, content: TrainingState, keep: bool) -> None:
    """Write a checkpoint; `keep` protects it from `prune`. After this returns it survives a power cut."""
    partial = folder.with_name(folder.name + PARTIAL)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for part in PARTS:
        save_file(_storable(getattr(content, part)), partial / f"{part}.safetensors")
    (partial / "state.json").write_text(json.dumps(content.state, indent=1))
    files = {
        f.name: {"bytes": f.stat().st_size, "sha256": _sync_and_hash(f)} for f in sorted(partial.iterdir())
    }
    (partial / MANIFEST).write_text(json.dumps({"keep": keep, "files": files}, indent=1))
    _sync(partial / MANIFEST)
    _sync(partial)
    old = folder.with_name(folder.name + OLD)
    if folder.exists():  # the same step again: at no instant is there neither
        folder.rename(old)
    partial.rename(folder)
    _sync(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def tidy(root: Path) -> None:
    """Finish or undo what a kill interrupted: an old version comes back where the new one never arrived."""
    for old in root.glob(f"step_*{OLD}"):
        folder = old.with_name(old.name.removesuffix(OLD))
        if folder.exists():
            shutil.rmtree(old)
        else:
            old.rename(folder)
    for partial in root.glob(f"step_*{PARTIAL}"):
        shutil.rmtree(partial)


def load(folder: Path) -> TrainingState:
    """Read a checkpoint whose `fault` is None."""
    tensors = {part: load_file(folder / f"{part}.safetensors") for part in PARTS}
    return TrainingState(**tensors, state=json.loads((folder / "state.json").read_text()))


def load_weights(folder: Path) -> dict[str, Tensor]:
    """The weights to evaluate with: the model's, the averaged ones where there are any.

    Raises:
        UserError: a file of the checkpoint is damaged.
    """
    wrong = fault(folder)
    if wrong:
        raise UserError(f"{folder} is damaged: {wrong}", "a complete checkpoint", "use an earlier checkpoint")
    return load_file(folder / "model.safetensors") | load_file(folder / "ema.safetensors")


def steps(root: Path) -> list[Path]:
    """The checkpoints under `checkpoints/`, newest first, complete or not."""
    found = [p for p in root.glob("step_*") if p.name.removeprefix("step_").isdigit()]
    return sorted(found, key=lambda p: int(p.name.removeprefix("step_")), reverse=True)


def fault(folder: Path) -> str | None:
    """What is wrong with a checkpoint's files, or None."""
    file = folder / MANIFEST
    if not file.is_file():
        return f"{MANIFEST} is missing"
    try:
        files = json.loads(file.read_text())["files"]
    except (ValueError, KeyError):
        return f"{MANIFEST} is unreadable"
    for name, expected in files.items():
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if path.stat().st_size != expected["bytes"]:
            return f"{name} has {path.stat().st_size} bytes instead of {expected['bytes']}"
        if _hash(path) != expected["sha256"]:
            return f"{name} differs from its checksum"
    return None


def latest(root: Path) -> tuple[Path | None, list[str]]:
    """The newest complete checkpoint, and what was wrong with the newer ones.

    Raises:
        UserError: there are checkpoints, and none is complete.
    """
    faults: list[str] = []
    for folder in steps(root):
        wrong = fault(folder)
        if wrong is None:
            return folder, faults
        faults.append(f"{folder}: {wrong}")
    if faults:
        raise UserError(
            "; ".join(faults),
            "one complete checkpoint to resume from",
            f"restore one, or delete {root} to start over",
        )
    return None, faults


def prune(root: Path, keep_last: int) -> None:
    """Delete all but the newest `keep_last` checkpoints and those that were saved to be kept."""
    loose = [folder for folder in steps(root) if not _kept(folder)]
    for folder in loose[keep_last:]:
        doomed = folder.with_name(folder.name + PARTIAL)
        folder.rename(doomed)  # a kill while deleting leaves nothing that looks like a checkpoint
        shutil.rmtree(doomed)


def _kept(folder: Path) -> bool:
    """True also where the manifest cannot be read: what is damaged is for its owner to delete."""
    try:
        return bool(json.loads((folder / MANIFEST).read_text())["keep"])
    except (OSError, ValueError, KeyError):
        return True


def _storable(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """On the CPU, contiguous, and no two sharing memory, which safetensors refuses."""
    seen: set[int] = set()
    stored: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        own = tensor.detach().cpu().contiguous()
        stored[name] = own.clone() if own.data_ptr() in seen else own
        seen.add(own.data_ptr())
    return stored


def _hash(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sync_and_hash(file: Path) -> str:
    _sync(file)
    return _hash(file)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

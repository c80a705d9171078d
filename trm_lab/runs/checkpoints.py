"""A training state on disk: a directory that is either complete or not there.

    checkpoints/step_<n>/  model, ema, optimizer, carry: safetensors    state.json    identifiers.json    manifest.json

It is written under a temporary name, synced and renamed; the manifest, with sizes and checksums, comes last. What a
kill leaves half done (`.partial`, `.replaced`) is put right by `tidy` at the next start. What is read is verified.
"""

import errno
import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor

from trm.errors import UserError
from trm_lab.files.checksums import digest
from trm_lab.files.folders import OLD, PARTIAL, beside, install, naming, put_back, remove_tree
from trm_lab.files.tensor_files import save_tensors
from trm_lab.puzzles.layout import IDENTIFIERS_FILE
from trm_lab.runs.checkpoint_reading import (
    FILES,
    MANIFEST,
    OPTIONAL,
    STATE,
    DamagedError,
    check,
    read_manifest,
    read_names,
    read_state,
    read_tensors,
)
from trm_lab.runs.retention import Held, Retention, read_best, superfluous
from trm_lab.runs.training_state import PARTS, TrainingState

T = TypeVar("T")


def save(folder: Path, content: TrainingState, keep: bool, names: bytes | None = None) -> None:
    """Write a checkpoint; once this returns it survives a power cut.

    Args:
        keep: whether `prune` spares it.
        names: the content of identifiers.json, the puzzles of the puzzle table's rows; None: without that file.

    Raises:
        OSError: the system refused (a full disk, say); what was there before is there still.
    """
    if (name := foreign(folder)) is not None:
        raise FileExistsError(errno.EEXIST, f"{name} is there, which is no part of a checkpoint", str(folder))
    partial = beside(folder, PARTIAL)
    with naming(folder):
        remove_tree(partial)
        partial.mkdir(parents=True)
        for part, tensors in content.parts().items():
            save_tensors(partial / f"{part}.safetensors", _storable(tensors))
        (partial / STATE).write_text(json.dumps(content.state, indent=1), encoding="utf-8")
        if names is not None:
            (partial / IDENTIFIERS_FILE).write_bytes(names)
        files = {f.name: {"bytes": f.stat().st_size, "sha256": digest(f)} for f in sorted(partial.iterdir())}
        manifest = json.dumps({"keep": keep, "files": files}, indent=1)
        (partial / MANIFEST).write_text(manifest, encoding="utf-8")
        install(partial, folder, beside(folder, OLD))  # the same step again: at no instant is there neither


def _storable(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """On the CPU, contiguous, and no two sharing memory, which safetensors refuses."""
    seen: set[int] = set()
    stored: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        contiguous = tensor.detach().cpu().contiguous()
        stored[name] = contiguous.clone() if contiguous.data_ptr() in seen else contiguous
        seen.add(contiguous.data_ptr())
    return stored


def tidy(root: Path) -> None:
    """Finish or undo what a kill interrupted: an old version comes back where the new one never arrived."""
    for old in root.glob(f"step_*{OLD}"):
        if _is_step(old.name.removesuffix(OLD)) and foreign(old) is None:
            put_back(old, old.with_name(old.name.removesuffix(OLD)))
    for partial in root.glob(f"step_*{PARTIAL}"):
        if _is_step(partial.name.removesuffix(PARTIAL)):
            remove_tree(partial)


def foreign(folder: Path) -> str | None:
    """The name of something in the place of a checkpoint that is no part of one, so that it is not ours to delete."""
    if not os.path.lexists(folder):
        return None
    if folder.is_symlink() or not folder.is_dir():
        return folder.name
    parts = {MANIFEST, *FILES, *OPTIONAL}
    return next((p.name for p in sorted(folder.iterdir()) if p.name not in parts or p.is_symlink()), None)


def load(folder: Path) -> TrainingState:
    """Read a checkpoint; every byte of it is compared with its checksum on the way.

    Raises:
        DamagedError: a file is missing or malformed, or differs from its checksum.
    """
    manifest = read_manifest(folder)
    state = read_state(folder, manifest)
    read_names(folder, manifest)
    return TrainingState(**{part: read_tensors(folder, part, manifest) for part in PARTS}, state=state)


def load_weights(folder: Path, kind: str = "auto") -> dict[str, Tensor]:
    """The weights to evaluate with.

    kind: `raw` (the model's), `ema` (its averaged ones), `auto` (the averaged ones where there are any).

    Raises:
        DamagedError: one of their files is damaged, or the checkpoint is incomplete.
        UserError: averaged weights are asked for, and the run kept none.
    """
    manifest = read_manifest(folder)
    read_state(folder, manifest)  # a folder under another step's name is noticed
    model = read_tensors(folder, "model", manifest)
    if kind == "raw":
        return model
    averaged = read_tensors(folder, "ema", manifest)
    if kind == "ema" and not averaged:
        raise UserError(
            f"averaged weights of {folder}, whose run kept none",
            "raw, or auto; ema for a run that was trained with ema=True",
            "leave --weights out",
        )
    return model | averaged


def load_names(folder: Path) -> list[str] | None:
    """The names of the puzzle table's rows; None where a checkpoint (of an earlier version, say) has none.

    Raises:
        DamagedError: the file differs from its checksum, or holds no names.
    """
    return read_names(folder, read_manifest(folder))


def load_state(folder: Path) -> dict[str, Any]:
    """The step, the configuration and all else that is no tensor; raises as `read_state`."""
    return read_state(folder, read_manifest(folder))


def steps(root: Path) -> list[Path]:
    """The checkpoints under `checkpoints/`, newest first, complete or not."""
    return sorted((p for p in root.glob("step_*") if _is_step(p.name)), key=step_of, reverse=True)


def _is_step(name: str) -> bool:
    return re.fullmatch("step_[0-9]{1,18}", name) is not None


def step_of(folder: Path) -> int:
    """The step in a checkpoint's name."""
    return int(folder.name.removeprefix("step_"))


def complete(folder: Path) -> bool:
    """Whether all files are there in full length: the cheap part of checking a checkpoint."""
    try:
        read_manifest(folder)
    except DamagedError:
        return False
    return True


def latest(root: Path) -> tuple[Path | None, list[str]]:
    """The newest undamaged checkpoint, and what is wrong with the newer ones.

    Raises:
        UserError: there are checkpoints, and all are damaged.
    """
    folder, _, faults = _newest(root, check)
    return folder, faults


def load_latest(root: Path) -> tuple[Path | None, TrainingState | None, list[str]]:
    """`latest`, and what it holds, in one pass over the files."""
    return _newest(root, load)


def _newest(root: Path, read: Callable[[Path], T]) -> tuple[Path | None, T | None, list[str]]:
    faults: list[str] = []
    for folder in steps(root):
        try:
            return folder, read(folder), faults
        except DamagedError as damaged:
            faults.append(f"{folder}: {damaged.fault}")
    if faults:
        raise UserError(
            "; ".join(faults),
            "one complete checkpoint to resume from",
            "restore one from a copy, or start another run (another run_name or checkpoint_path)",
        )
    return None, None, faults


def newest_state(root: Path) -> dict[str, Any] | None:
    """The newest state.json that is whole; None without one."""
    for folder in steps(root):
        try:
            return load_state(folder)
        except DamagedError:
            continue
    return None


def prune(root: Path, retention: Retention | int, newest: int | None = None) -> None:
    """Delete the checkpoints that `retention` (a number: as many of the newest) does not hold.

    newest: the step just written; later ones were passed over on resuming and are left alone.
    """
    policy = Retention(retention) if isinstance(retention, int) else retention
    folders = {step_of(folder): folder for folder in steps(root)}
    held = [_held(step, folder) for step, folder in folders.items() if newest is None or step <= newest]
    for step in superfluous(held, policy, read_best(root) if policy.keep_best else None):
        folder = folders[step]
        if foreign(folder) is None:
            doomed = beside(folder, PARTIAL)
            remove_tree(doomed)
            folder.rename(doomed)  # a kill while deleting leaves nothing that looks like a checkpoint
            remove_tree(doomed)


def _held(step: int, folder: Path) -> Held:
    try:
        return Held(step, keep=read_manifest(folder).keep, complete=True)
    except DamagedError:
        return Held(step, keep=False, complete=False)

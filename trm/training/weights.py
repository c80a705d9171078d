"""Weights from elsewhere: published checkpoints, exports, our own, and what must fit.

Published: a pickled state dict whose keys start with `_orig_mod.model.inner.` or `model.inner.`, beside an
`all_config.yaml` (formats.md, "Published TRM checkpoints"). Only ever read with `weights_only=True`.
"""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from trm.errors import UserError
from trm.model import TinyRecursiveModel, TRMConfig
from trm.training import checkpoints
from trm.training.published_pickle import declared_tensors
from trm.untrusted import shown

COMPILED_PREFIX, PREFIX = "_orig_mod.", "model.inner."
PUZZLE_ROWS = "puzzle_emb.weights"
STEP_TABLE = "timestep_embed.embedding_weight"
PUBLISHED_CONFIG = "all_config.yaml"
EXPORTED_WEIGHTS, EXPORTED_CONFIG = "model.safetensors", "config.yaml"
WEIGHT_KINDS = ("auto", "ema", "raw")
WEIGHT_DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
LONGEST_NAME = 200
LARGEST = {
    "expansion": 64,
    "puzzle_emb_len": 4096,
    "H_cycles": 10_000,
    "L_cycles": 10_000,
}  # where not our own
MOST_SHOWN = 40  # faults of a checkpoint in one error


def find_checkpoint(path: Path) -> Path:
    """The checkpoint that a run directory, a checkpoint directory, an exported folder or a published file stands for.

    Raises:
        UserError: there is none.
    """
    if path.is_file() or (path / checkpoints.MANIFEST).is_file() or is_exported(path):
        return path
    root = path / "checkpoints" if (path / "checkpoints").is_dir() else path
    newest, faults = checkpoints.latest(root) if root.is_dir() else (None, [])
    for fault in faults:
        print(f"left out a damaged checkpoint: {fault}", flush=True)
    if newest is None:
        raise UserError(
            f"no checkpoint at {path}",
            "a run directory, one of its checkpoints/step_<n>, an exported folder, or a published checkpoint file",
            "check the path; a run has its first checkpoint after checkpoint_interval steps",
        )
    return newest


def is_exported(path: Path) -> bool:
    """Whether a folder is an export: weights with their configuration beside them."""
    return (path / EXPORTED_WEIGHTS).is_file() and (path / EXPORTED_CONFIG).is_file()


def read_weights(checkpoint: Path, kind: str = "auto") -> dict[str, Tensor]:
    """The state dict of one of our checkpoints (a directory), of an export, or of a published one (a file).

    kind: `auto` (averaged where the run kept an average), `ema` or `raw`; an export or a published file has one kind.

    Raises:
        UserError: damaged or unusable files, or a kind that is not there.
    """
    if checkpoint.is_dir() and not is_exported(checkpoint):
        return checkpoints.load_weights(checkpoint, kind)
    if kind != "auto":
        raise UserError(
            f"weights {kind!r} of {checkpoint}, which holds one kind of weights and does not say which",
            "auto; ema and raw for checkpoints of a run",
            "leave --weights out",
        )
    return read_exported(checkpoint) if checkpoint.is_dir() else read_published(checkpoint)


def read_exported(folder: Path) -> dict[str, Tensor]:
    """The state dict of an export.

    Raises:
        UserError: not a safetensors file, or not weights in it.
    """
    try:
        tensors = load_file(folder / EXPORTED_WEIGHTS)
        for name, tensor in tensors.items():
            if not name.isprintable() or len(name) > LONGEST_NAME:
                raise ValueError(f"a tensor called {name}")
            if tensor.dtype not in WEIGHT_DTYPES or not tensor.numel():
                raise ValueError(f"{name}: {tuple(tensor.shape)} of {tensor.dtype}")
    except (SafetensorError, ValueError) as error:
        raise UserError(
            f"{folder / EXPORTED_WEIGHTS}: {shown(str(error))}",
            "a whole safetensors file of floating-point tensors",
            "fetch or export it again; it may be cut off, or a git-lfs pointer",
        ) from error
    return tensors


def read_published(file: Path) -> dict[str, Tensor]:
    """The state dict of a published checkpoint, without its prefix.

    Raises:
        UserError: not a pickled state dict of tensors, or one that declares other tensors than the file holds.
    """
    try:
        declared = declared_tensors(file)
        content = torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise _unusable(file, shown(str(error).split("\n")[0])) from error
    if not isinstance(content, dict) or not all(isinstance(v, Tensor) for v in content.values()):
        raise _unusable(file, "not a dictionary of tensors")
    if {k: tuple(v.shape) for k, v in content.items()} != {k: v.shape for k, v in declared.items()}:
        raise _unusable(file, "an archive that can be read in two ways")
    return {k.removeprefix(COMPILED_PREFIX).removeprefix(PREFIX): v for k, v in content.items()}


def _unusable(file: Path, problem: str) -> UserError:
    return UserError(
        f"{file}: {problem}",
        "a state dict of floating-point tensors by torch.save (1.6 or later) that loads with weights_only=True, "
        "or a checkpoint directory of ours",
        "check the file; it may be cut off, or a git-lfs pointer; do not use it if you do not know who made it",
    )


def load_into(model: TinyRecursiveModel, weights: Mapping[str, Tensor], source: str) -> list[str]:
    """Load `weights`; a puzzle table of another size becomes its mean row, as published. Returns remarks.

    Raises:
        UserError: tensors that are missing, unknown, or of another shape.
    """
    weights, own, remarks = dict(weights), model.state_dict(), []
    rows = weights.get(PUZZLE_ROWS)
    if rows is not None and PUZZLE_ROWS in own and _same_width_other_length(rows, own[PUZZLE_ROWS]):
        weights[PUZZLE_ROWS] = rows.mean(0, keepdim=True).expand_as(own[PUZZLE_ROWS])
        remarks.append(
            f"{source} has {len(rows)} puzzle embeddings, this dataset {len(own[PUZZLE_ROWS])}: all start at their mean"
        )
    wrong = [f"{k}: missing" for k in own if k not in weights]
    wrong += [f"{k}: not in this architecture" for k in weights if k not in own]
    wrong += [
        f"{k}: {tuple(weights[k].shape)} instead of {tuple(own[k].shape)}"
        for k in own
        if k in weights and weights[k].shape != own[k].shape
    ]
    if wrong:
        more = [f"and {len(wrong) - MOST_SHOWN} more"] if len(wrong) > MOST_SHOWN else []
        raise UserError(
            f"{source} is of another architecture:\n    " + "\n    ".join([*wrong[:MOST_SHOWN], *more]),
            "the tensors of the configured architecture, with the same shapes",
            "set arch=… and its keys as in the run that the checkpoint comes from (its config.yaml or all_config.yaml)",
        )
    model.load_state_dict(weights)
    return remarks


def _same_width_other_length(a: Tensor, b: Tensor) -> bool:
    return a.shape[1:] == b.shape[1:] and len(a) != len(b)


def check_size(network: TRMConfig, weights: Mapping[str, Tensor], source: str) -> None:
    """Check that a network of this shape is about as large as the weights for it, before it is made.

    A configuration from elsewhere may ask for any size; what this leaves open is bounded, and `load_into` compares it.

    Raises:
        UserError: another width or depth than the weights have, or a part of it out of all proportion.
    """
    width = weights["H_init"].shape[-1] if "H_init" in weights and weights["H_init"].dim() else 0
    layers = len({name.split(".")[2] for name in weights if name.startswith("L_level.layers.")})
    rows = weights.get(PUZZLE_ROWS)
    puzzle = rows.shape[1] if rows is not None and rows.dim() == 2 else 0
    wanted = (network.hidden_size, network.L_layers, network.puzzle_emb_ndim)
    if wanted != (width, layers, puzzle):
        raise UserError(
            f"{source} is of another architecture: the configuration has hidden_size, L_layers and puzzle_emb_ndim "
            f"{wanted}, the weights {(width, layers, puzzle)}",
            "the configuration of the run that the weights come from",
            "set arch=… and its keys as there (its config.yaml or all_config.yaml)",
        )
    for name, most in LARGEST.items():
        if not getattr(network, name) <= most:
            raise UserError(
                f"arch.{name}={getattr(network, name)} in the configuration of {source}",
                f"at most {most}",
                "check the configuration; do not use it if you do not know who made it",
            )


UNREAD = ("name", "loss", "H_layers")  # what the published code has and never reads, or what we say otherwise
RENAMED = {"N_supervision": "halt_max_steps"}  # of the released DIS


def published_arch(arch: Mapping[str, Any], weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """Our `arch` keys for the `arch` of a published all_config.yaml, or of an export of ours."""
    supervision = arch.get("supervision") or ("dis" if STEP_TABLE in weights else "act")
    ours = {RENAMED.get(k, k): v for k, v in arch.items() if k not in UNREAD}
    loss = arch.get("loss")
    named = loss.get("loss_type") if isinstance(loss, Mapping) else None
    ours["loss_type"] = named or "stablemax_cross_entropy"
    if supervision == "dis":
        ours = {k: v for k, v in ours.items() if k not in ("halt_exploration_prob", "no_ACT_continue")}
    return {**ours, "supervision": supervision}

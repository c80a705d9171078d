"""Weights from elsewhere: published checkpoints, exports, our own, and what must fit.

Published: a pickled state dict whose keys start with `_orig_mod.model.inner.` or `model.inner.`, beside an
`all_config.yaml`; also with `module.` before them, and under `model` or `state_dict`, as other trainers keep it.
Only ever read with `weights_only=True`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from trm.errors import UserError, shown
from trm.model import TinyRecursiveModel, TRMConfig
from trm_lab.files.config_files import read_config
from trm_lab.methods import METHODS
from trm_lab.puzzles.layout import IDENTIFIERS_FILE, read_identifiers
from trm_lab.runs import checkpoints
from trm_lab.runs.checkpoint_reading import FILES
from trm_lab.runs.hub import PUBLISHED
from trm_lab.runs.identifier_names import fill_by_name
from trm_lab.runs.published_pickle import LONGEST_NAME, WEIGHT_DTYPES, read_published

PUZZLE_ROWS = "puzzle_emb.weights"
STEP_TABLE = "timestep_embed.embedding_weight"
PUBLISHED_CONFIG = "all_config.yaml"
EXPORTED_WEIGHTS, EXPORTED_CONFIG = "model.safetensors", "config.yaml"
WEIGHT_KINDS = ("auto", "ema", "raw")
LARGEST_EXPANSION = 64  # where the configuration is not our own
MOST_SHOWN = 10  # faults of a checkpoint, or files, in one error


def find_checkpoint(path: Path) -> Path:
    """The checkpoint that a run directory, a checkpoint directory, an exported folder or a published file stands for.

    Raises:
        UserError: there is none.
    """
    if path.name == EXPORTED_WEIGHTS and (is_exported(path.parent) or is_checkpoint(path.parent)):
        return path.parent
    if path.is_file() or is_checkpoint(path) or is_exported(path):
        return path
    if (path / EXPORTED_WEIGHTS).is_file():
        raise UserError(
            f"{path} holds {EXPORTED_WEIGHTS} without {EXPORTED_CONFIG}",
            "an exported folder with all of its files",
            "copy or export it again",
        )
    if (path / PUBLISHED_CONFIG).is_file():
        return _published_in(path)
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


def is_checkpoint(path: Path) -> bool:
    """Whether a folder is a run's checkpoint, perhaps a damaged one; datasets and evaluations have manifests, too."""
    return (path / checkpoints.MANIFEST).is_file() and any((path / name).exists() for name in FILES)


def _published_in(folder: Path) -> Path:
    """The one checkpoint file beside an all_config.yaml.

    Raises:
        UserError: there are none, or several.
    """
    files = sorted(file for file in folder.iterdir() if file.is_file() and PUBLISHED.fullmatch(file.name))
    if len(files) == 1:
        return files[0]
    raise UserError(
        f"{folder} holds {len(files) or 'no'} checkpoint files beside its {PUBLISHED_CONFIG}",
        ", ".join(shown(file.name) for file in files[:MOST_SHOWN]) or "a file such as step_155718",
        f"name one: --checkpoint {folder}/<file>",
    )


def is_exported(path: Path) -> bool:
    """Whether a folder is an export: weights with their configuration beside them."""
    return (path / EXPORTED_WEIGHTS).is_file() and (path / EXPORTED_CONFIG).is_file()


def step_of(checkpoint: Path, config: Mapping[str, Any]) -> int | None:
    """The step of a checkpoint: of its state, of an export's configuration, or in a file's name; None where none is.

    Raises:
        UserError: a damaged state, or a file under another step's name than its configuration tells.
    """
    told = config.get("step")
    if is_exported(checkpoint):
        return told if type(told) is int else None
    if checkpoint.is_dir():
        return checkpoints.load_state(checkpoint)["step"]
    told = told if type(told) is int and told >= 0 else None
    numbers = re.findall(r"step_(\d{1,18})(?!\d)", checkpoint.name, re.ASCII)
    named = int(numbers[-1]) if numbers else None
    if told is not None and named not in (None, told):
        raise UserError(
            f"{checkpoint} is of step {told}, as its configuration tells: the file was renamed",
            "a checkpoint file under its own name",
            f"give it its name back: step_{told}",
        )
    return named


def described(checkpoint: Path) -> str:
    """What `read_weights` takes of a checkpoint, in one line.

    Raises:
        UserError: a damaged state or configuration.
    """
    config = told_config(checkpoint)
    averaged = is_checkpoint(checkpoint) and config.get("ema")
    step = step_of(checkpoint, config)
    told = "a step that is not told" if step is None else f"step {step:,}"
    return f"{'averaged weights' if averaged else 'weights'} of {checkpoint}, {told}"


def told_config(checkpoint: Path) -> Mapping[str, Any]:
    """The configuration that a checkpoint tells; {} for a published file that has none beside it.

    Raises:
        UserError: a damaged state or configuration.
    """
    if is_checkpoint(checkpoint):
        return checkpoints.load_state(checkpoint)["config"]
    exported = is_exported(checkpoint)
    file = checkpoint / EXPORTED_CONFIG if exported else checkpoint.with_name(PUBLISHED_CONFIG)
    return read_config(file) if file.is_file() else {}


def trained_otherwise(checkpoint: Path, network: TRMConfig) -> list[str]:
    """A remark on what no shape of a weight tells, such as the number of heads, where `network` has it otherwise.

    Raises:
        UserError: a damaged state or configuration.
    """
    arch, ours = told_config(checkpoint).get("arch"), asdict(network)
    told = arch if isinstance(arch, Mapping) else {}
    differing = [
        f"arch.{key}={shown(told[key], 40)}, here {value}"
        for key, value in ours.items()
        if key in told and told[key] != value
    ]
    return [f"its weights were trained with {'; '.join(differing)}"] if differing else []


def read_weights(checkpoint: Path, kind: str = "auto") -> dict[str, Tensor]:
    """The state dict of one of our checkpoints (a directory), of an export, or of a published one (a file).

    kind: `auto` (averaged where the run kept an average), `ema` or `raw`; an export or a published file has one kind.

    Raises:
        UserError: damaged or unusable files, a kind that is not there, or a weight that is not finite.
    """
    weights = _read_weights(checkpoint, kind)
    check_finite(weights, str(checkpoint))
    return weights


def check_finite(weights: Mapping[str, Tensor], source: str) -> None:
    """UserError, with the first tensor that has one, where a weight is nan or infinite, or would be in float32."""
    for name, tensor in weights.items():
        finite = tensor.float().isfinite()
        if not bool(finite.all()):
            raise UserError(
                f"{source}: {int((~finite).sum()):,} of {tensor.numel():,} numbers of {shown(name, LONGEST_NAME)} are "
                "nan or infinite",
                "finite weights: an answer made with others is none",
                "use an earlier checkpoint, or fetch the file again",
            )


def _read_weights(checkpoint: Path, kind: str) -> dict[str, Tensor]:
    if checkpoint.is_dir() and not is_exported(checkpoint):
        return checkpoints.load_weights(checkpoint, kind)
    if kind != "auto":
        raise UserError(
            f"weights {kind!r} of {checkpoint}, which holds one kind of weights and does not say which",
            "auto; ema and raw for checkpoints of a run",
            "leave --weights out",
        )
    return read_exported(checkpoint) if checkpoint.is_dir() else read_published(checkpoint)


def row_names(checkpoint: Path) -> list[str] | None:
    """Whose the rows of a checkpoint's puzzle table are; None where it does not tell, as published ones do not.

    Raises:
        UserError: a damaged list.
    """
    if checkpoint.is_dir() and not is_exported(checkpoint):
        return checkpoints.load_names(checkpoint)
    folder = checkpoint if checkpoint.is_dir() else checkpoint.parent
    if not (folder / IDENTIFIERS_FILE).is_file():
        return None
    try:
        return read_identifiers(folder)
    except UserError as error:
        raise UserError(
            error.given,
            "the names of the checkpoint's puzzle embeddings, one for each row",
            "copy or export the checkpoint again, with all of its files",
        ) from error


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


def load_into(
    model: TinyRecursiveModel,
    weights: Mapping[str, Tensor],
    source: str,
    names: Sequence[str] | None = None,
    wanted: Sequence[str] | None = None,
) -> list[str]:
    """Load `weights`, rows of the puzzle table by name. Returns remarks for the user.

    Where one of them does not tell names, a table of as many rows is taken as it is, and one of another length
    becomes its mean row, as published.

    names: of the rows in `weights`.  wanted: of the dataset's identifiers, which are the model's rows.

    Raises:
        UserError: tensors that are missing, unknown, or of another shape, or names of another table.
    """
    weights, own = dict(weights), model.state_dict()
    rows, table = weights.get(PUZZLE_ROWS), own.get(PUZZLE_ROWS)
    if rows is not None and names is not None and len(names) != len(rows):
        raise UserError(
            f"{source} has {len(rows):,} puzzle embeddings and {len(names):,} names in {IDENTIFIERS_FILE}",
            "a name for each row",
            "copy or export the checkpoint again, with all of its files",
        )
    if rows is not None and table is not None and rows.shape[1:] == table.shape[1:]:
        weights[PUZZLE_ROWS] = table  # filled below, once everything else is known to fit
    _check_tensors(own, weights, source)
    remarks = []
    if rows is not None and table is not None:
        remarks = _fill_table(table, rows, source, names, wanted)
    model.load_state_dict(weights)
    return remarks


def _check_tensors(own: Mapping[str, Tensor], weights: Mapping[str, Tensor], source: str) -> None:
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
            f"{source} is of another architecture, or of data with other tokens: "
            + "; ".join([*wrong[:MOST_SHOWN], *more]),
            "the tensors of the configured architecture on this data, with the same shapes",
            "set arch=… and its keys as in the run that the checkpoint comes from (its config.yaml or "
            "all_config.yaml), and name data like that run's (data_paths, --data-path)",
        )


def _fill_table(
    table: Tensor, rows: Tensor, source: str, names: Sequence[str] | None, wanted: Sequence[str] | None
) -> list[str]:
    if names is not None and wanted is not None:
        match = fill_by_name(table, rows, names, wanted)
        return [] if match.as_is else [match.remark(source)]
    if len(rows) == len(table):
        table.copy_(rows)
        if wanted is None or len(rows) == 1:
            return []
        return [
            f"{source} does not tell whose its {len(rows):,} puzzle embeddings are: "
            "that they are of this dataset's puzzles, in its order, cannot be checked"
        ]
    table.copy_(rows.mean(0, keepdim=True).expand_as(table))
    return [
        f"{source} has {len(rows):,} puzzle embeddings, this dataset {len(table):,}, and no names that could be "
        "compared: all start at their mean"
    ]


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
    if not network.expansion <= LARGEST_EXPANSION:
        raise UserError(
            f"arch.expansion={network.expansion} in the configuration of {source}",
            f"at most {LARGEST_EXPANSION}",
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
    if supervision in METHODS:  # the release keeps the halting keys of TRM in DIS's configuration, too
        foreign = {one.name for method in METHODS.values() for one in fields(method.config_class)}
        foreign -= {one.name for one in fields(METHODS[supervision].config_class)}
        ours = {key: value for key, value in ours.items() if key not in foreign}
    return {**ours, "supervision": supervision}

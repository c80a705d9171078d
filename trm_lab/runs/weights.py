"""Weights into a model: which tensors must fit, whose the rows of the puzzle table are, and published settings.

N rows of a saved puzzle table, M identifiers of the dataset and rows of the model's table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from torch import Tensor

from trm.errors import UserError
from trm.model import TinyRecursiveModel, TRMConfig
from trm_lab.methods import METHODS
from trm_lab.puzzles.layout import IDENTIFIERS_FILE
from trm_lab.runs import hub
from trm_lab.runs.identifier_names import fill_by_name

PUZZLE_ROWS = "puzzle_emb.weights"
TOKEN_ROWS = "embed_tokens.embedding_weight"
STEP_TABLE = "timestep_embed.embedding_weight"
PUBLISHED_CONFIG = hub.CONFIG
EXPORTED_WEIGHTS, EXPORTED_CONFIG = hub.EXPORT
LARGEST_EXPANSION = 64  # where the configuration is not our own
MOST_SHOWN = 10  # faults of a checkpoint, or files, in one error
UNREAD = ("name", "loss", "act_inference")  # keys that have another name here, or no meaning in one rollout
RENAMED = {"N_supervision": "halt_max_steps"}  # in the configurations of the released DIS
PUBLISHED_NAMES = {
    "trm": "recursive_reasoning.trm@TinyRecursiveReasoningModel_ACTV1",
    "single_z": "recursive_reasoning.trm_singlez@TinyRecursiveReasoningModel_ACTV1",
    "six_z": "recursive_reasoning.trm_hier6@TinyRecursiveReasoningModel_ACTV1",
    "hrm": "recursive_reasoning.hrm@HierarchicalReasoningModel_ACTV1",
    "none": "recursive_reasoning.transformers_baseline@Model_ACTV2",
}
"""`arch.name` of the published code for each recursion that it has."""


def load_into(
    model: TinyRecursiveModel,
    weights: Mapping[str, Tensor],
    source: str,
    row_names: Sequence[str] | None = None,
    identifiers: Sequence[str] | None = None,
) -> list[str]:
    """Load `weights`, and the rows of the puzzle table by name; returns remarks for the user.

    Without names on both sides, a table of M rows is copied in order, and one of another length gives every
    identifier the mean of its rows, as the published code does.

    Args:
        source: the checkpoint, for messages.
        row_names: puzzles of the N rows.
        identifiers: the dataset's M names.

    Raises:
        UserError: tensors that are missing, unknown, or of another shape, or names of another table.
    """
    weights, own = dict(weights), model.state_dict()
    rows, table = weights.get(PUZZLE_ROWS), own.get(PUZZLE_ROWS)
    if rows is not None and row_names is not None and len(row_names) != len(rows):
        raise UserError(
            f"{source} has {len(rows):,} puzzle embeddings and {len(row_names):,} names in {IDENTIFIERS_FILE}",
            "a name for each row",
            "copy or export the checkpoint again, with all of its files",
        )
    if rows is not None and table is not None and rows.shape[1:] == table.shape[1:]:
        weights[PUZZLE_ROWS] = table  # [M, E]; filled below, once everything else is known to fit
    _check_tensors(own, weights, source)
    remarks = []
    if rows is not None and table is not None:
        remarks = _fill_table(table, rows, source, row_names, identifiers)
    model.load_state_dict(weights)
    return remarks


def _check_tensors(own: Mapping[str, Tensor], weights: Mapping[str, Tensor], source: str) -> None:
    faults = [f"{k}: missing" for k in own if k not in weights]
    faults += [f"{k}: not in this architecture" for k in weights if k not in own]
    faults += [
        f"{k}: {tuple(weights[k].shape)} instead of {tuple(own[k].shape)}"
        for k in own
        if k in weights and weights[k].shape != own[k].shape
    ]
    if faults:
        more = [f"and {len(faults) - MOST_SHOWN} more"] if len(faults) > MOST_SHOWN else []
        raise UserError(
            f"{source} is of another architecture, or of data with other tokens: "
            + "; ".join([*faults[:MOST_SHOWN], *more]),
            "the tensors of the configured architecture on this data, with the same shapes",
            "set arch=… and its keys as in the run that the checkpoint comes from (its config.yaml or "
            "all_config.yaml), and name data like that run's (data_paths, --data-path)",
        )


def _fill_table(
    table: Tensor, rows: Tensor, source: str, row_names: Sequence[str] | None, identifiers: Sequence[str] | None
) -> list[str]:
    """Fill the model's table `[M, E]` from the saved rows `[N, E]`; returns remarks for the user."""
    if row_names is not None and identifiers is not None:
        match = fill_by_name(table, rows, row_names, identifiers)
        return [] if match.as_is else [match.remark(source)]
    if len(rows) == len(table):
        table.copy_(rows)
        if identifiers is None or len(rows) == 1:
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
    """Check that a network of this shape is about as large as its weights, before it is built.

    A configuration from elsewhere may ask for any size; this bounds it, and `load_into` compares every shape.

    Raises:
        UserError: another width or depth than the weights have, or an expansion out of all proportion.
    """
    tokens, rows = weights.get(TOKEN_ROWS), weights.get(PUZZLE_ROWS)
    width = tokens.shape[1] if tokens is not None and tokens.dim() == 2 else 0
    puzzle_width = rows.shape[1] if rows is not None and rows.dim() == 2 else 0
    blocks = {tuple(name.split(".")[:3:2]) for name in weights if ".layers." in name}
    layers = {module: sum(block[0] == module for block in blocks) for module in sorted({block[0] for block in blocks})}
    configured = (network.hidden_size, network.modules, network.puzzle_emb_ndim)
    if configured != (width, layers, puzzle_width):
        raise UserError(
            f"{source} is of another architecture: the configuration has hidden_size, layers and puzzle_emb_ndim "
            f"{configured}, the weights {(width, layers, puzzle_width)}",
            "the configuration of the run that the weights come from",
            "set arch=… and its keys as there (its config.yaml or all_config.yaml)",
        )
    if not network.expansion <= LARGEST_EXPANSION:  # written so that nan is refused
        raise UserError(
            f"arch.expansion={network.expansion} in the configuration of {source}",
            f"at most {LARGEST_EXPANSION}",
            "check the configuration; do not use it if you do not know who made it",
        )


def published_arch(arch: Mapping[str, Any], weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """Our `arch` keys for the `arch` of a published all_config.yaml, or of an export of ours."""
    supervision = arch.get("supervision") or ("dis" if STEP_TABLE in weights else "act")
    ours = {RENAMED.get(k, k): v for k, v in arch.items() if k not in UNREAD}
    ours |= _published_recursion(arch)
    loss = arch.get("loss")
    loss_type = loss.get("loss_type") if isinstance(loss, Mapping) else None
    ours["loss_type"] = loss_type or "stablemax_cross_entropy"
    if supervision in METHODS:  # the release keeps the halting keys of TRM in DIS's configuration, too
        foreign = {key.name for method in METHODS.values() for key in fields(method.config_class)}
        foreign -= {key.name for key in fields(METHODS[supervision].config_class)}
        ours = {key: value for key, value in ours.items() if key not in foreign}
    return {**ours, "supervision": supervision}


def _published_recursion(arch: Mapping[str, Any]) -> dict[str, Any]:
    """The keys by which a recursion of the published code differs here; `arch` of an export of ours has them all."""
    if "recursion" in arch:
        return {}
    recursion = {name: key for key, name in PUBLISHED_NAMES.items()}.get(str(arch.get("name")), "trm")
    if recursion == "hrm":
        return {"recursion": recursion, "puzzle_emb_len": 0, "no_ACT_continue": False}
    if recursion == "none":  # never reads H_cycles
        return {"recursion": recursion, "puzzle_emb_len": 0, "H_cycles": 1, "halts_above_continue": True}
    return {"recursion": recursion, "H_layers": 0}

"""What a checkpoint tells of the ARC data that it was trained on, and a model of it for tasks of any name.

N rows of its table of puzzle embeddings, P puzzle tokens, L = C·C tokens of a canvas of side C.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from trm.errors import UserError
from trm.supervision import Supervision
from trm_lab.files.untrusted import check_regular
from trm_lab.puzzles.arc.compact_set import LARGEST_CANVAS
from trm_lab.puzzles.arc.grids import CANVAS, PAD, VOCAB_SIZE
from trm_lab.puzzles.layout import IDENTIFIERS_FILE, METADATA_FILE, PuzzleMetadata, read_identifiers
from trm_lab.runs.opened_checkpoint import OpenedCheckpoint
from trm_lab.runs.weights import PUZZLE_ROWS

SEQ_LEN = "seq_len"  # in the configuration of an export
SLOTS = "carry.safetensors"  # of a run's checkpoint
LEARNED_POSITIONS = "embed_pos.embedding_weight"
MIXING_OVER_POSITIONS = "L_level.layers.0.mlp_t.down_proj.weight"


def canvas_of(opened: OpenedCheckpoint, datasets: Sequence[str] = ()) -> int:
    """C: as an export, the weights or a run's slots tell; else as a dataset at hand does; else 30, as published.

    Raises:
        UserError: its tokens are not those of ARC canvases.
    """
    words = opened.weights.get("embed_tokens.embedding_weight")
    tokens = seq_len(opened) or _of_dataset(datasets) or CANVAS**2
    canvas = math.isqrt(max(tokens, 0))
    if words is None or len(words) != VOCAB_SIZE or canvas**2 != tokens or not 1 <= canvas <= LARGEST_CANVAS:
        raise UserError(
            f"{opened.source}: {0 if words is None else len(words)} different tokens, {tokens} in an example",
            f"a checkpoint that was trained on ARC: {VOCAB_SIZE} different tokens, a square number in an example",
            "choose a checkpoint that was trained on ARC",
        )
    return canvas


def seq_len(opened: OpenedCheckpoint) -> int | None:
    """L, where the checkpoint itself tells: an export says it, weights have so many positions, or a run's slots."""
    told = opened.config.get(SEQ_LEN)
    if type(told) is int:
        return told
    for name in (LEARNED_POSITIONS, MIXING_OVER_POSITIONS):
        if name in opened.weights:
            return len(opened.weights[name]) - opened.arch.network.puzzle_tokens
    return _slot_tokens(opened.path / SLOTS)


def _slot_tokens(file: Path) -> int | None:
    """Of the examples in a training state, by its header; None where there is none, or a damaged one."""
    try:
        check_regular(file)
        with safe_open(file, "pt") as carry:
            return carry.get_slice("inputs").get_shape()[1]
    except (OSError, ValueError, IndexError, SafetensorError):
        return None


def _of_dataset(datasets: Sequence[str]) -> int | None:
    """L of the first dataset that is at hand."""
    splits = [Path(dataset) / split for dataset in datasets for split in ("test", "train")]
    found = next((split for split in splits if (split / METADATA_FILE).is_file()), None)
    return None if found is None else PuzzleMetadata.read(found).seq_len


def known_puzzles(opened: OpenedCheckpoint, datasets: Sequence[str] = ()) -> dict[str, int]:
    """Identifiers of the puzzles that the checkpoint was trained on, by name; {} where nothing at hand tells them.

    The checkpoint's own names count; one of before it had any takes those of a dataset with as many, which is said.

    datasets: where to look then; empty: where its configuration says.

    Raises:
        UserError: a dataset that was named is not there, or has another number of puzzles than the checkpoint.
    """
    for dataset in datasets:
        if not (Path(dataset) / IDENTIFIERS_FILE).is_file():
            raise UserError(
                f"no dataset at {dataset}",
                "the dataset that the checkpoint was trained on",
                "name that one, or leave --data-path out",
            )
    if opened.row_names is not None:
        return {name: row for row, name in enumerate(opened.row_names)}
    for dataset in datasets or opened.data_paths:
        if not datasets and not (Path(dataset) / IDENTIFIERS_FILE).is_file():
            continue
        names = read_identifiers(dataset)
        if len(names) == opened.puzzle_identifiers:
            print(
                f"{opened.source} does not tell whose its puzzle embeddings are: those of {dataset} are assumed",
                flush=True,
            )
            return {name: identifier for identifier, name in enumerate(names)}
        if datasets:
            raise UserError(
                f"{dataset} has {len(names):,} puzzle identifiers, {opened.source} has embeddings for "
                f"{opened.puzzle_identifiers:,}",
                "the dataset that the checkpoint was trained on",
                "name that one, or leave --data-path out: then the task is answered as one that is not known",
            )
    return {}


def arc_supervision(opened: OpenedCheckpoint, canvas: int) -> Supervision[Any]:
    """The model and its supervision on the CPU, with one row in place of its table: see `task_puzzles.lent_rows`.

    Raises:
        UserError: see `OpenedCheckpoint.supervision`.
    """
    weights = dict(opened.weights)
    if PUZZLE_ROWS in weights:
        weights[PUZZLE_ROWS] = weights[PUZZLE_ROWS][:1]
    metadata = PuzzleMetadata(
        pad_id=PAD,
        ignore_label_id=PAD,
        blank_identifier_id=0,
        vocab_size=VOCAB_SIZE,
        seq_len=canvas**2,
        num_puzzle_identifiers=1,
        total_groups=1,
        mean_puzzle_examples=1.0,
        total_puzzles=1,
        sets=("all",),
    )
    supervision, _ = replace(opened, weights=weights).supervision(metadata)
    return supervision

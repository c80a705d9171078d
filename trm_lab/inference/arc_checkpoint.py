"""The ARC data that a checkpoint was trained on (its canvas, its puzzles), and a model of it for tasks of any name.

N rows of its table of puzzle embeddings, P puzzle tokens, L = C·C tokens of a canvas of side C.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from trm.errors import UserError
from trm.supervision import Supervision
from trm_lab.files.untrusted import check_regular
from trm_lab.puzzles.arc.compact_set import LARGEST_CANVAS
from trm_lab.puzzles.arc.grids import CANVAS, PAD, VOCAB_SIZE
from trm_lab.puzzles.layout import IDENTIFIERS_FILE, METADATA_FILE, PuzzleMetadata, read_identifiers
from trm_lab.runs.opened_checkpoint import OpenedCheckpoint
from trm_lab.runs.weights import PUZZLE_ROWS, TOKEN_ROWS

SEQ_LEN = "seq_len"  # in the configuration of an export
SLOTS = "carry.safetensors"  # of a run's checkpoint
WITH_A_ROW_FOR_EACH_POSITION = ("embed_pos.embedding_weight", "L_level.layers.0.mlp_t.down_proj.weight")


def canvas_of(opened: OpenedCheckpoint, datasets: Sequence[str] = ()) -> int:
    """C: by an export, the weights or a run's slots; else by a dataset at hand; else 30, as published.

    Raises:
        UserError: its tokens are not those of ARC canvases.
    """
    vocabulary = len(opened.weights[TOKEN_ROWS]) if TOKEN_ROWS in opened.weights else 0
    tokens = seq_len(opened) or _dataset_tokens(datasets) or CANVAS**2
    canvas = math.isqrt(max(tokens, 0))
    if vocabulary != VOCAB_SIZE or canvas**2 != tokens or not 1 <= canvas <= LARGEST_CANVAS:
        raise UserError(
            f"{opened.source}: {vocabulary} different tokens, {tokens} in an example",
            f"a checkpoint that was trained on ARC: {VOCAB_SIZE} different tokens, a square number in an example",
            "choose a checkpoint that was trained on ARC",
        )
    return canvas


def seq_len(opened: OpenedCheckpoint) -> int | None:
    """L by the checkpoint itself: its description, weights with a row for each position, or a run's slots."""
    if opened.puzzle is not None:
        return opened.puzzle.seq_len
    tokens = opened.config.get(SEQ_LEN)
    if type(tokens) is int:
        return tokens
    for name in WITH_A_ROW_FOR_EACH_POSITION:
        if name in opened.weights:
            return len(opened.weights[name]) - opened.arch.network.puzzle_tokens
    try:
        check_regular(opened.path / SLOTS)
        with safe_open(opened.path / SLOTS, "pt") as carry:
            return carry.get_slice("inputs").get_shape()[1]
    except (OSError, ValueError, IndexError, SafetensorError):  # no training state, or a damaged one
        return None


def _dataset_tokens(datasets: Sequence[str]) -> int | None:
    """L of the first dataset that is at hand."""
    splits = [Path(dataset) / split for dataset in datasets for split in ("test", "train")]
    readable = next((split for split in splits if (split / METADATA_FILE).is_file()), None)
    return None if readable is None else PuzzleMetadata.read(readable).seq_len


def trained_puzzles(opened: OpenedCheckpoint, datasets: Sequence[str] = ()) -> dict[str, int]:
    """Rows of the puzzles that the checkpoint was trained on, by name; {} where nothing at hand tells them.

    The checkpoint's own names count; an old one without names takes those of a dataset with as many, and says so.

    datasets: where to look then; empty: where its configuration says.

    Raises:
        UserError: a dataset that was named is not there, or has another number of puzzles than the checkpoint.
    """
    missing = [dataset for dataset in datasets if not (Path(dataset) / IDENTIFIERS_FILE).is_file()]
    if missing:
        raise UserError(
            f"no dataset at {missing[0]}",
            "the dataset that the checkpoint was trained on",
            "name that one, or leave --data-path out",
        )
    if opened.row_names is not None:
        return {name: row for row, name in enumerate(opened.row_names)}
    for dataset in datasets or opened.data_paths:
        if not (Path(dataset) / IDENTIFIERS_FILE).is_file():
            continue
        names = read_identifiers(dataset)
        if len(names) == opened.puzzle_identifiers:
            print(
                f"{opened.source} does not tell whose its puzzle embeddings are: those of {dataset} are assumed",
                flush=True,
            )
            return {name: row for row, name in enumerate(names)}
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
    return supervision_with_rows(opened, one_puzzle_metadata(VOCAB_SIZE, canvas**2, PAD), lambda table: table[:1])


def supervision_with_rows(
    opened: OpenedCheckpoint, metadata: PuzzleMetadata, rows: Callable[[Tensor], Tensor], dtype: str | None = None
) -> Supervision[Any]:
    """The model and its supervision on the CPU, with other rows in place of its puzzle table, where it has one.

    metadata: of the puzzles, whose number of identifiers is not read.  rows: makes them `[R, E]` of the table `[N, E]`.
    dtype: of activations, a key of `trm.model.FORWARD_DTYPES`; None: the run's.

    Raises:
        UserError: see `OpenedCheckpoint.supervision`.
    """
    weights, arch = dict(opened.weights), opened.arch
    if PUZZLE_ROWS in weights:
        weights[PUZZLE_ROWS] = rows(weights[PUZZLE_ROWS])
    if dtype is not None:
        arch = replace(arch, network=replace(arch.network, forward_dtype=dtype))
    changed = replace(opened, weights=weights, arch=arch)
    supervision, _ = changed.supervision(replace(metadata, num_puzzle_identifiers=changed.puzzle_identifiers))
    return supervision


def one_puzzle_metadata(vocab_size: int, tokens: int, ignore_label_id: int | None = None) -> PuzzleMetadata:
    """A dataset whose puzzles all have one identifier, for which weights can make a model."""
    return PuzzleMetadata(
        pad_id=PAD,
        ignore_label_id=ignore_label_id,
        blank_identifier_id=0,
        vocab_size=vocab_size,
        seq_len=tokens,
        num_puzzle_identifiers=1,
        total_groups=1,
        mean_puzzle_examples=1.0,
        total_puzzles=1,
        sets=("all",),
    )

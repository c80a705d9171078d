"""Datasets whose puzzles share one embedding: every example is a puzzle, and its identifier is the blank one.

E examples, L tokens, as in `layout.py`. Sudoku, mazes, queens, cubes and texts are such sets; ARC is not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError
from trm.randomness import numpy_generator
from trm_lab.commands.build_command import BuildCommand
from trm_lab.puzzles.layout import BLANK, PuzzleMetadata
from trm_lab.puzzles.layout_writer import SplitWriter, new_dataset, write_identifiers
from trm_lab.puzzles.manifest import About

_CHUNK = 1 << 16  # rows at a time


@dataclass(frozen=True)
class Examples:
    """One split.

    inputs, labels: uint8 `[E, L]`.
    group_sizes: `[G]` consecutive examples in each group (a question with its augmentations); their sum is E.
      None: every example is a group of its own.
    """

    inputs: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    group_sizes: NDArray[np.integer] | None = None


def write_plain_dataset(
    output: Path,
    about: About,
    splits: Mapping[str, Examples],
    *,
    vocab_size: int,
    ignore_label_id: int | None = 0,
    overwrite: bool = False,
    allow_overlap: bool = False,
    command: BuildCommand | None = None,
) -> dict[str, PuzzleMetadata]:
    """Write "train" and "test", all or nothing; `dataset.json` of each.

    Args:
        ignore_label_id: label token that is not scored.
        command: that built it, for the manifest.
        allow_overlap: a published protocol has test questions in its training set.

    Raises:
        UserError: `output` is in use, a split is empty, or a question stands in both splits.
    """
    for name, split in splits.items():
        if not len(split.inputs):
            raise UserError(
                f"the {name} split has no example", "at least one in each split", "ask for more examples"
            )
        for tokens in (split.inputs, split.labels):
            assert tokens.dtype == np.uint8, tokens.dtype
            assert tokens.max() < vocab_size, (int(tokens.max()), vocab_size)
    shared = [] if allow_overlap else shared_questions(splits["train"].inputs, splits["test"].inputs)
    if shared:
        raise UserError(
            given=f"{len(shared):,} questions of the test split stand in the training split too; the first is test "
            f"example {shared[0][0]:,} and training example {shared[0][1]:,}, counted from 0",
            allowed="splits without a common question",
            remedy="take the repeated records out of one of the sources",
        )
    with new_dataset(output, about, overwrite, command) as folder:
        write_identifiers(folder, [BLANK])
        return {
            name: _write_split(folder / name, split, vocab_size, ignore_label_id)
            for name, split in splits.items()
        }


def shared_questions(train: NDArray[np.uint8], test: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """The rows of `test` `[E, L]` that are also rows of `train`: (number in test, first number in train)."""
    asked, known = _row_numbers(test), _row_numbers(train)
    candidates = np.flatnonzero(np.isin(asked, known))  # few are left to be compared byte by byte
    rows: dict[bytes, int] = {}
    for number in np.flatnonzero(np.isin(known, asked[candidates])).tolist():
        rows.setdefault(train[number].tobytes(), number)
    keys = ((number, test[number].tobytes()) for number in candidates.tolist())
    return [(number, rows[key]) for number, key in keys if key in rows]


def _row_numbers(rows: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """A number `[E]` for each row; equal rows have equal ones, others hardly ever."""
    weights = numpy_generator(0, "row numbers").integers(0, 2**64, rows.shape[1], np.uint64)
    parts = (rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK))
    return np.concatenate([np.zeros(0, np.uint64), *(part.astype(np.uint64) @ weights for part in parts)])


def summary(output: Path, splits: Mapping[str, PuzzleMetadata]) -> str:
    """What was built, for the end of a builder."""
    size = sum(file.stat().st_size for file in output.rglob("*") if file.is_file())
    lines = [f"{output}: {size / 1e6:,.1f} MB"]
    for name, metadata in splits.items():
        examples = round(metadata.mean_puzzle_examples * metadata.total_puzzles)
        lines.append(
            f"  {name}: {metadata.total_groups:,} groups, {examples:,} examples of {metadata.seq_len} tokens"
        )
    return "\n".join(lines)


def _write_split(
    folder: Path, split: Examples, vocab_size: int, ignore_label_id: int | None
) -> PuzzleMetadata:
    sizes = np.ones(len(split.inputs), np.int64) if split.group_sizes is None else split.group_sizes
    writer = SplitWriter(folder, split.inputs.shape[1])
    ends = np.cumsum(sizes)
    assert ends[-1] == len(split.inputs) == len(split.labels), (int(ends[-1]), len(split.inputs))
    ones = np.ones(len(split.inputs), np.int32)
    writer.add_groups(split.inputs, split.labels, 0 * ones, ones, sizes)
    return writer.finish(vocab_size=vocab_size, num_puzzle_identifiers=1, ignore_label_id=ignore_label_id)

"""What a training set's answers have in common: the most common one, and the most common token at each position.

N examples, L tokens.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.batch import IGNORE_LABEL, label_dtype
from trm.randomness import numpy_generator
from trm_lab.evaluation.scored_cells import answer_cells
from trm_lab.puzzles.layout import PuzzleExamples, PuzzleMetadata
from trm_lab.puzzles.manifest import changed
from trm_lab.puzzles.splits import open_split

MOST_CELLS = 1 << 25  # looked at: of larger sets evenly spread examples
_ROWS = 4096  # at a time


@dataclass(frozen=True)
class TrainingAnswers:
    """The most common answer and tokens of a training split.

    most_common: `[L]`, the answer; of equally common ones the first.  tokens: `[L]`, at each position the token.
    examples: that were looked at, of `total`.
    """

    most_common: NDArray[np.integer[Any]]
    tokens: NDArray[np.integer[Any]]
    examples: int
    total: int

    @classmethod
    def read(cls, dataset: Path, scorer: str, seq_len: int) -> "TrainingAnswers":
        """Those of a dataset's training split.

        scorer: of the dataset; at a position only those answers count that are so long (`answer_cells`).
        seq_len: L of the examples that are to be answered.

        Raises:
            UserError: there is no such split, or it is broken, or of another length.
        """
        split = open_split(dataset, "train")
        metadata, sets = split.metadata, list(split.sets.values())
        if metadata.seq_len != seq_len:
            raise changed(split.folder, f"seq_len={metadata.seq_len} where the test split has {seq_len}")
        total = sum(examples.count for examples in sets)
        every = max(1, -(-total * metadata.seq_len // MOST_CELLS))
        parts = [part for examples in sets for part in _labels(examples, metadata, every)]
        labels = np.concatenate(parts)
        return cls(_most_common_row(labels), _most_common_tokens(labels, scorer), len(labels), total)


def _labels(one: PuzzleExamples, metadata: PuzzleMetadata, every: int) -> Iterator[NDArray[Any]]:
    """Every so many-th label, `[n, L]`, some at a time."""
    chosen = np.arange(0, one.count, every)
    for start in range(0, len(chosen), _ROWS):
        examples = chosen[start : start + _ROWS]
        puzzles = np.searchsorted(one.puzzle_indices, examples, side="right") - 1
        labels = one.tokens(examples, puzzles)[1].astype(np.int32)
        if metadata.ignore_label_id is not None:
            labels[labels == metadata.ignore_label_id] = IGNORE_LABEL
        yield labels.astype(label_dtype(metadata.vocab_size))


def _most_common_row(labels: NDArray[Any]) -> NDArray[Any]:
    """Rows are told apart by 64-bit sums with random weights."""
    weights = numpy_generator(0, "row sums").integers(1 << 63, size=labels.shape[1], dtype=np.uint64)
    parts = np.array_split(labels, -(-len(labels) // _ROWS))
    sums = np.concatenate([(part.astype(np.uint64) * weights).sum(1) for part in parts])
    _, first, counts = np.unique(sums, return_index=True, return_counts=True)
    return _as_prediction(labels[first[counts == counts.max()].min()])


def _most_common_tokens(labels: NDArray[Any], scorer: str) -> NDArray[Any]:
    cells = np.concatenate([answer_cells(scorer, part) for part in np.array_split(labels, -(-len(labels) // _ROWS))])
    cells[:, ~cells.any(0)] = True  # no answer is so long: what fills it
    tokens = np.zeros(labels.shape[1], np.int64)
    for position in range(labels.shape[1]):
        counted = labels[cells[:, position], position]
        counted = counted[counted != IGNORE_LABEL]
        if len(counted):
            tokens[position] = np.bincount(counted).argmax()
    return tokens


def _as_prediction(labels: NDArray[Any]) -> NDArray[Any]:
    """A label `[L]` as tokens: 0 where it has none."""
    return np.where(labels == IGNORE_LABEL, 0, labels)

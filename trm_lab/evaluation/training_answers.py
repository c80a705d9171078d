"""What a training set's answers have in common: the most common one, and the most common token at each position.

N examples, L tokens.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.batch import IGNORE_LABEL, label_dtype
from trm_lab.evaluation.scored_cells import answer_cells
from trm_lab.puzzles.row_sums import row_sums
from trm_lab.puzzles.training_rows import open_training, rows_of_split

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
        split = open_training(dataset, seq_len)
        total = sum(examples.count for examples in split.sets.values())
        every = max(1, -(-total * seq_len // MOST_CELLS))
        parts = [labels.astype(label_dtype(split.metadata.vocab_size)) for _, labels in rows_of_split(split, every)]
        labels = np.concatenate(parts)
        return cls(_most_common_row(labels), _most_common_tokens(labels, scorer), len(labels), total)


def _most_common_row(labels: NDArray[Any]) -> NDArray[Any]:
    sums = row_sums(labels)
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

"""Which test questions, and which of their answers, stand in a training split.

B test rows, D different training answers, L tokens. ARC's grids are compared by `arc/training_grids.py`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.batch import IGNORE_LABEL
from trm_lab.puzzles.kinds import KINDS, answer_check
from trm_lab.puzzles.layout import PuzzleExamples
from trm_lab.puzzles.manifest import About, Overlap, changed
from trm_lab.puzzles.row_sums import row_sums
from trm_lab.puzzles.splits import PuzzleSplit, open_split

MOST_TRIED = 2 * 10**6  # test examples times different training answers: a second for queens, five for sudokus
ROWS = "token by token"
TRIED = f"{ROWS}; an answer also where another one in training solves the question"
TOO_MANY = f"{ROWS}; whether another answer in training solves a question was not tried, there are too many"
_ROWS_AT_ONCE = 4096

Tokens = NDArray[np.integer[Any]]
Rows = tuple[Tokens, Tokens]  # inputs and labels [n, L], IGNORE_LABEL where not scored


@dataclass(frozen=True)
class Standing:
    """Which test examples stand in training.

    questions: `[B]`, whether a training question has the same tokens.
    answers: `[B]`, whether a training label has the same tokens on the same scored cells; or, where the rules of the
      puzzle tell, another answer in training solves the question.
    """

    questions: NDArray[np.bool_]
    answers: NDArray[np.bool_]


class TrainingRows:
    """The questions and answers of a training split, to be found again.

    parts: of the split, some rows at a time.
    about: what the dataset says of itself; its rules decide what solves a question.
    test_examples: as many may be asked for; if they are too many for all training answers, these are not tried out.
    """

    def __init__(self, parts: Iterable[Rows], about: About | None, test_examples: int) -> None:
        self._check = answer_check(about)
        most = MOST_TRIED // max(1, test_examples)
        shared = self._check is not None and about is not None and KINDS[about.scorer].shares_answers
        self._different: dict[int, Tokens] | None = {} if shared else None
        self._tried: dict[int, bool] = {}  # question's sum → whether a training answer solves it
        questions, answers = [], []
        for inputs, labels in parts:
            sums, first = np.unique(row_sums(labels), return_index=True)
            questions.append(np.unique(row_sums(inputs)))
            answers.append(sums)
            if self._different is not None:
                new = [place for place, key in enumerate(sums.tolist()) if key not in self._different]
                self._different |= {int(sums[place]): labels[first[place]].astype(np.int16) for place in new}
                self._different = self._different if len(self._different) <= most else None
        self._questions, self._answers = (np.unique(np.concatenate(sums)) for sums in (questions, answers))
        self.compared = TRIED if self._different is not None else TOO_MANY if shared else ROWS

    def standing(self, inputs: Tokens, labels: Tokens) -> Standing:
        """Which of test examples `[B, L]` stand in training; labels with IGNORE_LABEL where not scored."""
        questions = np.isin(row_sums(inputs), self._questions)
        answers = np.isin(row_sums(labels), self._answers)
        if self._check is not None:
            answers |= questions  # what stands beside it solves it
        if self._different is not None:
            others = np.flatnonzero(~answers)
            answers[others] = [self._is_solved(inputs[row]) for row in others.tolist()]
        return Standing(questions, answers)

    def holds(self, predictions: Tokens, labels: Tokens) -> NDArray[np.bool_]:
        """Whether predictions `[B, L]` are, on the scored cells of their labels, some training answer."""
        signed = np.where(labels == IGNORE_LABEL, IGNORE_LABEL, predictions.astype(np.int32))
        return np.isin(row_sums(signed), self._answers)

    def _is_solved(self, question: Tokens) -> bool:
        key = int(row_sums(question[None])[0])
        if key not in self._tried:
            self._tried[key] = any(self._solves(question, answers) for answers in self._different_in_parts())
        return self._tried[key]

    def _solves(self, question: Tokens, answers: Tokens) -> bool:
        assert self._check is not None
        shown = np.where(answers == IGNORE_LABEL, question, answers)
        return bool(self._check(np.broadcast_to(question, shown.shape), shown).any())

    def _different_in_parts(self) -> Iterator[Tokens]:
        rows = list((self._different or {}).values())
        return (np.stack(rows[start : start + _ROWS_AT_ONCE]) for start in range(0, len(rows), _ROWS_AT_ONCE))


def overlap(train: Iterable[Rows], test: Iterable[Rows], about: About, test_examples: int) -> Overlap:
    """What of a test split with an answer stands in training."""
    rows = TrainingRows(train, about, test_examples)
    standing = [rows.standing(inputs, labels) for inputs, labels in test]
    questions, answers = (int(sum(getattr(each, what).sum() for each in standing)) for what in ("questions", "answers"))
    return Overlap(test_examples, questions, answers, rows.compared)


def open_training(dataset: Path, seq_len: int) -> PuzzleSplit:
    """A dataset's training split, for test examples of `seq_len` tokens.

    Raises:
        UserError: there is no such split, or it is broken, or of another length.
    """
    split = open_split(dataset, "train")
    if split.metadata.seq_len != seq_len:
        raise changed(split.folder, f"seq_len={split.metadata.seq_len} where the test split has {seq_len}")
    return split


def rows_of_split(split: PuzzleSplit, every: int = 1) -> Iterator[Rows]:
    """Every so many-th example of each set of a split, some at a time."""
    for examples in split.sets.values():
        yield from _rows_of_set(examples, split.metadata.ignore_label_id, every)


def _rows_of_set(examples: PuzzleExamples, ignore_label_id: int | None, every: int) -> Iterator[Rows]:
    chosen = np.arange(0, examples.count, every)
    for start in range(0, len(chosen), _ROWS_AT_ONCE):
        numbers = chosen[start : start + _ROWS_AT_ONCE]
        puzzles = np.searchsorted(examples.puzzle_indices, numbers, side="right") - 1
        inputs, labels = examples.tokens(numbers, puzzles)
        yield inputs, scored_labels(labels, ignore_label_id)


def rows_of_arrays(inputs: Tokens, labels: Tokens, ignore_label_id: int | None) -> Iterator[Rows]:
    """The rows of a split's arrays `[E, L]`, some at a time."""
    for start in range(0, len(inputs), _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        yield inputs[part], scored_labels(labels[part], ignore_label_id)


def scored_labels(labels: Tokens, ignore_label_id: int | None) -> NDArray[np.int32]:
    """Labels with IGNORE_LABEL where they are not scored."""
    signed = labels.astype(np.int32)
    return signed if ignore_label_id is None else np.where(signed == ignore_label_id, IGNORE_LABEL, signed)

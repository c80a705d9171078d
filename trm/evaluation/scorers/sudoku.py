"""Sudoku: is the answer a full grid by the rules, and does it keep the digits that were given?

E answers, N side, C = N·N tokens.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.evaluation.scorers.base import SOLVED, Scorer
from trm.puzzles.batch import IGNORE_LABEL
from trm.puzzles.vocabularies import SUDOKU_BLANK


def sudoku_scorer(facts: Mapping[str, Any]) -> Scorer:
    """A scorer for N = `facts["size"]` in boxes of `facts["box_rows"]` × `facts["box_columns"]` cells.

    A cell whose label is not scored is read from the question. Where a question has several solutions, each is solved.

    Verdicts:
        valid: every row, column and box has each digit once.
        consistent: the digits of the question stand.
        solved: both.
    """
    size = int(facts["size"])
    units = _units(size, int(facts["box_rows"]), int(facts["box_columns"]))
    every_digit = np.arange(size) + SUDOKU_BLANK + 1

    def score(
        inputs: NDArray[np.integer], labels: NDArray[np.integer], predictions: NDArray[np.integer]
    ) -> dict[str, NDArray[np.bool_]]:
        answers = np.where(labels == IGNORE_LABEL, inputs, predictions)
        valid = np.ones(len(answers), bool)
        for cells in units:  # one unit at a time: [E, N]
            valid &= (np.sort(answers[:, cells], axis=1) == every_digit).all(1)
        consistent = ((answers == inputs) | (inputs == SUDOKU_BLANK)).all(1)
        return {"valid": valid, "consistent": consistent, SOLVED: valid & consistent}

    return score


def _units(size: int, box_rows: int, box_columns: int) -> list[NDArray[np.intp]]:
    """The cells of every row, column and box, `[N]` each."""
    row, column = np.divmod(np.arange(size * size), size)
    box = row // box_rows * box_rows + column // box_columns  # box_rows boxes lie side by side
    return [np.flatnonzero(lines == index) for lines in (row, column, box) for index in range(size)]

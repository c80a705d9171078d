"""Sudoku: is the answer a full grid by the rules, and does it keep the digits that were given?

E answers, N side, C = N·N tokens.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.batch import IGNORE_LABEL
from trm.errors import UserError
from trm_lab.puzzles.scorer import SOLVED, Scorer, whole_number
from trm_lab.puzzles.sudoku.tokens import SUDOKU_BLANK

LARGEST_SIZE = 100


def sudoku_scorer(facts: Mapping[str, Any]) -> Scorer:
    """A scorer for N = `facts["size"]` in boxes of `facts["box_rows"]` × `facts["box_columns"]` cells.

    A cell whose label is not scored is read from the question. Where a question has several solutions, each is solved.

    Verdicts:
        valid: every row, column and box has each digit once.
        consistent: the digits of the question stand.
        solved: both.

    Raises:
        UserError: no such sizes, or larger ones than are scored.
    """
    size = whole_number(facts, "size", 1, LARGEST_SIZE)
    rows, columns = (whole_number(facts, key, 1, size) for key in ("box_rows", "box_columns"))
    if rows * columns != size:
        raise UserError(
            given=f"a dataset of sudokus of size {size} with boxes of {rows}×{columns} cells",
            allowed="boxes of as many cells as a row has",
            remedy="build the dataset again",
        )
    all_units = units(size, rows, columns)
    every_digit = np.arange(size) + SUDOKU_BLANK + 1

    def score(
        inputs: NDArray[np.integer], labels: NDArray[np.integer], predictions: NDArray[np.integer]
    ) -> dict[str, NDArray[np.bool_]]:
        answers = np.where(labels == IGNORE_LABEL, inputs, predictions)
        valid = np.ones(len(answers), bool)
        for cells in all_units:  # one unit at a time: [E, N]
            valid &= (np.sort(answers[:, cells], axis=1) == every_digit).all(1)
        consistent = ((answers == inputs) | (inputs == SUDOKU_BLANK)).all(1)
        return {"valid": valid, "consistent": consistent, SOLVED: valid & consistent}

    return score


def units(size: int, box_rows: int, box_columns: int) -> list[NDArray[np.intp]]:
    """The cells of every row, column and box, `[N]` each."""
    row, column = np.divmod(np.arange(size * size), size)
    box = row // box_rows * box_rows + column // box_columns  # box_rows boxes lie side by side
    return [np.flatnonzero(lines == index) for lines in (row, column, box) for index in range(size)]

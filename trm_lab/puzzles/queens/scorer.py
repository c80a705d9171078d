"""N queens: is the answer a solution, and does it keep the queens that were given?

E answers, n side, L = n·n tokens.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_lab.puzzles.queens.tokens import QUEENS_EMPTY, QUEENS_QUEEN
from trm_lab.puzzles.scorer import SOLVED, Scorer, whole_number

LARGEST_SIDE = 100  # the table of lines grows with the cube of it: 24 MB


def queens_scorer(facts: Mapping[str, Any]) -> Scorer:
    """A scorer for boards of `facts["side"]` rows.

    Verdicts:
        valid: n queens, one in each row and column and no two on a diagonal; every other cell is empty.
        consistent: the queens of the question stand.
        solved: both.

    Raises:
        UserError: no side, or a larger one than is scored.
    """
    side = whole_number(facts, "side", 1, LARGEST_SIDE)
    lines = lines_of_squares(side)

    def score(
        inputs: NDArray[np.integer], labels: NDArray[np.integer], predictions: NDArray[np.integer]
    ) -> dict[str, NDArray[np.bool_]]:
        queens = predictions == QUEENS_QUEEN  # [E, L]
        on_line = queens.astype(np.float32) @ lines  # [E, lines]; sums stay exact
        valid = (on_line <= 1).all(1) & (queens.sum(1) == side)  # n queens on n rows: one on each
        valid &= (queens | (predictions == QUEENS_EMPTY)).all(1)
        consistent = (queens | (inputs != QUEENS_QUEEN)).all(1)
        return {"valid": valid, "consistent": consistent, SOLVED: valid & consistent}

    return score


def lines_of_squares(side: int) -> NDArray[np.float32]:
    """1 where a square lies on a row, column or diagonal, `[L, 2n + 2(2n - 1)]`."""
    row, column = np.divmod(np.arange(side * side), side)
    numbers = (row, column, row + column, row - column + side - 1)
    return np.hstack([np.eye(which.max() + 1, dtype=np.float32)[which] for which in numbers])

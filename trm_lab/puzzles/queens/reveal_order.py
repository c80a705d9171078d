"""The order in which the queens are placed: by fewest remaining squares. E boards, n side, L = n·n tokens."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_lab.puzzles.queens.scorer import LARGEST_SIDE, lines_of_squares
from trm_lab.puzzles.queens.tokens import QUEENS_QUEEN
from trm_lab.puzzles.scorer import check_cells, whole_number


def queens_reveal_order(
    facts: Mapping[str, Any], inputs: NDArray[np.integer], labels: NDArray[np.integer]
) -> NDArray[np.uint8]:
    """Rounds `[E, L]` of boards of `facts["side"]` rows; see `placing_rounds`.

    Raises:
        UserError: the facts name no side, or another one than the examples have.
    """
    side = whole_number(facts, "side", 1, LARGEST_SIDE)
    check_cells(side**2, labels)
    return placing_rounds(side, inputs, labels)


def placing_rounds(side: int, inputs: NDArray[np.integer], labels: NDArray[np.integer]) -> NDArray[np.uint8]:
    """The round `[E, L]` of each queen that is not given; 0 for given queens and for empty squares.

    A round places the answer's queen in the row that has the fewest squares which no queen attacks, of several the
    first.

    inputs, labels: tokens `[E, L]`.
    """
    lines = lines_of_squares(side)  # [L, lines]
    placed, answer = inputs == QUEENS_QUEEN, labels == QUEENS_QUEEN
    open_rows = ~placed.reshape(-1, side, side).any(2) & answer.reshape(-1, side, side).any(2)  # [E, n]
    rounds = np.zeros(labels.shape, np.uint8)
    for number in range(1, side + 1):
        attacked = (placed.astype(np.float32) @ lines) @ lines.T > 0
        squares = (~attacked).reshape(-1, side, side).sum(2)
        row = np.where(open_rows, squares, side + 1).argmin(1)
        boards = np.flatnonzero(open_rows.any(1))
        open_rows[boards, row[boards]] = False
        new = np.zeros_like(placed).reshape(-1, side, side)
        new[boards, row[boards]] = answer.reshape(-1, side, side)[boards, row[boards]]
        rounds[new.reshape(placed.shape)] = number
        placed |= new.reshape(placed.shape)
    return rounds

"""Pictures of queens on a chessboard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trm_lab.puzzles.drawing import (
    ANSWERED,
    GIVEN,
    STRANGE,
    STRANGE_LEGEND,
    BoardPicture,
    draw_cells,
    rgb,
    write_in_cell,
)
from trm_lab.puzzles.queens.tokens import QUEENS_EMPTY, QUEENS_QUEEN

if TYPE_CHECKING:
    from matplotlib.axes import Axes

QUEEN = "♛"
LIGHT, DARK = "#F7F1E3", "#DCCFB4"


class QueensPicture(BoardPicture):
    """A chessboard; given queens are black, the others blue."""

    signs = f"Black queens are given, blue ones are answers. {STRANGE_LEGEND}"

    def __init__(self, facts: Mapping[str, Any]) -> None:
        side = int(facts["side"])
        super().__init__(side, float(np.clip(0.15 * side, 0.9, 1.6)))

    def _draw(self, axes: Axes, cells: NDArray[Any], question: NDArray[Any]) -> None:
        rows, columns = np.indices(cells.shape)
        squares = rgb([LIGHT, DARK])[(rows + columns) % 2]
        squares[~np.isin(cells, (QUEENS_EMPTY, QUEENS_QUEEN))] = rgb([STRANGE])
        draw_cells(axes, squares)
        for row, column in np.argwhere(cells == QUEENS_QUEEN).tolist():
            colour = GIVEN if question[row, column] == QUEENS_QUEEN else ANSWERED
            write_in_cell(axes, (row, column), QUEEN, colour, 0.95, bold=False)

    def _written(self, cells: NDArray[Any]) -> NDArray[np.bool_]:
        return cells == QUEENS_QUEEN

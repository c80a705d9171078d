"""Pictures of sudokus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trm_lab.puzzles.drawing import ANSWERED, GIVEN, BoardPicture, draw_cells, rgb, write_in_cell
from trm_lab.puzzles.sudoku.tokens import SUDOKU_BLANK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NO_TOKEN = "?"  # reads where a cell holds no digit of the board
LINE = "#222222"


class SudokuPicture(BoardPicture):
    """Digits in boxes; given ones are bold and black, the others blue."""

    signs = f"Bold digits are given, blue ones are answers. {NO_TOKEN}: no digit."

    def __init__(self, facts: Mapping[str, Any]) -> None:
        side = int(facts["size"])
        super().__init__(side, float(np.clip(0.165 * side, 0.95, 2.2)))
        self.box = int(facts["box_rows"]), int(facts["box_columns"])

    def _draw(self, axes: Axes, cells: NDArray[Any], question: NDArray[Any]) -> None:
        given = question > SUDOKU_BLANK
        paper = rgb(["#FFFFFF", "#EFEFEF"])[given.astype(int)]
        draw_cells(axes, paper)
        for lines, step in ((axes.hlines, self.box[0]), (axes.vlines, self.box[1])):
            lines(range(0, self.side + 1, step), 0, self.side, colors=LINE, linewidth=1.3)
        for row, column in np.argwhere(self._written(cells)).tolist():
            digit = int(cells[row, column]) - SUDOKU_BLANK
            text = str(digit) if 0 < digit <= self.side else NO_TOKEN
            fixed = bool(given[row, column])
            write_in_cell(axes, (row, column), text, GIVEN if fixed else ANSWERED, 0.66, bold=fixed)

    def _written(self, cells: NDArray[Any]) -> NDArray[np.bool_]:
        return cells != SUDOKU_BLANK

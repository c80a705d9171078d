"""Pictures of tokens: numbers in a square grid, or, where their count is no square, in lines."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trm_lab.puzzles.drawing import ANSWERED, GIVEN, BoardPicture, draw_cells, write_in_cell
from trm_lab.puzzles.picture import Colours, Example, Tokens

if TYPE_CHECKING:
    from matplotlib.axes import Axes

IN_LINE = 10  # tokens of a line that is no row of a square
EMPTY = -1  # where the last line has no token
WIDTH, EDGE = 1.6, 0.04  # inches of a panel; of what its outer lines need


class TokensPicture(BoardPicture):
    """A number in each cell, black where it is as in the question, else blue."""

    signs = "Black: as in the question; blue: changed."

    def __init__(self, facts: Mapping[str, Any]) -> None:
        super().__init__(0, WIDTH)  # as many cells as the examples have tokens

    def height(self, example: Example, predictions: Sequence[Tokens] = ()) -> float:
        """See `Picture`."""
        rows, columns = _shape(len(example.inputs))
        return self.width * rows / columns + EDGE

    def fits(self, tokens: int) -> bool:
        """See `Picture`."""
        return True

    def draw_colours(self, axes: Axes, example: Example, rgb: Colours) -> None:
        """See `Picture`."""
        draw_cells(axes, np.stack([self._cells(channel) for channel in rgb.T], -1).clip(0))

    def colours_height(self, example: Example) -> float:
        """See `Picture`."""
        return self.height(example)

    def _cells(self, tokens: NDArray[Any]) -> NDArray[Any]:
        rows, columns = _shape(len(tokens))
        empty = 0 if tokens.dtype == bool else EMPTY
        cells = np.full(rows * columns, empty, tokens.dtype if tokens.dtype.kind in "bf" else np.int64)
        cells[: len(tokens)] = tokens
        return cells.reshape(rows, columns)

    def _draw(self, axes: Axes, cells: NDArray[Any], question: NDArray[Any]) -> None:
        draw_cells(axes, np.ones((*cells.shape, 3)))
        for row, column in np.argwhere(cells != EMPTY).tolist():
            token = cells[row, column]
            colour = GIVEN if token == question[row, column] else ANSWERED
            write_in_cell(axes, (row, column), str(token), colour, min(0.6, 1.2 / len(str(token))), bold=False)

    def _written(self, cells: NDArray[Any]) -> NDArray[np.bool_]:
        return cells != EMPTY


def _shape(tokens: int) -> tuple[int, int]:
    """Rows and columns of the grid that so many tokens are shown in."""
    side = math.isqrt(tokens)
    columns = side if side**2 == tokens else min(IN_LINE, tokens)
    return -(-tokens // columns), columns

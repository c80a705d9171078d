"""ARC grids without what is around them on their canvas, L = C·C tokens."""

from collections.abc import Sequence
from math import isqrt

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from analysis import style
from analysis.drawing.boards import draw_cells, fit
from analysis.drawing.pictures import Example, Tokens
from trm.puzzles.arc_grids import FIRST_COLOUR

HIDDEN = "hidden"


class ArcPicture:
    """Both grids at one scale."""

    question_width = answer_width = 1.5

    def height(self, example: Example, predictions: Sequence[Tokens] = ()) -> float:
        """See `ExamplePicture`."""
        return self.question_width

    def draw_question(self, axes: Axes, example: Example) -> None:
        """See `ExamplePicture`."""
        self._draw(axes, example, example.inputs)

    def draw_answer(self, axes: Axes, example: Example) -> None:
        """See `ExamplePicture`."""
        self._draw(axes, example, example.labels)

    def _draw(self, axes: Axes, example: Example, tokens: Tokens) -> None:
        extents = [grid(part).shape for part in (example.inputs, example.labels)]
        colours = grid(tokens)
        if colours.size:
            draw_cells(
                axes, style.TOKEN_RGB[colours], (max(h for h, _ in extents), max(w for _, w in extents))
            )
        else:
            fit(axes, 1, 1)
            axes.text(0.5, 0.5, HIDDEN, ha="center", va="center")


def grid(tokens: Tokens) -> NDArray[np.integer]:
    """The grid's part of a canvas `[C·C]`, as tokens `[h, w]`; 0×0 where there is none."""
    side = isqrt(len(tokens))
    canvas = tokens.reshape(side, side)
    coloured = canvas >= FIRST_COLOUR
    rows, columns = np.flatnonzero(coloured.any(axis=1)), np.flatnonzero(coloured.any(axis=0))
    if not len(rows):
        return canvas[:0, :0]
    return canvas[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]

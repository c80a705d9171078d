"""ARC grids, L = C·C tokens: without what is around them on their canvas, or as a model answers them.

h×w a grid with its end-of-grid marks.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trm.batch import IGNORE_LABEL
from trm_lab.puzzles.arc.colours import TOKEN_RGB
from trm_lab.puzzles.arc.grids import FIRST_COLOUR, PAD
from trm_lab.puzzles.drawing import draw_cells, fit, frame, mark_wrong
from trm_lab.puzzles.picture import Colours, Example, Tokens

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HIDDEN = "hidden"


class ArcGrids:
    """Question and answer at one scale, cut out of their canvas."""

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
            draw_cells(axes, TOKEN_RGB[colours], (max(h for h, _ in extents), max(w for _, w in extents)))
        else:
            fit(axes, 1, 1)
            axes.text(0.5, 0.5, HIDDEN, ha="center", va="center")


class ArcPicture:
    """Canvases from their upper left corner to the last token of the grid; predictions are cut to the answer's part."""

    question_width = answer_width = 1.16
    signs = (
        "Beige: end-of-grid marks; white in the answer: not scored, whatever is predicted there."
        " Predictions are cut to the answer's extent."
    )
    legend = f"Circles: wrong cells. {signs}"

    def fits(self, tokens: int) -> bool:
        """See `Picture`."""
        return isqrt(tokens) ** 2 == tokens

    def height(self, example: Example, predictions: Sequence[Tokens] = ()) -> float:
        """See `Picture`; flat grids get flat panels, but never too flat to write the name beside them."""
        rows, columns = self._extent(example)
        return self.answer_width * float(np.clip(rows / columns, 0.55, 1.25))

    def draw_question(self, axes: Axes, example: Example) -> None:
        """See `Picture`."""
        self._draw(axes, example, example.inputs, extent(example.inputs))

    def draw_answer(self, axes: Axes, example: Example) -> None:
        """See `Picture`."""
        self._draw(axes, example, label_canvas(example), extent(label_canvas(example)))

    def draw_prediction(self, axes: Axes, example: Example, prediction: Tokens, solved: bool) -> None:
        """See `Picture`; of a hidden answer the whole prediction is shown."""
        hidden = (example.labels == IGNORE_LABEL).all()
        self._draw(axes, example, prediction, extent(prediction if hidden else label_canvas(example)))
        mark_wrong(axes, self._cut(example, example.wrong(prediction)))

    def mark_changes(self, axes: Axes, example: Example, before: Tokens, after: Tokens) -> None:
        """See `Picture`."""
        frame(axes, self._cut(example, before != after))

    def colours_height(self, example: Example) -> float:
        """See `Picture`."""
        return self.height(example)

    def draw_colours(self, axes: Axes, example: Example, rgb: Colours) -> None:
        """See `Picture`."""
        draw_cells(axes, self._cut(example, rgb), self._extent(example))

    def remark(self, example: Example, prediction: Tokens, solved: bool) -> str:
        """See `Picture`."""
        wrong = int(example.wrong(prediction).sum())
        return f"{wrong:,} wrong" if wrong or not solved else "right"

    def _extent(self, example: Example) -> tuple[int, int]:
        """Rows and columns that the larger of question and answer covers."""
        sizes = [extent(example.inputs), extent(label_canvas(example))]
        return max(rows for rows, _ in sizes), max(columns for _, columns in sizes)

    def _draw(self, axes: Axes, example: Example, tokens: Tokens, shown: tuple[int, int]) -> None:
        rows, columns = shown
        drawable = np.where(tokens < len(TOKEN_RGB), tokens, PAD)
        draw_cells(axes, TOKEN_RGB[square(drawable)[:rows, :columns]], self._extent(example))

    def _cut(self, example: Example, of_tokens: NDArray[Any]) -> NDArray[Any]:
        """The answer's part `[h, w, …]` of something for each token `[L, …]`."""
        rows, columns = extent(label_canvas(example))
        return square(of_tokens)[:rows, :columns]


def square(of_tokens: NDArray[Any]) -> NDArray[Any]:
    """Something for each token `[C·C, …]` as it lies on the canvas `[C, C, …]`."""
    side = isqrt(len(of_tokens))
    return of_tokens.reshape(side, side, *of_tokens.shape[1:])


def label_canvas(example: Example) -> Tokens:
    """The answer's tokens; PAD where not scored."""
    return np.where(example.labels == IGNORE_LABEL, PAD, example.labels)


def extent(tokens: Tokens) -> tuple[int, int]:
    """Rows and columns from the canvas's corner to its last token that is no PAD; 1×1 where there is none."""
    used = square(tokens) != PAD
    rows, columns = np.flatnonzero(used.any(axis=1)), np.flatnonzero(used.any(axis=0))
    return (int(rows[-1]) + 1, int(columns[-1]) + 1) if len(rows) else (1, 1)


def grid(tokens: Tokens) -> NDArray[np.integer]:
    """The grid's part of a canvas `[C·C]`, as tokens; 0×0 where there is none."""
    canvas = square(tokens)
    coloured = canvas >= FIRST_COLOUR
    rows, columns = np.flatnonzero(coloured.any(axis=1)), np.flatnonzero(coloured.any(axis=0))
    if not len(rows):
        return canvas[:0, :0]
    return canvas[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]

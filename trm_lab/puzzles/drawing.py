"""Drawing in a matplotlib panel: colours, boards of square cells, symbols, and dots on wrong cells. h×w cells.

Cell (row, column) covers [column, column + 1] × [row, row + 1], rows downwards. matplotlib is imported by the functions
that need it, so that opening a dataset does not wait for it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trm_lab.puzzles.picture import Colours, Example, Tokens

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours, which stay apart under the common kinds of colour blindness.
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
UNKNOWN_COLOUR = "#FAF8F4"
GRID_LINE_COLOUR = "#6E6E6E"
CHANGED = PURPLE  # frame of a cell that is not what it was
GIVEN, ANSWERED = BLACK, BLUE  # symbols of the question, and of an answer
STRANGE = "#F5C6C0"  # cell of a token that the kind of puzzle does not have
STRANGE_LEGEND = "Pink: a token that means nothing here."
LIGHT_TEXT, DARK_TEXT = "#FFFFFF", "#222222"
MARGIN = 0.05  # cells around the board
DOT, RING = 0.38, 0.8  # cells across
POINTS = 72  # in an inch


def rgb(colours: Sequence[str]) -> NDArray[np.float64]:
    """Red, green and blue in 0..1, `[colours, 3]`, of colours such as "#0072B2"."""
    return np.array([list(bytes.fromhex(colour.removeprefix("#"))) for colour in colours]) / 255


def draw_cells(axes: Axes, rgb: NDArray[np.float64], extent: tuple[int, int] | None = None) -> None:
    """Draw coloured cells `[h, w, 3]` with thin lines between them.

    extent: rows and columns that must fit the panel at the scale drawn, for panels to share a scale; None: the board's.
    """
    rows, columns = rgb.shape[:2]
    axes.imshow(rgb, extent=(0, columns, rows, 0), interpolation="nearest")
    down, across = extent or (rows, columns)
    line = 0.5 if max(down, across) <= 16 else 0.25
    axes.hlines(range(rows + 1), 0, columns, colors=GRID_LINE_COLOUR, linewidth=line)
    axes.vlines(range(columns + 1), 0, rows, colors=GRID_LINE_COLOUR, linewidth=line)
    fit(axes, rows, columns, (down, across))


def fit(axes: Axes, rows: float, columns: float, extent: tuple[float, float] | None = None) -> None:
    """Centre a board in a bare panel, its cells square, as large as `extent` allows."""
    wide, high = inches(axes)
    down, across = extent or (rows, columns)
    half = max(across, down * wide / high) / 2 + MARGIN  # of the panel's width, in cells
    tall = half * high / wide
    axes.set(xlim=(columns / 2 - half, columns / 2 + half), ylim=(rows / 2 + tall, rows / 2 - tall))
    bare(axes)
    axes.set_aspect("auto")


def bare(axes: Axes) -> None:
    """Take a panel's ticks, grid and frame away; its labels stay."""
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    axes.spines[:].set_visible(False)


def inches(axes: Axes) -> tuple[float, float]:
    """Width and height of a panel."""
    from matplotlib.figure import Figure

    figure = axes.get_figure()
    assert isinstance(figure, Figure)
    box = axes.get_position(original=True)  # imshow narrows the other one to its picture
    wide, high = figure.get_size_inches()
    return box.width * wide, box.height * high


def cell_points(axes: Axes) -> float:
    """The side of a cell of a board that was fitted."""
    left, right = axes.get_xlim()
    return POINTS * inches(axes)[0] / (right - left)


def mark_wrong(axes: Axes, wrong: NDArray[np.bool_], around: NDArray[np.bool_] | None = None) -> None:
    """Put a white dot with a black rim in the middle of the cells where `wrong` `[h, w]`.

    around: `[h, w]` cells with a symbol: the dot is larger there, and the symbol stands in front of it.
    """
    rows, columns = np.nonzero(wrong)
    side = cell_points(axes)
    sizes = np.full(len(rows), DOT) if around is None else np.where(around[rows, columns], RING, DOT)
    axes.scatter(
        columns + 0.5, rows + 0.5, s=(sizes * side) ** 2,
        c="white", edgecolors="black", linewidths=max(0.25, 0.07 * side), zorder=2.5,
    )  # fmt: skip


def write_in_cell(axes: Axes, cell: tuple[float, float], text: str, colour: str, size: float, bold: bool) -> None:
    """Write text in the middle of a cell (row, column), `size` cells high."""
    row, column = cell
    axes.text(
        column + 0.5, row + 0.5, text, color=colour, fontsize=size * cell_points(axes),
        fontweight="bold" if bold else "normal", ha="center", va="center_baseline", parse_math=False, zorder=3,
    )  # fmt: skip


def frame(axes: Axes, cells: NDArray[np.bool_]) -> None:
    """Put a frame into the cells where `cells` `[h, w]`."""
    width = float(np.clip(0.13 * cell_points(axes), 0.6, 2.2))
    inset = width / 2 / cell_points(axes)
    for row, column in np.argwhere(cells).tolist():
        corner, side = (column + inset, row + inset), 1 - 2 * inset
        add_rectangle(axes, corner, side, side, fill=False, ec=CHANGED, lw=width, zorder=2.8)


def add_rectangle(axes: Axes, corner: tuple[float, float], width: float, height: float, **style: Any) -> None:
    """Add a rectangle with its upper left corner at (x, y); style: of `matplotlib.patches.Rectangle`."""
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle(corner, width, height, **style))


def draw_slots(axes: Axes, rgb: NDArray[np.float64], signs: Sequence[str], in_line: int) -> None:
    """Draw coloured cells `[A, 3]` one after another, each with its sign, as large as `in_line` of them fit a line."""
    columns = min(in_line, len(signs))
    lines = -(-len(signs) // columns)
    cells = np.ones((lines * columns, 3))
    cells[: len(signs)] = rgb
    draw_cells(axes, cells.reshape(lines, columns, 3), (lines, in_line))
    for slot, sign in enumerate(signs):
        colour = LIGHT_TEXT if rgb[slot].mean() < 0.5 else DARK_TEXT
        write_in_cell(axes, divmod(slot, columns), sign, colour, 0.55, bold=False)


class BoardPicture(ABC):
    """A square board of n×n cells, L = n·n tokens; a prediction's wrong cells get a dot.

    side: n.  width: of a panel, in inches.
    """

    signs = ""

    def __init__(self, side: int, width: float) -> None:
        self.side = side
        self.width = self.question_width = self.answer_width = width

    @property
    def legend(self) -> str:
        """See `Picture`."""
        return f"Circles: cells that differ from the answer shown. {self.signs}"

    def height(self, example: Example, predictions: Sequence[Tokens] = ()) -> float:
        """See `Picture`."""
        return self.width

    def fits(self, tokens: int) -> bool:
        """See `Picture`."""
        return tokens == self.side**2

    def draw_question(self, axes: Axes, example: Example) -> None:
        """See `Picture`."""
        self._draw(axes, self._cells(example.inputs), self._cells(example.inputs))

    def draw_answer(self, axes: Axes, example: Example) -> None:
        """See `Picture`."""
        self._draw(axes, self._cells(example.answer), self._cells(example.inputs))

    def draw_prediction(self, axes: Axes, example: Example, prediction: Tokens, solved: bool) -> None:
        """See `Picture`."""
        cells = self._cells(prediction)
        self._draw(axes, cells, self._cells(example.inputs))
        mark_wrong(axes, self._cells(example.wrong(prediction)), around=self._written(cells))

    def mark_changes(self, axes: Axes, example: Example, before: Tokens, after: Tokens) -> None:
        """See `Picture`."""
        frame(axes, self._cells(before != after))

    def colours_height(self, example: Example) -> float:
        """See `Picture`."""
        return self.width

    def draw_colours(self, axes: Axes, example: Example, rgb: Colours) -> None:
        """See `Picture`."""
        draw_cells(axes, rgb.reshape(self.side, self.side, 3))

    def remark(self, example: Example, prediction: Tokens, solved: bool) -> str:
        """See `Picture`."""
        wrong = int(example.wrong(prediction).sum())
        if solved:
            return f"solved, {wrong:,} differ" if wrong else "solved"
        return f"{wrong:,} wrong" if wrong else "not solved"

    def _cells(self, tokens: NDArray[Any]) -> NDArray[Any]:
        return tokens.reshape(self.side, self.side)

    @abstractmethod
    def _draw(self, axes: Axes, cells: NDArray[Any], question: NDArray[Any]) -> None: ...

    @abstractmethod
    def _written(self, cells: NDArray[Any]) -> NDArray[np.bool_]:
        """The cells `[n, n]` that hold a symbol."""

"""Boards of square cells in a panel: colours, lines, symbols, and dots on what is wrong. h×w cells.

Cell (row, column) covers [column, column + 1] × [row, row + 1], rows downwards.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from trm_lab.puzzles.palette import GRID_LINE_COLOUR

MARGIN = 0.05  # cells around the board
DOT, RING = 0.38, 0.8  # cells across
POINTS = 72  # in an inch
CHANGED = "#CC79A7"  # the frame of a cell that is not what it was
LIGHT_TEXT, DARK_TEXT = "#FFFFFF", "#222222"


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


def write_in_cell(
    axes: Axes, cell: tuple[float, float], text: str, colour: str, size: float, bold: bool
) -> None:
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
        axes.add_patch(Rectangle(corner, side, side, fill=False, ec=CHANGED, lw=width, zorder=2.8))


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

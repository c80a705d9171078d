"""ARC grids: checking, hashing, turning, and laying them on the canvas and reading them off it.

N grids, H rows, W columns, C canvas side (30 as published), L = C·C tokens.
A token is 0 (PAD), 1 (end of grid) or colour + 2.
"""

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError, shown

Grid = NDArray[np.uint8]  # [H, W], colours 0..9
Tokens = NDArray[np.uint8]  # [..., L]

CANVAS = 30
COLOURS = 10
PAD, END, FIRST_COLOUR = 0, 1, 2
VOCAB_SIZE = FIRST_COLOUR + COLOURS
TRANSFORMS = 8
SWAP_SIDES = (1, 3, 6, 7)  # transforms that make rows of columns

_TURNS = (  # rows and columns swapped or not, then the direction in which each is read
    (False, 1, 1),
    (True, -1, 1),
    (False, -1, -1),
    (True, 1, -1),
    (False, 1, -1),
    (False, -1, 1),
    (True, 1, 1),
    (True, -1, -1),
)
_INVERSE_TRANSFORM = (0, 3, 2, 1, 4, 5, 6, 7)  # a quarter turn undoes three; the rest undo themselves


def parse_grid(cells: object, where: str, largest: int | None = CANVAS) -> Grid:
    """A grid from rows of colours.

    Args:
        cells: a list of rows, or a two-dimensional integer array.
        where: what the grid is and where it came from, for the error.
        largest: the most rows and columns allowed; None for any number (up to 255, so that it can be hashed).

    Raises:
        UserError: no rectangle of at least one cell, too large, or a cell that is no colour.
    """
    rows = cells.tolist() if isinstance(cells, np.ndarray) else cells
    problem = _problem(rows, 255 if largest is None else largest)
    if problem:
        raise UserError(
            given=f"{where}: {problem}",
            allowed=f"a list of equally long rows of integers 0..9, at most {largest or 255} each way",
            remedy="correct the source file, or leave the task out (--max-grid-size drops tasks with larger grids)",
        )
    return np.array(rows, dtype=np.uint8)


def _problem(rows: object, largest: int) -> str | None:
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        return "not a list of rows"
    if not rows or not rows[0]:
        return "an empty grid"
    if len({len(row) for row in rows}) > 1:
        return f"ragged rows, of {shown(sorted({len(row) for row in rows}), 40)} cells"
    if max(len(rows), len(rows[0])) > largest:
        return f"{len(rows)}x{len(rows[0])} cells"
    for number, row in enumerate(rows):
        for cell in row:
            if type(cell) is not int or not 0 <= cell < COLOURS:  # bool is an int, but no colour
                return f"{shown(repr(cell), 40)} in row {number} is no colour"
    return None


def grid_hash(grid: Grid) -> str:
    """Hexadecimal sha256 over the two bytes of the shape and the row-major cells (as published)."""
    return hashlib.sha256(bytes(grid.shape) + np.ascontiguousarray(grid, dtype=np.uint8).tobytes()).hexdigest()


def dihedral(grids: Grid, transform: int) -> Grid:
    """Turn or mirror `[..., H, W]`; a view.

    0 identity, 1-3 quarter turns counter-clockwise, 4 left-right, 5 up-down, 6 transpose,
    7 left-right of a quarter turn.
    """
    swap, rows, columns = _TURNS[transform]
    return (np.swapaxes(grids, -2, -1) if swap else grids)[..., ::rows, ::columns]


def inverse_dihedral(grids: Grid, transform: int) -> Grid:
    """Undo `dihedral(grids, transform)`."""
    return dihedral(grids, _INVERSE_TRANSFORM[transform])


def encode_pair(
    input_grid: Grid, output_grid: Grid, row: int = 0, column: int = 0, canvas: int = CANVAS
) -> tuple[Tokens, Tokens]:
    """The token sequences `[C·C]` of an example's input and output, at one shared offset; see `canvas.lay`."""
    return _encode(input_grid, row, column, canvas), _encode(output_grid, row, column, canvas)


def _encode(grid: Grid, row: int, column: int, canvas: int) -> Tokens:
    height, width = grid.shape
    # One row and column to spare take the END marks that fall off the canvas.
    tokens = np.full((canvas + 1, canvas + 1), PAD, np.uint8)
    tokens[row + height, column : column + width] = END
    tokens[row : row + height, column + width] = END
    tokens[row : row + height, column : column + width] = grid + np.uint8(FIRST_COLOUR)
    return tokens[:canvas, :canvas].reshape(-1)


def as_bytes(tokens: NDArray[np.integer[Any]]) -> Tokens:
    """Tokens as uint8; PAD replaces those that do not fit a byte, which are no colours either."""
    if tokens.dtype == np.uint8:
        return tokens.astype(np.uint8, copy=False)
    return np.where((tokens >= 0) & (tokens < 256), tokens, PAD).astype(np.uint8)


def crop_sizes(tokens: Tokens, canvas: int = CANVAS) -> NDArray[np.intp]:
    """Rows and columns `[N, 2]` of the largest colour-only rectangle at (0, 0) of each canvas in `[N, C·C]`.

    Of canvases cut off below, `[N, R·C]` with R at least 1, it is the largest in what is left.
    With h rows the rectangle is as wide as the shortest run of colours that starts these rows;
    the first of equally large ones wins; (0, 0) where the first cell is no colour.
    """
    cells = tokens.reshape(-1, tokens.shape[1] // canvas, canvas)  # [N, R, C]
    lowered = as_bytes(cells) - np.uint8(FIRST_COLOUR)  # what is below the colours wraps around
    blocked = lowered >= COLOURS
    runs = blocked.argmax(2)  # [N, R]
    runs[(runs == 0) & ~blocked[:, :, 0]] = canvas
    widths = np.minimum.accumulate(runs, axis=1)
    areas = widths * np.arange(1, widths.shape[1] + 1)
    best = areas.argmax(1)  # the first of equal ones
    every = np.arange(len(cells))
    any_colour = areas[every, best] > 0
    return np.stack([(best + 1) * any_colour, widths[every, best] * any_colour], axis=1)


def crop(tokens: Tokens, canvas: int = CANVAS) -> Grid:
    """The grid that a predicted sequence `[C·C]` shows; 0x0 where it shows none."""
    return crop_all(tokens[None], canvas)[0]


def crop_all(tokens: Tokens, canvas: int = CANVAS) -> list[Grid]:
    """The grids that predicted sequences `[N, C·C]` show."""
    cells = tokens.reshape(-1, canvas, canvas)
    sizes = crop_sizes(tokens, canvas).tolist()
    return [
        (cell[:height, :width] - FIRST_COLOUR).astype(np.uint8)
        for cell, (height, width) in zip(cells, sizes, strict=True)
    ]

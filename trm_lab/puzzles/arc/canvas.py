"""Laying many ARC grids on canvases at once, each turned, recoloured and shifted in its own way.

M grids held, R grids laid (rows of a batch), C canvas side, L = C·C tokens. All is index arithmetic over the cells
of the R grids side by side, so that a batch of different tasks costs no Python loop.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from trm_lab.puzzles.arc.grids import COLOURS, END, FIRST_COLOUR, PAD, SWAP_SIDES, Grid, Tokens

Integers = NDArray[np.integer]

_CHUNK = 4096  # grids laid at once: bounds the index arrays to some 3.7 M cells

# Cell (i, j) of a turned grid is the original's cell number base + i·down + j·right, where the original has h rows and
# w columns. What makes up each of the three is given here, a row for each transform.
_BASE = np.array([[0, 0], [0, 1], [1, 1], [1, 0], [0, 1], [1, 0], [0, 0], [1, 1]], np.int32)  # of (h−1)·w, w−1
_DOWN = np.array([[0, 1], [-1, 0], [0, -1], [1, 0], [0, 1], [0, -1], [1, 0], [-1, 0]], np.int32)  # of 1, w
_RIGHT = np.array([[1, 0], [0, 1], [-1, 0], [0, -1], [-1, 0], [1, 0], [0, 1], [0, -1]], np.int32)  # of 1, w
_SWAPS = np.isin(np.arange(len(_BASE)), SWAP_SIDES)


@dataclass(frozen=True)
class Grids:
    """Many grids in one array.

    cells: uint8, the grids' row-major cells one after another.
    shapes: uint8 `[M, 2]` rows and columns; (0, 0) for a grid that is hidden.
    """

    cells: NDArray[np.uint8]
    shapes: NDArray[np.uint8]

    @cached_property
    def starts(self) -> NDArray[np.int32]:
        """`[M + 1]`: grid m holds cells [starts[m], starts[m + 1])."""
        sizes = self.shapes.astype(np.int32).prod(1)
        return np.concatenate([[0], sizes.cumsum()]).astype(np.int32)

    @classmethod
    def of(cls, grids: Sequence[Grid | None]) -> "Grids":
        """Hold these grids; None is a hidden one."""
        shapes = np.array([(0, 0) if grid is None else grid.shape for grid in grids], np.uint8)
        cells = [grid.ravel() for grid in grids if grid is not None]
        return cls(np.concatenate([np.zeros(0, np.uint8), *cells]), shapes.reshape(-1, 2))

    def turned_shapes(self, which: Integers, transforms: Integers) -> NDArray[np.int32]:
        """Rows and columns `[R, 2]` of the grids `which` `[R]` after their transforms `[R]`."""
        shapes = self.shapes[which].astype(np.int32)
        return np.where(_SWAPS[transforms][:, None], shapes[:, ::-1], shapes)


def lay(
    grids: Grids, which: Integers, transforms: Integers, colours: Integers, offsets: Integers, canvas: int
) -> Tokens:
    """Tokens `[R, C·C]`: colour + 2; END along the row below and the column right of the grid; PAD elsewhere.

    Args:
        which: `[R]` grids, of 0..M−1.
        transforms: `[R]` of 0..7 (see `grids.dihedral`).
        colours: `[R, 10]` the new colour of each colour.
        offsets: `[R, 2]` row and column of the top-left cell; every grid must fit.
        canvas: C.
    """
    # One row and column to spare take the END marks that fall off the canvas.
    tokens = np.full((len(which), canvas + 1, canvas + 1), PAD, np.uint8)
    for start in range(0, len(which), _CHUNK):
        part = slice(start, start + _CHUNK)
        _lay(tokens[part], grids, which[part], transforms[part], colours[part], offsets[part])
    return tokens[:, :canvas, :canvas].reshape(len(which), canvas * canvas)


def _lay(
    tokens: Tokens, grids: Grids, which: Integers, transforms: Integers, colours: Integers, offsets: Integers
) -> None:
    count, side = tokens.shape[:2]
    height, width = grids.turned_shapes(which, transforms).T  # [R]
    h, w = grids.shapes[which].astype(np.int32).T
    base = grids.starts[which] + _BASE[transforms, 0] * (h - 1) * w + _BASE[transforms, 1] * (w - 1)
    down = _DOWN[transforms, 0] + _DOWN[transforms, 1] * w
    right = _RIGHT[transforms, 0] + _RIGHT[transforms, 1] * w
    corner = np.arange(count, dtype=np.int32) * (side * side) + offsets[:, 0] * side + offsets[:, 1]

    owner, i = _runs(height)  # the lines of all grids
    line_from, line_to = base[owner] + down[owner] * i, corner[owner] + side * i
    line, j = _runs(width[owner])  # the cells of all lines
    grid = owner[line]
    cell_colours = grids.cells[line_from[line] + right[grid] * j]
    recoloured = (colours + FIRST_COLOUR).astype(np.uint8).ravel()  # [R·10]
    flat = tokens.reshape(-1)
    flat[line_to[line] + j] = recoloured[grid * COLOURS + cell_colours]
    flat[line_to + width[owner]] = END  # right of every line
    owner, j = _runs(width)
    flat[corner[owner] + side * height[owner] + j] = END  # below the last line


def _runs(lengths: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Number the elements of runs of these lengths: the run of each element, and its place in the run."""
    owner = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
    ends = lengths.cumsum(dtype=np.int32)
    return owner, np.arange(len(owner), dtype=np.int32) - np.repeat(ends - lengths, lengths)

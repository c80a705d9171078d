"""All full sudoku grids of a geometry, counted, and drawn uniformly.

N side, C = N·N cells, M grids. 4×4 and 6×6 grids are enumerated up to relabelling, as those whose first row is 1..N:
a grid is such a one and one of the N! names of its digits. 9×9: see `bands.py`.
"""

from functools import cache
from itertools import permutations
from math import factorial

import numpy as np
from numpy.typing import NDArray

from trm_lab.puzzles.sudoku import bands
from trm_lab.puzzles.sudoku.geometry import Digits, Geometry
from trm_lab.puzzles.sudoku.symmetries import draw_relabellings

_LARGEST_LISTED = 6
_TOGETHER = 4096  # half-built grids extended at once


def count_grids(geometry: Geometry) -> int:
    """How many full grids there are."""
    if geometry.size > _LARGEST_LISTED:
        return bands.count_grids()
    return len(_with_first_row(geometry)) * factorial(geometry.size)


def sample_grids(geometry: Geometry, count: int, generator: np.random.Generator) -> Digits:
    """Full grids `[count, C]`, digits 1..N, independent and uniform over all grids."""
    if geometry.size > _LARGEST_LISTED:
        return bands.sample_grids(count, generator)
    grids = _with_first_row(geometry)[generator.integers(len(_with_first_row(geometry)), size=count)]
    names = draw_relabellings(geometry.size, count, generator)
    return np.take_along_axis(names, grids.astype(np.intp), axis=1)


def every_grid(geometry: Geometry) -> Digits:
    """All grids `[M, C]`: 288 for 4×4 (and 28,200,960 for 6×6, a gigabyte)."""
    names = np.array(list(permutations(range(1, geometry.size + 1))), np.uint8)
    return names[:, _with_first_row(geometry) - 1].reshape(-1, geometry.cells)


@cache
def _with_first_row(geometry: Geometry) -> Digits:
    """The grids `[M, C]` with first row 1..N, built row by row from permutations."""
    size = geometry.size
    orders = np.array(list(permutations(range(size))))  # [N!, column]
    column = size * np.arange(size)
    in_column = (1 << (column + orders)).sum(1)  # bit N·column + digit
    in_box = _box_bits(geometry, orders)
    built = np.zeros((1, 1), np.int64)  # [M, rows so far] of permutations; the first is the identity
    for row in range(1, size):
        band = row - row % geometry.box_rows
        extended = []
        for start in range(0, len(built), _TOGETHER):
            part = built[start : start + _TOGETHER]
            taken = np.bitwise_or.reduce(in_column[part], axis=1)
            taken |= np.bitwise_or.reduce(in_box[part[:, band:]], axis=1)
            which, order = np.nonzero((taken[:, None] & in_column) == 0)
            extended.append(np.column_stack([part[which], order]))
        built = np.concatenate(extended)
    return (orders[built] + 1).astype(np.uint8).reshape(-1, geometry.cells)


def _box_bits(geometry: Geometry, orders: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each row `[N!]`: bit N·column + digit for every digit of the row at all columns of its box."""
    size, columns = geometry.size, geometry.box_columns
    bits = np.zeros(len(orders), np.int64)
    for place in range(size):
        stack = place - place % columns
        for column in range(stack, stack + columns):
            bits |= 1 << (size * column + orders[:, place])
    return bits

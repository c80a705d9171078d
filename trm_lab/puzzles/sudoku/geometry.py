"""Sudoku boards of N×N cells: their boxes, and which full boards keep the rules.

N side, C = N·N cells in row-major order, M boards. A board's digits are 1..N; 0 is a blank cell.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Digits = NDArray[np.uint8]  # [M, C]


@dataclass(frozen=True)
class Geometry:
    """Boxes of `box_rows` × `box_columns` cells; their product is the side N."""

    box_rows: int
    box_columns: int

    @property
    def size(self) -> int:
        """N: rows, columns, boxes and digits."""
        return self.box_rows * self.box_columns

    @property
    def cells(self) -> int:
        """C = N·N."""
        return self.size**2

    @property
    def transposes(self) -> bool:
        """Rows and columns may change places: the boxes are square."""
        return self.box_rows == self.box_columns


GEOMETRIES = {4: Geometry(2, 2), 6: Geometry(2, 3), 9: Geometry(3, 3)}
# No puzzle with one solution has fewer: enumerated for 4×4 (every_4x4.py) and, by others, for 6×6 and 9×9 (McGuire,
# Tugemann, Civario 2014).
FEWEST_GIVENS = {4: 4, 6: 8, 9: 17}


def keeps_rules(geometry: Geometry, boards: Digits) -> NDArray[np.bool_]:
    """Whether each of the boards `[M, C]`, digits 0..N, has every digit once in each row, column and box; `[M]`."""
    size, rows, columns = geometry.size, geometry.box_rows, geometry.box_columns
    bits = (np.uint16(1) << boards.astype(np.uint16)).reshape(-1, size, size)
    boxes = bits.reshape(-1, columns, rows, rows, columns)  # [M, band, row, stack, column]
    every = np.uint16((1 << (size + 1)) - 2)  # N cells show N digits: each once
    good = (np.bitwise_or.reduce(bits, axis=2) == every).all(1)
    good &= (np.bitwise_or.reduce(bits, axis=1) == every).all(1)
    return good & (np.bitwise_or.reduce(boxes, axis=(2, 4)) == every).all((1, 2))

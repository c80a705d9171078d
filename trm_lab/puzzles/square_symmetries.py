"""The eight turns and mirror images of square puzzles, and one that stands for all of them.

E squares of side n.
"""

import numpy as np
from numpy.typing import NDArray

from trm_lab.puzzles.arc.grids import TRANSFORMS, dihedral


def images(squares: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """All images `[E, 8, n, n]` of `[E, n, n]`, in the published order of the transforms; 0 is the square itself."""
    return np.stack([dihedral(squares, transform) for transform in range(TRANSFORMS)], axis=1)


def canonical(squares: NDArray[np.uint8]) -> NDArray[np.bytes_]:
    """A key `[E]` for each of `[E, n, n]`; two squares of one side have the same key if and only if one is an image
    of the other.

    It is the image whose row-major bytes come first. Bytes strings compare as if filled up with zeros, so that a
    trailing zero does no harm.
    """
    count, side, _ = squares.shape
    rows = np.ascontiguousarray(images(squares)).reshape(count, TRANSFORMS, side * side)
    return np.sort(rows.view(f"S{side * side}")[:, :, 0], axis=1)[:, 0]

"""Digests of ARC grids, a batch of predictions at a time: equal grids have equal digests under any augmentation.

A grid g is read as the polynomial Σ (g[i, j] + 1)·x^i·y^j; its digest is the polynomial's value modulo the prime
p = 2^31 − 1 at K fixed random points (x, y). Two different grids of side C agree at a point with probability
2(C − 1)/p at most (Schwartz–Zippel), and at all six with less than 2^-128 for C up to 255.

No grid is turned back for this: cell (r, c) of a grid turned by t is cell start + r·down + c·right of the original, so
that every transform has its own weights x^i·y^j. All sums stay below 2^53, where float64 is exact.

Legend: N sequences, C canvas side, L = C·C tokens, K points, t transform.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

from trm_lab.puzzles.arc.grids import (
    CANVAS,
    COLOURS,
    FIRST_COLOUR,
    SWAP_SIDES,
    TRANSFORMS,
    VOCAB_SIZE,
    Grid,
    Tokens,
    crop_sizes,
    dihedral,
    encode_pair,
)

EMPTY = bytes(24)
"""The digest where a sequence shows no grid: the lowest of all."""

_POINTS = 6  # K; a digest is three numbers of 8 bytes, each holding the values at two points
_PRIME, _BITS = (1 << 31) - 1, 31
_AT_ONCE = 64  # sequences, so that their float64 cells stay in the processor's cache

# Row and column in the original of a turned grid's cell (0, 0), and of one step down or right in it, `[8, 2]` each;
# a start of 1 is the last row or column. Read off a square of two by two.
_TURNED = np.array([dihedral(np.indices((2, 2)).astype(np.uint8), t) for t in range(TRANSFORMS)], np.intp)
_START = _TURNED[:, :, 0, 0]
_DOWN, _RIGHT = _TURNED[:, :, 1, 0] - _START, _TURNED[:, :, 0, 1] - _START


class GridDigests:
    """Digests of the grids that sequences on a canvas with side C show; as bytes, which are also put in order."""

    def __init__(self, canvas: int = CANVAS) -> None:
        self.canvas = canvas
        random_bytes = hashlib.shake_256(b"points for ARC grids").digest(8 * 2 * _POINTS)
        points = (2 + np.frombuffer(random_bytes, "<u8") % np.uint64(_PRIME - 2)).tolist()
        powers = [[pow(point, e, _PRIME) for point in points] for e in range(1 - canvas, canvas)]
        self._x, self._y = np.split(np.array(powers, np.int64), 2, axis=1)  # [2·C − 1, K] each
        row, column = np.divmod(np.arange(canvas**2), canvas)  # [L] each
        self._row, self._column = row.astype(np.uint8), column.astype(np.uint8)
        exponents = _DOWN[:, None] * row[:, None] + _RIGHT[:, None] * column[:, None]  # [8, L, 2]
        self._weights = [self._monomials(of_t).astype(np.float64) for of_t in exponents]  # [L, K] each

    def of_grid(self, grid: Grid) -> bytes | None:
        """The digest of a grid; None of one that is larger than the canvas."""
        if max(grid.shape) > self.canvas:
            return None
        tokens, _ = encode_pair(grid, grid, canvas=self.canvas)
        same_colours = np.arange(COLOURS, dtype=np.uint8)
        return self.of_sequences(tokens[None], np.zeros(1, np.uint8), same_colours[None])[0]

    def of_sequences(self, tokens: Tokens, transforms: NDArray[np.uint8], colours: NDArray[np.uint8]) -> list[bytes]:
        """Digests of the grids that sequences `[N, L]` show, their augmentations undone.

        Args:
            transforms, colours: `[N]` and `[N, 10]`, the augmentations (see `Augmentation`).
        """
        parts = np.array_split(tokens, 1 + len(tokens) // _AT_ONCE)
        sizes = np.concatenate([crop_sizes(part, self.canvas) for part in parts])  # [N, 2]
        values = np.zeros((len(tokens), _POINTS), np.int64)
        for t in range(TRANSFORMS):
            turned_by_t = np.flatnonzero(transforms == t)
            turned_by_t = turned_by_t[np.argsort(sizes[turned_by_t, 0])]  # small grids cost less than large ones
            for start in range(0, len(turned_by_t), _AT_ONCE):
                rows = turned_by_t[start : start + _AT_ONCE]
                values[rows] = self._values(tokens[rows], t, colours[rows], sizes[rows])
        low, high = np.split(values, 2, axis=1)
        ordered = (low + (high << _BITS))[:, ::-1].astype(">i8")  # bytes compare as these numbers do
        return np.ascontiguousarray(ordered).view(f"V{len(EMPTY)}").ravel().tolist()

    def _values(self, tokens: Tokens, t: int, colours: NDArray[np.uint8], sizes: NDArray[np.intp]) -> NDArray[np.int64]:
        """The polynomials' values `[N, K]` of sequences that are all turned by t and show grids of these sizes."""
        end = self.canvas * sizes[:, 0].max()  # no grid has a cell from here on
        height, width = np.split(sizes.astype(np.uint8), 2, axis=1)  # [N, 1] each
        inside = (self._row[:end] < height) & (self._column[:end] < width)
        shown = tokens[:, :end] * inside  # PAD = 0 around the grid
        row = np.arange(len(tokens), dtype=np.uint16)[:, None]
        coefficients = np.zeros((len(tokens), VOCAB_SIZE))  # of each token: its original colour + 1
        coefficients[row, colours + FIRST_COLOUR] = np.arange(1, COLOURS + 1)
        cells = coefficients.take(shown + VOCAB_SIZE * row)  # [N, L]
        sums = (cells @ self._weights[t][:end]).astype(np.int64)  # [N, K]
        last = sizes[:, ::-1] - 1 if t in SWAP_SIDES else sizes - 1  # row and column in the original
        return sums % _PRIME * self._monomials(_START[t] * last) % _PRIME

    def _monomials(self, exponents: NDArray[np.intp]) -> NDArray[np.int64]:
        """x^i·y^j at each point, `[N, K]`, for exponents (i, j) `[N, 2]` between −(C − 1) and C − 1."""
        i, j = exponents.T + self.canvas - 1  # where the power of exponent 0 stands
        return self._x[i] * self._y[j] % _PRIME

"""Fingerprints of grids, by which equal ones are known without being kept or even mapped back.

A grid g is read as a polynomial in two variables, Σ (g[i, j] + 1)·x^i·y^j, and its fingerprint is the polynomial's
value, modulo the prime p = 2^31 − 1, at each of K fixed points that were drawn at random. Two different grids on a
canvas with side C agree at a point with probability 2(C − 1)/p at most (Schwartz–Zippel), so at all six with less than
2^-128 for C up to 255.

A turned grid is the polynomial with its variables swapped or inverted, times a monomial that depends on its size. So
the fingerprint of the grid before it was turned comes from the turned one with other weights and one more factor, as
products of matrices. Their sums stay far below 2^53, where double precision is exact.

Legend: N sequences, C canvas side, L = C·C tokens, K points, t transform.
"""

import hashlib
import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trm_lab.puzzles.arc.canvas import Grids, lay
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
)

Prints = NDArray[np.int64]  # [N, NUMBERS], values at two points in each number

NUMBERS = 3
_POINTS = 2 * NUMBERS  # K
_PRIME = (1 << 31) - 1
_BITS = 31
_AT_ONCE = 256  # sequences
_IN_CACHE = 64  # of them, whose 8 bytes for each cell stay in the processor's cache

# Cell (r, c) of a turned grid is the original's cell start + r·down + c·right; each as (i, j) `[8, 2]`, a start of 1
# standing for the last row or column. Read off a square of two by two.
_TURNED = np.array([dihedral(np.indices((2, 2)).astype(np.uint8), t) for t in range(TRANSFORMS)], np.intp)
_START = _TURNED[:, :, 0, 0]
_DOWN, _RIGHT = _TURNED[:, :, 1, 0] - _START, _TURNED[:, :, 0, 1] - _START
_SWAPS = np.isin(np.arange(TRANSFORMS), SWAP_SIDES)


class Fingerprints:
    """Of the grids that sequences on canvases with side `canvas` show."""

    def __init__(self, canvas: int = CANVAS) -> None:
        self.canvas = canvas
        drawn = hashlib.shake_256(b"points for ARC grids").digest(8 * 2 * _POINTS)
        points = 2 + np.frombuffer(drawn, "<u8") % np.uint64(_PRIME - 2)
        self._x, self._y = (_powers(half, canvas) for half in np.split(points, 2))  # [2·C − 1, K] each
        r, c = np.indices((canvas, canvas))
        weights = [
            self._monomial(*(_DOWN[t, :, None, None] * r + _RIGHT[t, :, None, None] * c))
            for t in range(TRANSFORMS)
        ]
        self._weights = np.array(weights, np.float64).reshape(TRANSFORMS, -1, _POINTS)  # [8, L, K]
        # All bits of the cells above row h, or left of column w, none of the others: [C + 1, L] each
        bounds = np.arange(canvas + 1)[:, None]
        self._above, self._left = (
            np.where(cell.ravel() < bounds, 255, 0).astype(np.uint8) for cell in (r, c)
        )

    def _monomial(self, i: NDArray[np.intp], j: NDArray[np.intp]) -> NDArray[np.int64]:
        """x^i·y^j at each point, `[..., K]`, for exponents between −(C − 1) and C − 1."""
        zero = self.canvas - 1  # where the exponent 0 is
        return self._x.take(i + zero, axis=0) * self._y.take(j + zero, axis=0) % _PRIME

    def of_grids(self, grids: Sequence[Grid]) -> Prints:
        """`[N, NUMBERS]` of grids that are no larger than the canvas."""
        count = len(grids)
        still, same = np.zeros(count, np.uint8), np.tile(np.arange(COLOURS, dtype=np.uint8), (count, 1))
        corner = np.zeros((count, 2), np.int64)
        tokens = lay(Grids.of(grids), np.arange(count), still, same, corner, self.canvas)
        return self.of_shown(tokens, still, same)

    def of_shown(self, tokens: Tokens, transforms: NDArray[np.uint8], colours: NDArray[np.uint8]) -> Prints:
        """Of the grids that sequences show, mapped back.

        Args:
            tokens: `[N, L]`.
            transforms, colours: `[N]` and `[N, 10]`, the augmentations to undo (see `Augmentation`).
        """
        prints = np.zeros((len(tokens), NUMBERS), np.int64)
        lines = self._lines(tokens)
        # By transform, which has its weights; then by lines, so that small grids cost less than large ones.
        order = np.argsort((transforms.astype(np.intp) << 8) + lines)
        starts = np.searchsorted(transforms[order], np.arange(TRANSFORMS + 1)).tolist()
        for transform, (first, end) in enumerate(itertools.pairwise(starts)):
            for start in range(first, end, _AT_ONCE):
                rows = order[start : min(start + _AT_ONCE, end)]
                upper = tokens[rows, : lines[rows[-1]] * self.canvas]
                prints[rows] = self._of_alike(upper, transform, colours[rows])
        return prints

    def _lines(self, tokens: Tokens) -> NDArray[np.intp]:
        """Lines of each that can belong to its grid `[N]`: those before one that starts with no colour; at least 1."""
        begun = tokens[:, :: self.canvas] - np.uint8(FIRST_COLOUR) < COLOURS  # [N, C]
        return np.where(begun.all(1), self.canvas, np.maximum(begun.argmin(1), 1))

    def _of_alike(self, tokens: Tokens, transform: int, colours: NDArray[np.uint8]) -> Prints:
        """Where all are turned alike, of their first lines `[N, ≤ L]`, which hold all that is shown."""
        cells = tokens.shape[1]
        sizes = crop_sizes(tokens, self.canvas)
        inside = self._above[:, :cells].take(sizes[:, 0], axis=0)
        inside &= self._left[:, :cells].take(sizes[:, 1], axis=0)
        row = np.arange(len(tokens), dtype=np.uint16)[:, None]
        values = np.zeros((len(tokens), VOCAB_SIZE))  # of each token
        values[row, colours + FIRST_COLOUR] = np.arange(1, COLOURS + 1)
        entries = (tokens & inside) + row * VOCAB_SIZE  # of `values`; PAD's outside the grid
        weights, sums = self._weights[transform, :cells], np.empty((len(tokens), _POINTS), np.int64)
        for start in range(0, len(tokens), _IN_CACHE):
            part = slice(start, start + _IN_CACHE)
            sums[part] = values.take(entries[part].astype(np.intp), mode="clip") @ weights
        last = sizes[:, ::-1] - 1 if _SWAPS[transform] else sizes - 1  # of the grid mapped back
        found = sums % _PRIME * self._monomial(*(_START[transform] * last).T) % _PRIME
        return found[:, :NUMBERS] + (found[:, NUMBERS:] << _BITS)


def _powers(points: NDArray[np.uint64], canvas: int) -> NDArray[np.int64]:
    """`[2·C − 1, K]`: powers from −(C − 1) to C − 1."""
    exponents = range(1 - canvas, canvas)
    return np.array([[pow(point, e, _PRIME) for point in points.tolist()] for e in exponents], np.int64)

"""States of the 2×2×2 cube that are the same puzzle: turned, mirrored and recoloured alike.

A symmetry g of the cube (48: 24 rotations, each with or without a mirror) makes of the arrangement A of the facelets
the arrangement g·A·g⁻¹; a rotation r then brings the corner DBL back to its place. Distances do not change, and
solutions change only in the names of the moves. N states, as in `states.py`.
"""

from functools import cache
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

from trm_lab.commands.progress import track
from trm_lab.puzzles.cube.states import (
    MOVING,
    ORIENTATION_COUNT,
    ORIENTATION_WEIGHTS,
    ORIENTATIONS,
    PERMUTATION_WEIGHTS,
    PERMUTATIONS,
    PLACES,
    STATE_COUNT,
    States,
    rank_codes,
)

Matrix = NDArray[np.int64]  # [3, 3], a signed permutation of the axes
Facelets = NDArray[np.intp]  # [24]: where each facelet goes; facelet 3·place + k, as named in PLACES

_OUTWARD = {"U": (0, 1, 0), "D": (0, -1, 0), "R": (1, 0, 0), "L": (-1, 0, 0), "F": (0, 0, 1), "B": (0, 0, -1)}
_STILL = 3 * MOVING  # facelet 0 of the corner that is held still
_GENERATORS = (  # of the 48: a quarter turn about each of two axes, and a mirror
    np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]]),
    np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]]),
    np.array([[-1, 0, 0], [0, 1, 0], [0, 0, 1]]),
)
_ROWS = 504  # permutations at a time


@cache
def symmetry_classes() -> States:
    """The class of every state `[STATE_COUNT]`: the smallest state that one of the 48 symmetries makes of it.

    Found once in a process.
    """
    images = [symmetric_states(matrix) for matrix in track(_GENERATORS, "symmetric states")]
    smallest = np.arange(STATE_COUNT, dtype=np.int32)
    while True:
        before = smallest
        for image in images:
            smallest = np.minimum(smallest, smallest[image])
        if np.array_equal(before, smallest):
            return smallest


def symmetric_states(matrix: Matrix) -> States:
    """The image of every state under a symmetry of the cube `[STATE_COUNT]`."""
    g = _facelet_images(matrix)
    origin = np.argsort(g)  # g⁻¹
    numbers = _numbers_after_return()[:, :, g].reshape(MOVING, -1)  # of r(g(facelet)), [7, 24 · 24]
    parts = []
    for start in range(0, len(PERMUTATIONS), _ROWS):
        lies = _Arrangement(PERMUTATIONS[start : start + _ROWS])
        held = g[lies.at(origin[_STILL])] * 24  # g·A·g⁻¹ of the facelet to be brought back, [rows, 729]
        number = np.zeros(held.shape, np.int32)
        for corner in range(MOVING):
            number += numbers[corner][held + lies.at(origin[3 * corner])]
        code, orientation = np.divmod(number, ORIENTATION_COUNT)
        parts.append(rank_codes(code) * ORIENTATION_COUNT + orientation)
    return np.concatenate(parts).ravel()


class _Arrangement:
    """A: where each facelet lies, in the states of some permutations `[rows, 7]` with all orientations."""

    def __init__(self, rows: NDArray[np.uint8]) -> None:
        self._places = np.hstack([np.argsort(rows, axis=1), np.full((len(rows), 1), MOVING)])  # of each corner
        self._turned = np.vstack([ORIENTATIONS.T, np.zeros((1, ORIENTATION_COUNT), np.uint8)])  # [8, 729]

    def at(self, facelet: np.intp) -> Facelets:
        """The place A(facelet) `[rows, 729]` of a facelet in each state."""
        corner, k = divmod(int(facelet), 3)
        place = self._places[:, corner]
        return 3 * place[:, None] + (self._turned[place] + k) % 3


def _numbers_after_return() -> NDArray[np.int32]:
    """`[7, 24, 24]`: a corner's part of the state's number, when the held corner's facelet lies at the second index.

    Its facelet 0 lies at the third index; then the rotation that brings the held corner home is made. The number is
    729 · (code of the permutation) + (number of the orientation), and the sum over the corners.
    """
    numbers = np.zeros((MOVING, 24, 24), np.int32)
    corners = np.arange(MOVING, dtype=np.int32)[:, None]
    code = np.append(PERMUTATION_WEIGHTS, np.int32(0)) * ORIENTATION_COUNT  # by place; the last is the held corner's
    orientation = np.append(ORIENTATION_WEIGHTS, np.int32(0))
    for matrix in _rotations():
        r = _facelet_images(matrix)
        place, turned = np.divmod(r, 3)
        numbers[:, np.argsort(r)[_STILL]] = corners * code[place] + orientation[place] * turned
    return numbers


def _facelet_images(matrix: Matrix) -> Facelets:
    """The place to which a symmetry takes each of the 24 facelets."""
    images = []
    for name in PLACES:
        place = "".join(_turned_face(face, matrix) for face in name)
        index = next(i for i, other in enumerate(PLACES) if set(other) == set(place))
        images += [3 * index + PLACES[index].index(face) for face in place]
    return np.array(images)


def _turned_face(face: str, matrix: Matrix) -> str:
    image = tuple((matrix @ _OUTWARD[face]).tolist())
    return next(name for name, outward in _OUTWARD.items() if outward == image)


def _rotations() -> list[Matrix]:
    """The 24 rotations of the cube."""
    matrices = [
        np.eye(3, dtype=np.int64)[list(axes)] * np.array(signs)[:, None]
        for axes in permutations(range(3))
        for signs in product((1, -1), repeat=3)
    ]
    return [matrix for matrix in matrices if round(np.linalg.det(matrix)) == 1]

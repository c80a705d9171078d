"""An order in which the cells of an ARC answer can be found: by distance from what the question already shows.

b examples, C canvas side, L = C·C tokens.
"""

import math

import numpy as np
from numpy.typing import NDArray

from trm_lab.puzzles.arc.grids import FIRST_COLOUR
from trm_lab.puzzles.solver_order import squeezed


def arc_reveal_order(inputs: NDArray[np.integer], labels: NDArray[np.integer]) -> NDArray[np.uint8]:
    """The round `[b, L]` of each cell whose answer differs from the question; 0 elsewhere.

    The round is the taxicab distance on the canvas to the nearest cell of the answer's grid that the question already
    shows right; 1 throughout where it shows none.

    inputs, labels: `[b, L]`; labels below 0, or 0 (PAD), are no part of the answer.
    """
    side = math.isqrt(labels.shape[1])
    differing = (labels > 0) & (inputs != labels)
    shown = (labels >= FIRST_COLOUR) & (inputs == labels)
    far = np.int16(2 * side)  # more than any distance on the canvas
    distance = np.where(shown, np.int16(0), far).reshape(-1, side, side)
    steps = np.arange(side, dtype=np.int16)
    for place, axis in ((steps[:, None], 1), (steps, 2)):  # min over k of |i − k| + distance(k), along each axis
        before = np.minimum.accumulate(distance - place, axis) + place
        after = np.flip(np.minimum.accumulate(np.flip(distance + place, axis), axis), axis) - place
        distance = np.minimum(before, after)
    rounds = distance.reshape(labels.shape)
    rounds = np.where(shown.any(axis=1, keepdims=True), rounds, 1)
    return squeezed(np.where(differing, rounds, 0))

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
    distance = np.where(shown.T, np.int16(0), far).reshape(side, side, -1)  # examples last: operations run along them
    for lines in (distance, distance.swapaxes(0, 1)):  # views; a line is at most one step further than its neighbours
        for line in range(1, side):
            np.minimum(lines[line], lines[line - 1] + 1, out=lines[line])
        for line in range(side - 2, -1, -1):
            np.minimum(lines[line], lines[line + 1] + 1, out=lines[line])
    rounds = np.where(shown.any(axis=1), distance.reshape(labels.shape[::-1]), np.int16(1)).T
    return squeezed(np.where(differing, rounds, np.int16(0)))

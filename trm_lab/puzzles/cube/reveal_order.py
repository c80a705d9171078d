"""The order of a cube's answer: move after move, and then that there are no more. E examples, L tokens."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_lab.puzzles.cube.tokens import CUBE_END, CUBE_FIRST_MOVE


def cube_reveal_order(
    facts: Mapping[str, Any], inputs: NDArray[np.integer], labels: NDArray[np.integer]
) -> NDArray[np.uint8]:
    """Rounds `[E, L]`: one for each move of the answer, and one for all slots behind the last; 0 for the facelets.

    facts, inputs: not looked at; what every kind's order is computed from.
    """
    moves = labels >= CUBE_FIRST_MOVE
    slots = moves | (labels == CUBE_END)
    place = slots.cumsum(axis=1)  # from 1, in the slots
    return np.where(slots, np.minimum(place, moves.sum(axis=1, keepdims=True) + 1), 0).astype(np.uint8)

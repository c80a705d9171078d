"""The symmetries of the 2×2×2 cube that leave one corner in its place, as tokens see them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from trm_lab.puzzles.cube.scorer import FACE_AXES, move_names, sticker_places
from trm_lab.puzzles.cube.tokens import CUBE_FACES, CUBE_FIRST_COLOUR, CUBE_FIRST_MOVE
from trm_lab.puzzles.symmetry import Symmetry

_OTHER_WAY = {"": "'", "'": "", "2": "2"}


def cube_symmetry(facts: Mapping[str, Any], vocab_size: int, generator: np.random.Generator) -> Symmetry:
    """One of the six that permute the axes x, y, z, so that the corner between D, B and L stays; with the mirrors.

    A face's colour and its moves take the name of the face that it comes to; a mirror turns moves the other way.

    Raises:
        UserError: see `trm_lab.puzzles.cube.scorer.cube_scorer`.
    """
    moves, matrix = move_names(facts), np.eye(3, dtype=np.int64)[generator.permutation(3)]
    comes_to = {face: _face(matrix @ axis) for face, axis in FACE_AXES.items()}
    mirrored = round(float(np.linalg.det(matrix))) < 0
    names = np.arange(vocab_size)
    for number, face in enumerate(CUBE_FACES):
        names[CUBE_FIRST_COLOUR + number] = CUBE_FIRST_COLOUR + CUBE_FACES.index(comes_to[face])
    for number, move in enumerate(moves):
        turn = _OTHER_WAY[move[1:]] if mirrored else move[1:]
        names[CUBE_FIRST_MOVE + number] = CUBE_FIRST_MOVE + moves.index(comes_to[move[0]] + turn)
    places = sticker_places()  # [24, 2, 3]
    same = (places[:, None] == (places @ matrix.T)[None]).all(axis=(2, 3))  # [new place, old place]
    return Symmetry(same.argmax(1), names)


def _face(axis: np.ndarray) -> str:
    return next(face for face, other in FACE_AXES.items() if np.array_equal(axis, other))

"""The 2×2×2 cube: do the predicted moves solve it? E examples, L tokens: 24 facelets, then a slot for each move.

The cube is 24 stickers in space, and a move turns those of one layer. (The builder of the dataset works on corners.)
Axes: x to the right (R), y up (U), z to the front (F).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError, shown
from trm_lab.puzzles.cube.tokens import CUBE_END, CUBE_FACES, CUBE_FIRST_MOVE
from trm_lab.puzzles.scorer import SOLVED, Scorer

STICKERS = 24
_FRAMES = {  # of a face seen in the unfolded net: outwards, to the right, downwards
    "U": ((0, 1, 0), (1, 0, 0), (0, 0, 1)),
    "R": ((1, 0, 0), (0, 0, -1), (0, -1, 0)),
    "F": ((0, 0, 1), (1, 0, 0), (0, -1, 0)),
    "D": ((0, -1, 0), (1, 0, 0), (0, 0, -1)),
    "L": ((-1, 0, 0), (0, 0, 1), (0, -1, 0)),
    "B": ((0, 0, -1), (-1, 0, 0), (0, -1, 0)),
}
FACE_AXES = {face: np.array(frame[0]) for face, frame in _FRAMES.items()}  # outwards
_QUARTERS = {"": 1, "2": 2, "'": 3}  # clockwise, seen from outside


def cube_scorer(facts: Mapping[str, Any]) -> Scorer:
    """Verdicts on cubes whose moves are facts["moves"], such as ["U", "U2", "U'", ...].

    "solved": the moves up to the first END give every face one colour.  "optimal": and there are no more of them than
    in the label.  "well_formed": nothing but moves, then nothing but END.  A token before the first END that is no move
    makes an answer neither solved nor well formed; what stands after the first END matters to "well_formed" alone.

    Raises:
        UserError: facts without moves, or with one that a cube does not have.
    """
    names = move_names(facts)
    sources = np.array([sticker_sources(name) for name in names])  # [moves, 24]

    def score(
        inputs: NDArray[np.integer], labels: NDArray[np.integer], predictions: NDArray[np.integer]
    ) -> dict[str, NDArray[np.bool_]]:
        answers = np.asarray(predictions)[:, STICKERS:].astype(np.int64)
        optimal = np.asarray(labels)[:, STICKERS:]
        ended = answers == CUBE_END
        moves = answers - CUBE_FIRST_MOVE
        is_move = (moves >= 0) & (moves < len(sources))
        before_end = np.cumsum(ended, axis=1) == 0
        readable = (is_move | ~before_end).all(axis=1)
        stickers = np.asarray(inputs)[:, :STICKERS]
        for slot in range(answers.shape[1]):
            turned = np.flatnonzero(before_end[:, slot] & is_move[:, slot])
            stickers = _turn(stickers, turned, sources[moves[turned, slot]])
        faces = stickers.reshape(-1, len(CUBE_FACES), 4)
        solved = readable & (faces == faces[:, :, :1]).all(axis=(1, 2))
        fewest = (optimal != CUBE_END).sum(axis=1)
        return {
            SOLVED: solved,
            "optimal": solved & (before_end.sum(axis=1) <= fewest),
            "well_formed": readable & (ended | before_end).all(axis=1),
        }

    return score


def move_names(facts: Mapping[str, Any]) -> list[str]:
    """The moves of a dataset's cubes, facts["moves"].

    Raises:
        UserError: there are none, or one that a cube does not have.
    """
    names = facts.get("moves")
    all_moves = [face + turn for face in CUBE_FACES for turn in _QUARTERS]
    usable = isinstance(names, list) and all(isinstance(name, str) and name in all_moves for name in names)
    if not isinstance(names, list) or not names or not usable or len(set(names)) < len(names):
        raise UserError(
            given=f"a dataset of cubes whose moves are {shown(repr(names))}",
            allowed=f"a list of some of {' '.join(all_moves)}, each once",
            remedy="build the dataset again",
        )
    return names


def sticker_sources(move: str) -> NDArray[np.intp]:
    """For each sticker `[24]`, the sticker whose colour it takes on when the move is made."""
    places = sticker_places()
    axis = np.array(_FRAMES[move[0]][0])
    rotation = np.linalg.matrix_power(_clockwise(axis), _QUARTERS[move[1:]])
    in_layer = places[:, 0] @ axis > 0  # places[:, 0] is the corner, places[:, 1] the outward direction
    moved = np.where(in_layer[:, None, None], places @ rotation.T, places)
    same = (moved[None] == places[:, None]).all(axis=(2, 3))  # [to, from]
    return same.argmax(axis=1)


def sticker_places() -> NDArray[np.int64]:
    """For each sticker, the corner that it belongs to and the direction it faces, `[24, 2, 3]`."""
    return np.array([_sticker(face, row, column) for face in CUBE_FACES for row in (0, 1) for column in (0, 1)])


def _sticker(face: str, row: int, column: int) -> NDArray[np.int64]:
    out, right, down = map(np.array, _FRAMES[face])
    return np.stack([out + (2 * column - 1) * right + (2 * row - 1) * down, out])


def _clockwise(axis: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rotation by −90° about an axis: v ↦ axis (axis·v) − axis × v."""
    basis = np.eye(3, dtype=np.int64)
    return np.outer(axis, axis) - np.cross(axis, basis).T


def _turn(stickers: NDArray[np.integer], rows: NDArray[np.intp], sources: NDArray[np.intp]) -> NDArray[np.integer]:
    """The stickers `[E, 24]` after the cubes at `rows` have taken their colours from `sources` `[rows, 24]`."""
    turned = stickers.copy()
    turned[rows] = np.take_along_axis(stickers[rows], sources, axis=1)
    return turned

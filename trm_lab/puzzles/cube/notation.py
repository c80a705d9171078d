"""2×2×2 cubes as 24 letters, face by face; an answer is its moves. L tokens: 24 facelets, then the slots for moves."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from trm.errors import UserError, shown
from trm_lab.puzzles.cube.scorer import STICKERS, cube_scorer
from trm_lab.puzzles.cube.tokens import CUBE_END, CUBE_FACES, CUBE_FIRST_COLOUR, CUBE_FIRST_MOVE, CUBE_MASK
from trm_lab.puzzles.notation import ANSWER, BROKEN, OTHER, QUESTION, as_lists, ink
from trm_lab.puzzles.picture import Tokens

FORM = (
    f"{STICKERS} letters of {CUBE_FACES} (or numbers 0 to 5), four for each face in that order, "
    "row by row as it lies in the unfolded net"
)
HELD_STILL = {"D": 15, "L": 18, "B": 23}  # the facelets of the corner that no move turns: face and number
_NET = ("  U  ", " LFRB", "  D  ")


class CubeNotation:
    """An answer is a list of moves, such as ["R", "U'", "F2"].

    Raises:
        UserError: facts without the moves of a cube, or no slot for one.
    """

    def __init__(self, facts: Mapping[str, Any], seq_len: int) -> None:
        cube_scorer(facts)  # checks the moves
        self.moves, self.slots = list(facts["moves"]), seq_len - STICKERS
        if self.slots < 1:
            raise UserError(
                f"cubes in {seq_len} tokens",
                f"more than {STICKERS}: the facelets, and the moves",
                "use the checkpoint as it was written; do not use it if you do not know who made it",
            )

    def read(self, puzzle: object) -> Tokens:
        """See `Notation`."""
        if isinstance(puzzle, str):
            cells: list[Any] | None = list("".join(puzzle.split()))
        else:
            cells = as_lists(puzzle, STICKERS)
            if cells is not None:
                faces = [list(face) if isinstance(face, list | tuple | str) else [face] for face in cells]
                cells = [cell for face in faces for cell in face]
        if cells is None or len(cells) != STICKERS:
            count = f"as {type(puzzle).__name__}" if cells is None else f"of {len(cells)} facelets"
            raise UserError(f"a cube {count}", FORM, "add or take out what is wrong")
        colours = [_colour(cell, place) for place, cell in enumerate(cells)]
        return np.array([*colours, *[CUBE_MASK] * self.slots], np.int32)

    def remarks(self, question: Tokens) -> list[str]:
        """See `Notation`; a cube may also be held otherwise than those of the dataset."""
        faces = "".join(CUBE_FACES[token - CUBE_FIRST_COLOUR] for token in question[:STICKERS].tolist())
        wrong = [f"{faces.count(face)} facelets {face}" for face in CUBE_FACES if faces.count(face) != 4]
        if wrong:
            return [f"the question is no cube: {', '.join(wrong)} instead of four"]
        if any(faces[place] != face for face, place in HELD_STILL.items()):
            return [
                "the corner at D, L and B does not show these colours: the moves never turn it, so turn the whole cube "
                "and name its colours anew until it does"
            ]
        return []

    def value(self, answer: Tokens) -> list[str]:
        """See `Notation`: the moves up to the end mark; ? for what is no move."""
        tokens = np.asarray(answer)[STICKERS:].tolist()
        ended = tokens.index(CUBE_END) if CUBE_END in tokens else len(tokens)
        numbers = [token - CUBE_FIRST_MOVE for token in tokens[:ended]]
        return [self.moves[number] if 0 <= number < len(self.moves) else BROKEN for number in numbers]

    def text(self, question: Tokens, answer: Tokens, colours: bool) -> str:
        """See `Notation`: the unfolded net, and the moves below."""
        stickers = question[:STICKERS].tolist()
        lines = []
        for faces in _NET:
            for row in (0, 1):
                cells = [_facelets(face, row, stickers) for face in faces[1:]]
                lines.append(ink(" ".join(cells).rstrip(), QUESTION, colours))
        moves = " ".join(self.value(answer))
        return "\n".join([*lines, "", ink(moves, ANSWER, colours) if moves else ink("no move", OTHER, colours)])


def _facelets(face: str, row: int, stickers: list[int]) -> str:
    if face == " ":
        return "   "
    first = 4 * CUBE_FACES.index(face) + 2 * row
    return " ".join(CUBE_FACES[token - CUBE_FIRST_COLOUR] for token in stickers[first : first + 2])


def _colour(cell: Any, place: int) -> int:
    number = CUBE_FACES.find(cell.upper()) if isinstance(cell, str) and len(cell) == 1 else cell
    if type(number) is not int or not 0 <= number < len(CUBE_FACES):
        face, facelet = divmod(place, 4)
        raise UserError(
            f"a cube: {shown(repr(cell), 40)} at facelet {facelet + 1} of face {CUBE_FACES[face]}",
            FORM,
            "correct that facelet",
        )
    return CUBE_FIRST_COLOUR + number

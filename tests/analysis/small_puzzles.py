"""The smallest puzzle of each kind that a scorer judges: tokens, the answer, and an answer that is wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_lab.puzzles.cube.tokens import CUBE_END, CUBE_FACES, CUBE_FIRST_COLOUR, CUBE_FIRST_MOVE, CUBE_MASK
from trm_lab.puzzles.maze.tokens import MAZE_CHARACTERS
from trm_lab.puzzles.picture import Example
from trm_lab.puzzles.queens.tokens import QUEENS_EMPTY
from trm_lab.puzzles.text.tokens import END, FIRST_CHARACTER, TextTokens

MOVES = ["U", "U2", "U'", "R", "R2", "R'", "F", "F2", "F'"]
TEXTS = TextTokens.for_texts(["What is $6 and $5?", "$11", "12"])
QUESTION_LENGTH, ANSWER_LENGTH = 20, 4


@dataclass(frozen=True)
class SmallPuzzle:
    """inputs, labels, wrong: `[L]`; labels are -100 where not scored."""

    facts: dict[str, Any]
    inputs: NDArray[np.uint8]
    labels: NDArray[np.int64]
    wrong: NDArray[np.uint8]

    @property
    def example(self) -> Example:
        return Example(self.inputs, self.labels)

    @property
    def right(self) -> NDArray[np.uint8]:
        return self.example.answer.astype(np.uint8)


def queens(columns: Sequence[int]) -> NDArray[np.uint8]:
    """Tokens of a 4×4 board with queens on these columns, one a row; -1 for none."""
    board = np.full((4, 4), QUEENS_EMPTY, np.uint8)
    for row, column in enumerate(columns):
        if column >= 0:
            board[row, column] += 1
    return board.ravel()


def maze(rows: str) -> NDArray[np.uint8]:
    """Tokens of a maze's rows, separated by |."""
    return np.array([MAZE_CHARACTERS.index(cell) for cell in rows.replace("|", "")], np.uint8)


def sudoku(rows: str) -> NDArray[np.uint8]:
    """Tokens of a sudoku's digits, 0 for a blank."""
    return np.array([int(digit) + 1 for digit in rows], np.uint8)


def cube(*moves: str) -> NDArray[np.uint8]:
    """A solved cube after U, then these moves (or END) in its 3 slots."""
    stickers = np.repeat(np.arange(6), 4) + CUBE_FIRST_COLOUR
    stickers = stickers.reshape(6, 2, 2)
    turned = stickers.copy()
    right, front, left, back = (CUBE_FACES.index(face) for face in "RFLB")
    # U takes front to left, left to back, back to right and right to front, on the upper row.
    turned[left, 0], turned[back, 0] = stickers[front, 0], stickers[left, 0]
    turned[right, 0], turned[front, 0] = stickers[back, 0], stickers[right, 0]
    slots = [CUBE_FIRST_MOVE + MOVES.index(move) for move in moves] or [CUBE_MASK] * 3
    return np.array([*turned.ravel(), *(slots + [CUBE_END] * 3)[:3]], np.uint8)


def text(answer: str) -> NDArray[np.uint8]:
    """The question "What is $6 and $5?" and an answer."""
    inputs, labels = TEXTS.encode_pairs(["What is $6 and $5?"], [answer], QUESTION_LENGTH, ANSWER_LENGTH)
    return np.concatenate([inputs[0, :QUESTION_LENGTH], labels[0, QUESTION_LENGTH:]])


def scored(tokens: NDArray[np.uint8], first: int = 0) -> NDArray[np.int64]:
    """Labels that are scored from position `first` on."""
    labels = tokens.astype(np.int64)
    labels[:first] = -100
    return labels


def _text_puzzle(**facts: Any) -> SmallPuzzle:
    question = text("")
    question[QUESTION_LENGTH:] = 1
    labels = scored(text("$11"), QUESTION_LENGTH)
    wrong = text("12")
    wrong[-1] = FIRST_CHARACTER
    assert wrong[-2] == END
    return SmallPuzzle(TEXTS.facts(QUESTION_LENGTH, ANSWER_LENGTH) | facts, question, labels, wrong)


PUZZLES = {
    "queens": SmallPuzzle(
        {"side": 4, "best_exact_match": 0.5},
        queens([-1, -1, -1, -1]),
        scored(queens([1, 3, 0, 2])),
        queens([1, 3, 0, 3]),
    ),
    "sudoku": SmallPuzzle(
        {"size": 4, "box_rows": 2, "box_columns": 2},
        sudoku("1034341221434320"),
        scored(sudoku("1234341221434321")),
        sudoku("1434341221434320"),
    ),
    "maze": SmallPuzzle({"side": 3}, maze("S  |## |G  "), scored(maze("Soo|##o|Goo")), maze("Soo|## |Goo")),
    "cube": SmallPuzzle({"moves": MOVES}, cube(), scored(cube("U'"), 24), cube("R", "U")),
    "answer": _text_puzzle(),
    "reasoning_gym": _text_puzzle(task="simple_equations", options={}, seed=0, test_scanned=1),
}

"""Boards with queens as text, as 0 and 1, or as a column for each row. n side, L = n·n tokens."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError
from trm_lab.puzzles.notation import ANSWER, BLANKS, BROKEN, OTHER, QUESTION, STRONG, BoardNotation, ink
from trm_lab.puzzles.picture import Tokens
from trm_lab.puzzles.queens.scorer import LARGEST_SIDE
from trm_lab.puzzles.queens.tokens import QUEENS_EMPTY, QUEENS_QUEEN
from trm_lab.puzzles.scorer import whole_number

QUEEN, EMPTY = "Q", "."


class QueensNotation(BoardNotation):
    """An answer is a board `[n, n]` of 0 and 1, 1 for a queen.

    Raises:
        UserError: facts of no board, or of another size than the tokens.
    """

    noun = "board"

    def __init__(self, facts: Mapping[str, Any], seq_len: int) -> None:
        super().__init__(whole_number(facts, "side", 1, LARGEST_SIDE), seq_len)
        self.symbols = dict.fromkeys("Qq1", QUEENS_QUEEN) | dict.fromkeys(BLANKS, QUEENS_EMPTY)
        self.numbers = {0: QUEENS_EMPTY, 1: QUEENS_QUEEN}
        self.form = (
            f"Q or 1 for a queen and {', '.join(BLANKS)} for an empty square; or {self.side} numbers, the column 1 to "
            f"{self.side} of the queen in each row, 0 for none"
        )

    def _rows(self, puzzle: object) -> list[list[Any]]:
        rows = super()._rows(puzzle)
        columns = self._columns(puzzle, rows)
        if columns is None or self.side == 1:
            return rows
        for row, column in enumerate(columns, start=1):
            if not 0 <= column <= self.side:
                raise UserError(f"a board: {column} for row {row}", self.form, "correct that number")
        return [[int(place == column) for place in range(1, self.side + 1)] for column in columns]

    def _columns(self, puzzle: object, rows: list[list[Any]]) -> list[int] | None:
        """The numbers of columns, if that is how the board is written."""
        if isinstance(puzzle, str):
            words = puzzle.replace(",", " ").split()
            words = list(words[0]) if len(words) == 1 else words
            short = len(words) == self.side and all(len(word) < max(2, self.side) for word in words)
            return [int(word) for word in words] if short and all(map(str.isdecimal, words)) else None
        if len(rows) == 1 and len(rows[0]) == self.side and all(type(cell) is int for cell in rows[0]):
            return rows[0]
        return None

    def remarks(self, question: Tokens) -> list[str]:
        """See `Notation`."""
        queens = np.argwhere(self.cells(question) == QUEENS_QUEEN).tolist()
        for number, (row, column) in enumerate(queens):
            for other_row, other_column in queens[:number]:
                lines = (row - other_row, column - other_column)
                if 0 in lines or abs(lines[0]) == abs(lines[1]):
                    first = f"row {other_row + 1}, column {other_column + 1}"
                    second = f"row {row + 1}, column {column + 1}"
                    return [f"the question has no solution: the queens in {first} and in {second} attack each other"]
        return []

    def value(self, answer: Tokens) -> NDArray[Any]:
        """See `Notation`."""
        return (self.cells(answer) == QUEENS_QUEEN).astype(np.int64)

    def text(self, question: Tokens, answer: Tokens, colours: bool) -> str:
        """See `Notation`."""
        rows = zip(self.cells(question).tolist(), self.cells(answer).tolist(), strict=True)
        return "\n".join(" ".join(_sign(*pair, colours) for pair in zip(*row, strict=True)) for row in rows)


def _sign(question_token: int, token: int, colours: bool) -> str:
    if token == QUEENS_QUEEN:
        return ink(QUEEN, QUESTION if question_token == token else ANSWER, colours)
    lost = question_token == QUEENS_QUEEN
    return ink(EMPTY if token == QUEENS_EMPTY else BROKEN, STRONG if lost else OTHER, colours)

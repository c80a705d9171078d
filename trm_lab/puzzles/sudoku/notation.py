"""Sudokus as text and as grids of digits. N side, L = N·N tokens."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_lab.puzzles.notation import ANSWER, BLANKS, BROKEN, OTHER, QUESTION, STRONG, BoardNotation, ink
from trm_lab.puzzles.picture import Tokens
from trm_lab.puzzles.scorer import whole_number
from trm_lab.puzzles.sudoku.scorer import LARGEST_SIZE, units
from trm_lab.puzzles.sudoku.tokens import SUDOKU_BLANK

BLANK = "."
MOST_REMARKS = 3


class SudokuNotation(BoardNotation):
    """Digits 1 to N; an answer is a grid `[N, N]` of them, 0 where it holds none.

    Raises:
        UserError: facts of no sudoku, or of another size than the tokens.
    """

    noun = "sudoku"

    def __init__(self, facts: Mapping[str, Any], seq_len: int) -> None:
        size = whole_number(facts, "size", 1, LARGEST_SIZE)
        super().__init__(size, seq_len)
        self.box_rows, self.box_columns = (whole_number(facts, key, 1, size) for key in ("box_rows", "box_columns"))
        self.numbers = {digit: digit + SUDOKU_BLANK for digit in range(size + 1)}
        self.symbols = {str(digit): token for digit, token in self.numbers.items()} | dict.fromkeys(
            BLANKS, SUDOKU_BLANK
        )
        apart = "" if size < 10 else ", with spaces between them"
        self.form = f"digits 1 to {size}, and {', '.join(BLANKS)} for a blank cell{apart}"

    def text_rows(self, text: str) -> list[list[Any]]:
        """See `BoardNotation`; numbers of two digits have white space or commas between them."""
        if self.side < 10:
            return super().text_rows(text)
        return [line.replace(",", " ").split() for line in text.splitlines() if line.strip()]

    def remarks(self, question: Tokens) -> list[str]:
        """See `Notation`."""
        lines = []
        names = [f"{unit} {number + 1}" for unit in ("row", "column", "box") for number in range(self.side)]
        for name, cells in zip(names, units(self.side, self.box_rows, self.box_columns), strict=True):
            counts = np.bincount(self._digits(question[cells]), minlength=self.side + 1)
            lines += [f"{name} has {counts[digit]} cells with {digit}" for digit in np.flatnonzero(counts > 1) if digit]
        return [f"the question has no solution: {'; '.join(lines[:MOST_REMARKS])}"] if lines else []

    def value(self, answer: Tokens) -> NDArray[Any]:
        """See `Notation`."""
        return self._digits(self.cells(answer))

    def text(self, question: Tokens, answer: Tokens, colours: bool) -> str:
        """See `Notation`: boxes between lines."""
        wide = len(str(self.side))
        bar = "┼".join("─" * ((wide + 1) * self.box_columns + 1) for _ in range(self.box_rows))[1:-1]
        lines = []
        for number, (givens, row) in enumerate(zip(self.cells(question), self.cells(answer), strict=True)):
            if number and number % self.box_rows == 0:
                lines.append(ink(bar, OTHER, colours))
            cells = [self._sign(*pair, wide, colours) for pair in zip(givens.tolist(), row.tolist(), strict=True)]
            starts = range(0, self.side, self.box_columns)
            boxes = [" ".join(cells[start : start + self.box_columns]) for start in starts]
            lines.append(ink(" │ ", OTHER, colours).join(boxes))
        return "\n".join(lines)

    def _digits(self, tokens: NDArray[Any]) -> NDArray[Any]:
        digits = np.asarray(tokens).astype(np.int64) - SUDOKU_BLANK
        return np.where((digits > 0) & (digits <= self.side), digits, 0)

    def _sign(self, question_token: int, token: int, wide: int, colours: bool) -> str:
        digit = token - SUDOKU_BLANK
        sign = BLANK if digit == 0 else str(digit) if 0 < digit <= self.side else BROKEN
        style = QUESTION if question_token == token else STRONG
        if question_token == SUDOKU_BLANK:
            style = ANSWER if digit else OTHER
        return ink(sign.rjust(wide), style, colours)

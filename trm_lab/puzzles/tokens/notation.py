"""Questions and answers written as the tokens that they are. L tokens of an example, h×w the grid they are shown in."""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError, shown
from trm_lab.puzzles.layout import LARGEST_VOCABULARY
from trm_lab.puzzles.notation import ANSWER, QUESTION, as_lists, ink
from trm_lab.puzzles.picture import Tokens
from trm_lab.puzzles.scorer import whole_number

KIND = "tokens"  # of a dataset that names none
BETWEEN = re.compile(r"[\s,;()\[\]]+")  # what stands between the tokens of a text


def tokens_facts(vocab_size: int) -> dict[str, int]:
    """What the kind needs to know of a dataset (`About.facts`)."""
    return {"vocab_size": vocab_size}


class TokensNotation:
    """Whole numbers below the size of the vocabulary; an answer is a square grid of them where L is a square.

    Raises:
        UserError: facts without a vocabulary.
    """

    def __init__(self, facts: Mapping[str, Any], seq_len: int) -> None:
        self.vocab_size, self.seq_len = whole_number(facts, "vocab_size", 1, LARGEST_VOCABULARY), seq_len
        self.side = math.isqrt(seq_len)
        self.is_square = self.side**2 == seq_len
        together = ", or digits written together" if self.vocab_size <= 10 else ""
        self.form = (
            f"{seq_len} tokens as in the dataset: whole numbers from 0 to {self.vocab_size - 1} in lists or an array, "
            f"or as text with spaces, commas or brackets between them{together}"
        )

    def read(self, puzzle: object) -> Tokens:
        """See `Notation`."""
        cells = list(self._cells(puzzle))
        tokens = [self._token(cell, place) for place, cell in enumerate(cells)]
        if len(tokens) != self.seq_len:
            raise UserError(f"a puzzle of {len(tokens)} tokens", self.form, "add or take out what is wrong")
        return np.array(tokens, np.int32)

    def remarks(self, question: Tokens) -> list[str]:
        """See `Notation`: no rule is known."""
        return []

    def value(self, answer: Tokens) -> NDArray[Any]:
        """See `Notation`."""
        tokens = np.asarray(answer).astype(np.int64)
        return tokens.reshape(self.side, self.side) if self.is_square else tokens

    def text(self, question: Tokens, answer: Tokens, colours: bool) -> str:
        """See `Notation`: side by side where they are grids, else one below the other."""
        given, found = (
            self._lines(tokens, style, colours) for tokens, style in ((question, QUESTION), (answer, ANSWER))
        )
        if not self.is_square:
            return f"{given[0]}\n→ {found[0]}"
        return "\n".join(f"{row} │ {other}" for row, other in zip(given, found, strict=True))

    def _lines(self, tokens: Tokens, style: str, colours: bool) -> list[str]:
        wide = len(str(self.vocab_size - 1)) if self.is_square else 0
        rows = np.atleast_2d(self.value(tokens)).tolist()
        return [ink(" ".join(str(token).rjust(wide) for token in row), style, colours) for row in rows]

    def _cells(self, puzzle: object, levels: int = 3) -> Iterator[Any]:
        """Tokens, or texts of one each, in the order of a text or of lists in so many levels."""
        if isinstance(puzzle, str):
            words = filter(None, BETWEEN.split(puzzle))
            yield from "".join(words) if self.vocab_size <= 10 else words
        elif (parts := as_lists(puzzle, 2 * self.seq_len)) is not None:
            for part in parts:
                inside = isinstance(part, str) or (isinstance(part, list) and levels > 1)
                yield from self._cells(part, levels - 1) if inside else (part,)
        else:
            what = f"of shape {np.shape(puzzle)}" if hasattr(puzzle, "shape") else f"as {type(puzzle).__name__}"
            raise UserError(f"a puzzle {what}", self.form, "write it in one of these forms")

    def _token(self, cell: Any, place: int) -> int:
        is_digits = (
            isinstance(cell, str) and cell.isascii() and cell.isdigit() and len(cell) <= len(str(LARGEST_VOCABULARY))
        )
        token = int(cell) if is_digits else cell
        if type(token) is not int or not 0 <= token < self.vocab_size:
            at = (
                f"row {place // self.side + 1}, column {place % self.side + 1}"
                if self.is_square
                else f"place {place + 1}"
            )
            raise UserError(f"a puzzle: {shown(repr(cell), 40)} at {at}", self.form, "correct that token")
        return token

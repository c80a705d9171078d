"""How the questions of a kind of puzzle are written and read without their answers, and how answers are written.

Each kind's folder has its own in `notation.py`. L tokens of an example, n×n the cells of a board.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError, shown
from trm_lab.files.untrusted import parse_json
from trm_lab.puzzles.picture import Tokens

Value = NDArray[Any] | str | list[str]
BLANKS = ".0_"  # characters of a blank cell
QUESTION, ANSWER, OTHER, STRONG = "1", "1;38;5;33", "38;5;244", "1;38;5;160"  # bold; bold blue; grey; bold red
BROKEN = "?"  # stands for a token that the kind of puzzle does not have


class Notation(Protocol):
    """Reads questions, and writes questions and answers for people."""

    def read(self, puzzle: object) -> Tokens:
        """The tokens `[L]` of a question that is a text, nested lists, or an array.

        Raises:
            UserError: another shape, or a symbol that the kind does not have, with its place.
        """
        ...

    def remarks(self, question: Tokens) -> list[str]:
        """What in a question breaks the rules of the puzzle already, so that it has no answer."""
        ...

    def value(self, answer: Tokens) -> Value:
        """An answer `[L]` in its natural form."""
        ...

    def text(self, question: Tokens, answer: Tokens, colours: bool) -> str:
        """Question and answer in one drawing for a terminal; with `colours` what was filled in is told apart."""
        ...


def ink(text: str, style: str, colours: bool) -> str:
    """Put a text in one of the styles above, where the terminal has colours."""
    return f"\x1b[{style}m{text}\x1b[0m" if colours and style else text


def as_lists(puzzle: Any, largest: int) -> list[Any] | None:
    """Lists, or anything with `tolist`, such as arrays and tensors, also inside lists, as lists; None for others.

    largest: elements that an array may have.
    """
    content = _listed(puzzle, largest, levels=3)
    return content if isinstance(content, list) else None


def _listed(value: Any, largest: int, levels: int) -> Any:
    if isinstance(value, list | tuple) and levels > 0:
        return [_listed(each, largest, levels - 1) for each in value]
    if not hasattr(value, "tolist") or math.prod(np.shape(value)) > largest:
        return value
    try:
        return value.tolist()
    except RuntimeError:  # a tensor without values of its own, such as a sparse one
        return value


class BoardNotation(ABC):
    """A square board of n×n cells, L = n·n tokens, written in rows or one cell after the other.

    side: n.  noun: what it is called.  form: how it is written, for errors.
    symbols: tokens of a question's characters.  numbers: tokens of a question's numbers.

    Raises:
        UserError: not as many tokens as cells.
    """

    noun: str
    form: str
    symbols: Mapping[str, int]
    numbers: Mapping[int, int]

    def __init__(self, side: int, seq_len: int) -> None:
        self.side = side
        if side * side != seq_len:
            raise UserError(
                f"a {self.noun} of {side}×{side} cells in {seq_len} tokens",
                "a token for each cell",
                "use the checkpoint as it was written; do not use it if you do not know who made it",
            )

    def read(self, puzzle: object) -> Tokens:
        """See `Notation`."""
        if isinstance(puzzle, str) and puzzle.lstrip().startswith("["):
            puzzle = self._parsed(puzzle)
        rows = self._rows(puzzle)
        self._check_shape(rows)
        cells = [cell for row in rows for cell in row]
        return np.array([self._token(cell, place) for place, cell in enumerate(cells)], np.int32)

    @abstractmethod
    def remarks(self, question: Tokens) -> list[str]:
        """See `Notation`."""

    @abstractmethod
    def value(self, answer: Tokens) -> NDArray[Any]:
        """See `Notation`."""

    @abstractmethod
    def text(self, question: Tokens, answer: Tokens, colours: bool) -> str:
        """See `Notation`."""

    def text_rows(self, text: str) -> list[list[Any]]:
        """The cells in the lines of a text, white space left out."""
        return [list("".join(line.split())) for line in text.splitlines() if line.strip()]

    def _parsed(self, text: str) -> object:
        try:
            return parse_json(text)
        except ValueError as error:
            raise UserError(f"{shown(text, 60)}: no JSON ({shown(error)})", self.form, "correct it") from error

    def _rows(self, puzzle: object) -> list[list[Any]]:
        if isinstance(puzzle, str):
            return self.text_rows(puzzle)
        rows = as_lists(puzzle, 2 * self.side**2)
        if rows is None:
            what = f"of shape {np.shape(puzzle)}" if hasattr(puzzle, "shape") else f"as {type(puzzle).__name__}"
            raise UserError(f"a {self.noun} {what}", self.form, "write it in one of these forms")
        if rows and all(isinstance(row, str) and len(row) > 1 for row in rows):
            return self.text_rows("\n".join(rows))
        if any(isinstance(row, list | tuple) for row in rows):
            return [list(row) if isinstance(row, list | tuple) else [row] for row in rows]
        return [rows]

    def _check_shape(self, rows: Sequence[Sequence[Any]]) -> None:
        side, total = self.side, sum(map(len, rows))
        if len(rows) == side:
            for number, row in enumerate(rows, start=1):
                if len(row) != side:
                    raise self._wrong(f"row {number} has {len(row)} cells")
        elif len(rows) != 1:
            raise self._wrong(f"{len(rows)} rows, {total} cells in all")
        elif total != side * side:
            raise self._wrong(f"{total} cells")

    def _wrong(self, problem: str) -> UserError:
        sizes = f"{self.side} rows of {self.side} cells, or {self.side**2} cells one after another"
        return UserError(f"a {self.noun}: {problem}", f"{sizes}; {self.form}", "add or take out what is wrong")

    def _token(self, cell: Any, place: int) -> int:
        token = self.symbols.get(cell) if isinstance(cell, str) else None
        if type(cell) is int:
            token = self.numbers.get(cell)
        if token is None:
            row, column = divmod(place, self.side)
            raise UserError(
                f"a {self.noun}: {shown(repr(cell), 40)} in row {row + 1}, column {column + 1}",
                self.form,
                "correct that cell",
            )
        return token

    def cells(self, tokens: Tokens) -> NDArray[Any]:
        """Tokens `[L]` as rows `[n, n]`."""
        return np.asarray(tokens).reshape(self.side, self.side)

"""Mazes as text: # wall, S start, G goal, o the path, and a space, . or _ for a free cell. n side, L = n·n tokens."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_lab.puzzles.maze.scorer import LARGEST_SIDE
from trm_lab.puzzles.maze.tokens import MAZE_CHARACTERS, MAZE_FREE, MAZE_GOAL, MAZE_PATH, MAZE_START, MAZE_WALL
from trm_lab.puzzles.notation import ANSWER, BROKEN, OTHER, QUESTION, STRONG, BoardNotation, ink
from trm_lab.puzzles.picture import Tokens
from trm_lab.puzzles.scorer import whole_number


class MazeNotation(BoardNotation):
    """An answer is a grid `[n, n]` of the characters `# SGo`.

    Raises:
        UserError: facts of no maze, or of another size than the tokens.
    """

    noun = "maze"
    form = "# for a wall, S the start, G the goal, and a space, . or _ for a free cell; or the tokens 1 to 4 for # SG"

    def __init__(self, facts: Mapping[str, Any], seq_len: int) -> None:
        super().__init__(whole_number(facts, "side", 1, LARGEST_SIDE), seq_len)
        self.symbols = {"#": MAZE_WALL, "S": MAZE_START, "G": MAZE_GOAL} | dict.fromkeys(" ._", MAZE_FREE)
        self.numbers = {token: token for token in (MAZE_WALL, MAZE_FREE, MAZE_START, MAZE_GOAL)}

    def text_rows(self, text: str) -> list[list[Any]]:
        """See `BoardNotation`; a space is a free cell."""
        return [list(line) for line in text.splitlines() if line]

    def remarks(self, question: Tokens) -> list[str]:
        """See `Notation`."""
        counts = {name: int((question == token).sum()) for name, token in (("S", MAZE_START), ("G", MAZE_GOAL))}
        wrong = [f"{number} cells with {name}" for name, number in counts.items() if number != 1]
        return [f"the question has no solution: {' and '.join(wrong)} instead of one"] if wrong else []

    def value(self, answer: Tokens) -> NDArray[Any]:
        """See `Notation`."""
        cells = self.cells(answer).astype(np.int64)
        names = np.array([BROKEN, *MAZE_CHARACTERS[1:]])
        return names[np.where((cells > 0) & (cells < len(names)), cells, 0)]

    def text(self, question: Tokens, answer: Tokens, colours: bool) -> str:
        """See `Notation`."""
        rows = zip(self.cells(question).tolist(), self.value(answer).tolist(), strict=True)
        return "\n".join("".join(_sign(*pair, colours) for pair in zip(*row, strict=True)) for row in rows)


def _sign(question_token: int, sign: str, colours: bool) -> str:
    if sign == MAZE_CHARACTERS[MAZE_PATH] and question_token in (MAZE_FREE, MAZE_PATH):
        return ink(sign, ANSWER, colours)
    if sign != MAZE_CHARACTERS[question_token]:
        return ink(sign, STRONG, colours)
    return ink(sign, OTHER if question_token == MAZE_WALL else QUESTION, colours)

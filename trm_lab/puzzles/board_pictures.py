"""Queens, sudokus and mazes: boards of n×n cells, L = n·n tokens."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Circle
from numpy.typing import NDArray

from trm_lab.puzzles.boards import cell_points, draw_cells, frame, mark_wrong, write_in_cell
from trm_lab.puzzles.palette import BLUE, GREEN, SKY, VERMILION
from trm_lab.puzzles.picture import Colours, Example, Tokens
from trm_lab.puzzles.vocabularies import (
    MAZE_CHARACTERS,
    MAZE_GOAL,
    MAZE_START,
    QUEENS_EMPTY,
    QUEENS_QUEEN,
    SUDOKU_BLANK,
)

LEGIBLE = 5.0  # points: in smaller cells S and G are larger than their cell
QUEEN = "♛"
NO_TOKEN = "?"  # what a token reads as that no cell can have
LIGHT, DARK, STRANGE = "#F7F1E3", "#DCCFB4", "#F5C6C0"
WALL, FREE = "#3A3A3A", "#FFFFFF"
GIVEN, FOUND = "#000000", BLUE
LINE = "#222222"
STRANGE_LEGEND = "Pink: a token that means nothing here."


class BoardPicture(ABC):
    """A square board; a prediction's wrong cells get a dot.

    side: n.  width: of a panel, in inches.
    """

    signs = ""

    def __init__(self, side: int, width: float) -> None:
        self.side, self.width = side, width

    @property
    def legend(self) -> str:
        """See `Picture`."""
        return f"White dots with a black rim: cells that differ from the answer shown. {self.signs}"

    @property
    def question_width(self) -> float:
        """Of the question's panel, in inches."""
        return self.width

    @property
    def answer_width(self) -> float:
        """Of an answer's panel, in inches."""
        return self.width

    def height(self, example: Example, predictions: Sequence[Tokens] = ()) -> float:
        """See `Picture`."""
        return self.width

    def fits(self, tokens: int) -> bool:
        """See `Picture`."""
        return tokens == self.side**2

    def draw_question(self, axes: Axes, example: Example) -> None:
        """See `Picture`."""
        self._draw(axes, self._cells(example.inputs), self._cells(example.inputs))

    def draw_answer(self, axes: Axes, example: Example) -> None:
        """See `Picture`."""
        self._draw(axes, self._cells(example.answer), self._cells(example.inputs))

    def draw_prediction(self, axes: Axes, example: Example, prediction: Tokens, solved: bool) -> None:
        """See `Picture`."""
        cells = self._cells(prediction)
        self._draw(axes, cells, self._cells(example.inputs))
        mark_wrong(axes, self._cells(example.wrong(prediction)), around=self._written(cells))

    def mark_changes(self, axes: Axes, example: Example, before: Tokens, after: Tokens) -> None:
        """See `Picture`."""
        frame(axes, self._cells(before != after))

    def colours_height(self, example: Example) -> float:
        """See `Picture`."""
        return self.width

    def draw_colours(self, axes: Axes, example: Example, rgb: Colours) -> None:
        """See `Picture`."""
        draw_cells(axes, rgb.reshape(self.side, self.side, 3))

    def remark(self, example: Example, prediction: Tokens, solved: bool) -> str:
        """See `Picture`."""
        wrong = int(example.wrong(prediction).sum())
        if solved:
            return f"solved, {wrong:,} differ" if wrong else "solved"
        return f"{wrong:,} wrong" if wrong else "not solved"

    def _cells(self, tokens: NDArray[Any]) -> NDArray[Any]:
        return tokens.reshape(self.side, self.side)

    @abstractmethod
    def _draw(self, axes: Axes, cells: NDArray[Any], question: NDArray[Any]) -> None: ...

    @abstractmethod
    def _written(self, cells: NDArray[Any]) -> NDArray[np.bool_]:
        """Which cells hold a symbol."""


class QueensPicture(BoardPicture):
    """A chessboard; given queens are black, the others blue."""

    signs = f"Black queens are given, blue ones are answers. {STRANGE_LEGEND}"

    def __init__(self, facts: Mapping[str, Any]) -> None:
        side = int(facts["side"])
        super().__init__(side, float(np.clip(0.15 * side, 0.9, 1.6)))

    def _draw(self, axes: Axes, cells: NDArray[Any], question: NDArray[Any]) -> None:
        rows, columns = np.indices(cells.shape)
        squares = np.array([to_rgb(LIGHT), to_rgb(DARK)])[(rows + columns) % 2]
        squares[~np.isin(cells, (QUEENS_EMPTY, QUEENS_QUEEN))] = to_rgb(STRANGE)
        draw_cells(axes, squares)
        for row, column in np.argwhere(cells == QUEENS_QUEEN).tolist():
            colour = GIVEN if question[row, column] == QUEENS_QUEEN else FOUND
            write_in_cell(axes, (row, column), QUEEN, colour, 0.95, bold=False)

    def _written(self, cells: NDArray[Any]) -> NDArray[np.bool_]:
        return cells == QUEENS_QUEEN


class SudokuPicture(BoardPicture):
    """Digits in boxes; given ones are bold and black, the others blue."""

    signs = f"Bold digits are given, blue ones are answers. {NO_TOKEN}: no digit."

    def __init__(self, facts: Mapping[str, Any]) -> None:
        side = int(facts["size"])
        super().__init__(side, float(np.clip(0.165 * side, 0.95, 2.2)))
        self.box = int(facts["box_rows"]), int(facts["box_columns"])

    def _draw(self, axes: Axes, cells: NDArray[Any], question: NDArray[Any]) -> None:
        given = question > SUDOKU_BLANK
        paper = np.where(given[..., None], to_rgb("#EFEFEF"), to_rgb("#FFFFFF"))
        draw_cells(axes, paper)
        for lines, step in ((axes.hlines, self.box[0]), (axes.vlines, self.box[1])):
            lines(range(0, self.side + 1, step), 0, self.side, colors=LINE, linewidth=1.3)
        for row, column in np.argwhere(self._written(cells)).tolist():
            digit = int(cells[row, column]) - SUDOKU_BLANK
            text = str(digit) if 0 < digit <= self.side else NO_TOKEN
            fixed = bool(given[row, column])
            write_in_cell(axes, (row, column), text, GIVEN if fixed else FOUND, 0.66, bold=fixed)

    def _written(self, cells: NDArray[Any]) -> NDArray[np.bool_]:
        return cells != SUDOKU_BLANK


class MazePicture(BoardPicture):
    """Walls, the path, S and G."""

    signs = f"Blue: the path; S: green, G: red. {STRANGE_LEGEND}"

    def __init__(self, facts: Mapping[str, Any]) -> None:
        side = int(facts["side"])
        super().__init__(side, float(np.clip(0.055 * side, 1.2, 1.8)))

    def _draw(self, axes: Axes, cells: NDArray[Any], question: NDArray[Any]) -> None:
        colours = [STRANGE, WALL, FREE, GREEN, VERMILION, SKY]
        palette = np.array([to_rgb(colour) for colour in colours])
        draw_cells(axes, palette[np.where(cells < len(colours), cells, 0)])
        small = cell_points(axes) < LEGIBLE
        for token in (MAZE_START, MAZE_GOAL):
            for row, column in np.argwhere((cells == token) & (question == token)).tolist():
                if small:
                    disc = Circle((column + 0.5, row + 0.5), 1.3, fc=colours[token], ec="white", zorder=2.7)
                    disc.set_clip_on(False)  # at the edge of the board it is wider than the panel
                    axes.add_patch(disc)
                write_in_cell(
                    axes, (row, column), MAZE_CHARACTERS[token], "#FFFFFF", 1.5 if small else 0.7, bold=True
                )

    def _written(self, cells: NDArray[Any]) -> NDArray[np.bool_]:
        return np.zeros(cells.shape, bool)

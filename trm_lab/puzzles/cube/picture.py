"""2×2×2 cubes: the unfolded net of the question; moves, each answer's below the cube that they lead to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trm_lab.puzzles.cube.scorer import STICKERS, sticker_sources
from trm_lab.puzzles.cube.tokens import CUBE_END, CUBE_FACES, CUBE_FIRST_COLOUR, CUBE_FIRST_MOVE
from trm_lab.puzzles.drawing import (
    BLACK,
    CHANGED,
    UNKNOWN_COLOUR,
    VERMILION,
    add_rectangle,
    cell_points,
    draw_slots,
    fit,
    write_in_cell,
)
from trm_lab.puzzles.picture import Colours, Example, Tokens

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Where each face lies in the net, in faces: (row, column).
PLACES = {"U": (0, 1), "L": (1, 0), "F": (1, 1), "R": (1, 2), "B": (1, 3), "D": (2, 1)}
NET_ROWS, NET_COLUMNS = 6, 8  # stickers
# Of the faces of a solved cube, as such cubes are sold.
COLOURS = {"U": "#FFFFFF", "R": "#C41E3A", "F": "#009B48", "D": "#FFD500", "L": "#FF8A1E", "B": "#0051BA"}
DARK_FACES, EDGES = "RFB", "#222222"
MOVES_IN_LINE, LINE_ROWS, ABOVE_MOVES = 6, 1.25, 0.3  # the latter two in stickers
NO_MOVE, END_MARK = "?", "·"
AFTER_END = "#AAAAAA"
WIDTH = 1.45  # inches


class CubePicture:
    """facts: with the names of the dataset's moves."""

    question_width = answer_width = WIDTH
    legend = signs = (
        "Above the predicted moves: the cube that they lead to, up to the first ·, which ends the answer. ?: no move. "
        "Red moves: not those of the answer shown; grey: after the end."
    )

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.moves = [str(name) for name in facts["moves"]]

    def fits(self, tokens: int) -> bool:
        """See `Picture`."""
        return tokens > STICKERS

    def height(self, example: Example, predictions: Sequence[Tokens] = ()) -> float:
        """See `Picture`."""
        return WIDTH * self._rows(example) / NET_COLUMNS

    def draw_question(self, axes: Axes, example: Example) -> None:
        """See `Picture`."""
        self._draw_net(axes, example, example.inputs[:STICKERS])

    def draw_answer(self, axes: Axes, example: Example) -> None:
        """See `Picture`."""
        self._draw_moves(axes, example, example.answer, np.zeros(len(example.inputs), bool))

    def draw_prediction(self, axes: Axes, example: Example, prediction: Tokens, solved: bool) -> None:
        """See `Picture`."""
        self._draw_moves(axes, example, prediction, example.wrong(prediction))

    def mark_changes(self, axes: Axes, example: Example, before: Tokens, after: Tokens) -> None:
        """See `Picture`."""
        wide = NET_COLUMNS / MOVES_IN_LINE
        for slot in np.flatnonzero(before[STICKERS:] != after[STICKERS:]).tolist():
            line, place = divmod(slot, MOVES_IN_LINE)
            corner = (place * wide + 0.05, NET_ROWS + ABOVE_MOVES + LINE_ROWS * line + 0.05)
            size = wide - 0.1, LINE_ROWS - 0.1
            add_rectangle(axes, corner, *size, fill=False, ec=CHANGED, lw=0.13 * cell_points(axes))

    def colours_height(self, example: Example) -> float:
        """See `Picture`."""
        return WIDTH / MOVES_IN_LINE * self._lines(example)

    def draw_colours(self, axes: Axes, example: Example, rgb: Colours) -> None:
        """See `Picture`."""
        signs = [self.sign(int(token)) for token in example.answer[STICKERS:]]
        draw_slots(axes, rgb[STICKERS:], signs, MOVES_IN_LINE)

    def remark(self, example: Example, prediction: Tokens, solved: bool) -> str:
        """See `Picture`."""
        return "solved" if solved else "not solved"

    def after(self, example: Example, answer: Tokens) -> Tokens:
        """The stickers `[24]` of the question's cube after an answer's moves; what is no move is skipped."""
        stickers = example.inputs[:STICKERS]
        for token in answer[STICKERS:]:
            if token == CUBE_END:
                break
            name = self.sign(int(token))
            stickers = stickers if name == NO_MOVE else stickers[sticker_sources(name)]
        return stickers

    def sign(self, token: int) -> str:
        """The text of a token of the answer: a move's name, an end mark, or `?`."""
        if token == CUBE_END:
            return END_MARK
        move = token - CUBE_FIRST_MOVE
        return self.moves[move] if 0 <= move < len(self.moves) else NO_MOVE

    def _lines(self, example: Example) -> int:
        return -(-(len(example.inputs) - STICKERS) // MOVES_IN_LINE)

    def _rows(self, example: Example) -> float:
        return NET_ROWS + ABOVE_MOVES + LINE_ROWS * self._lines(example)

    def _draw_net(self, axes: Axes, example: Example, stickers: Tokens) -> None:
        fit(axes, self._rows(example), NET_COLUMNS)
        for place, token in enumerate(stickers.tolist()):
            face, (row, column) = CUBE_FACES[place // 4], divmod(place % 4, 2)
            at = 2 * PLACES[face][0] + row, 2 * PLACES[face][1] + column
            colour = token - CUBE_FIRST_COLOUR
            home = CUBE_FACES[colour] if 0 <= colour < len(CUBE_FACES) else ""
            paint = COLOURS.get(home, UNKNOWN_COLOUR)
            add_rectangle(axes, (at[1], at[0]), 1, 1, facecolor=paint, edgecolor=EDGES, linewidth=0.6)
            letter = "#FFFFFF" if home in DARK_FACES else "#333333"
            write_in_cell(axes, at, home, letter, 0.5, bold=False)

    def _draw_moves(self, axes: Axes, example: Example, answer: Tokens, wrong: NDArray[np.bool_]) -> None:
        self._draw_net(axes, example, self.after(example, answer))
        ended = np.cumsum(answer[STICKERS:] == CUBE_END) > 0
        for slot, token in enumerate(answer[STICKERS:].tolist()):
            line, place = divmod(slot, MOVES_IN_LINE)
            colour = VERMILION if wrong[STICKERS + slot] else BLACK
            axes.text(
                (place + 0.5) * NET_COLUMNS / MOVES_IN_LINE,
                NET_ROWS + ABOVE_MOVES + LINE_ROWS * (line + 0.5),
                self.sign(token),
                color=AFTER_END if ended[slot] and token != CUBE_END else colour,
                fontsize=0.62 * cell_points(axes),
                ha="center", va="center_baseline",
            )  # fmt: skip

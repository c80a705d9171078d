"""Questions and answers as texts, wrapped. Tokens as in `trm_lab/puzzles/text/tokens.py`."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from trm_lab.puzzles.drawing import BLACK, CHANGED, GREEN, POINTS, VERMILION, bare, draw_slots, inches
from trm_lab.puzzles.picture import Colours, Example, Tokens
from trm_lab.puzzles.text.tokens import END, TextTokens

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FONT = "DejaVu Sans Mono"
POINT_SIZE = 7.0
LETTER, LINE = 0.602, 1.25  # width of a letter and height of a line, in that size
MOST_LINES = 14
PADDING = 0.05  # inches
LEAST_HEIGHT = 0.74  # inches: so that the name of the row fits beside it
NO_GLYPH = "▯"
SLOTS_IN_LINE, END_SLOT = 8, "·"
NOTHING = "(empty)"


class TextPicture:
    """facts: what `TextTokens.facts` gave."""

    question_width, answer_width = 3.4, 1.16
    legend = signs = (
        f"An answer is read up to its end mark; {NOTHING}: that comes first. �: a token that is no character."
    )

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.tokens, self.question_length = TextTokens.from_facts(facts), int(facts["question_length"])

    def fits(self, tokens: int) -> bool:
        """See `Picture`."""
        return 0 < self.question_length < tokens

    def height(self, example: Example, predictions: Sequence[Tokens] = ()) -> float:
        """See `Picture`."""
        lines = len(wrapped(self.question_text(example), self.question_width))
        for answer in (example.answer, *predictions):
            lines = max(lines, len(wrapped(self.answer_text(answer), self.answer_width)))
        return max(LEAST_HEIGHT, 2 * PADDING + lines * POINT_SIZE * LINE / POINTS)

    def draw_question(self, axes: Axes, example: Example) -> None:
        """See `Picture`."""
        write(axes, self.question_text(example), BLACK)

    def draw_answer(self, axes: Axes, example: Example) -> None:
        """See `Picture`."""
        write(axes, self.answer_text(example.answer), BLACK)

    def draw_prediction(self, axes: Axes, example: Example, prediction: Tokens, solved: bool) -> None:
        """See `Picture`."""
        write(axes, self.answer_text(prediction), GREEN if solved else VERMILION)

    def mark_changes(self, axes: Axes, example: Example, before: Tokens, after: Tokens) -> None:
        """See `Picture`; a text that changed has a frame as a whole."""
        if self.answer_text(before) != self.answer_text(after):
            axes.spines[:].set(visible=True, edgecolor=CHANGED, linewidth=1.5)

    def colours_height(self, example: Example) -> float:
        """See `Picture`."""
        slots = len(example.inputs) - self.question_length
        return self.answer_width / SLOTS_IN_LINE * -(-slots // SLOTS_IN_LINE)

    def draw_colours(self, axes: Axes, example: Example, rgb: Colours) -> None:
        """See `Picture`; the signs are the answer's."""
        draw_slots(axes, rgb[self.question_length :], self.slot_signs(example), SLOTS_IN_LINE)

    def slot_signs(self, example: Example) -> list[str]:
        """What stands in each slot of the answer."""
        tokens = example.answer[self.question_length :, None]
        return [END_SLOT if token == END else _drawable(self.tokens.decode(token)) for token in tokens]

    def remark(self, example: Example, prediction: Tokens, solved: bool) -> str:
        """See `Picture`."""
        return "right" if solved else "wrong"

    def question_text(self, example: Example) -> str:
        """The question."""
        return self.tokens.decode(example.inputs[: self.question_length])

    def answer_text(self, tokens: Tokens) -> str:
        """What tokens `[L]` answer."""
        return self.tokens.decode_answers(np.asarray(tokens)[None], self.question_length)[0] or NOTHING


def wrapped(text: str, width: float) -> list[str]:
    """The lines of a text in a panel `width` inches wide; of a long one the first `MOST_LINES`."""
    letters = int((width - 2 * PADDING) * POINTS / (POINT_SIZE * LETTER))
    lines = [line for part in _drawable(text).splitlines() for line in textwrap.wrap(part, letters) or [""]]
    if len(lines) > MOST_LINES:
        lines = [*lines[: MOST_LINES - 1], lines[MOST_LINES - 1][: letters - 2] + " …"]
    return lines


def write(axes: Axes, text: str, colour: str) -> None:
    """Write a text from the top of a panel."""
    bare(axes)
    axes.set_facecolor("#F6F6F6")
    wide, high = inches(axes)
    axes.text(
        PADDING / wide, 1 - PADDING / high, "\n".join(wrapped(text, wide)),
        color=colour, family=FONT, fontsize=POINT_SIZE, linespacing=LINE,
        va="top", transform=axes.transAxes, parse_math=False,
    )  # fmt: skip


def _drawable(text: str) -> str:
    """The text with a box for what the font does not have, and spaces for tabs."""
    glyphs = _glyphs()
    return "".join(letter if ord(letter) in glyphs or letter == "\n" else NO_GLYPH for letter in text.expandtabs(4))


@cache
def _glyphs() -> frozenset[int]:
    from matplotlib.font_manager import findfont, get_font

    return frozenset(get_font(findfont(FONT)).get_charmap())

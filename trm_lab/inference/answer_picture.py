"""A question, the answer after each supervision step, and the last one, as a picture. Sizes are in inches.

Figures are made without pyplot: they need no display. L tokens, S supervision steps.
"""

import textwrap
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from trm_lab.puzzles.picture import Example, Picture, Tokens

EDGE, GAP, HEADING, TITLE, LINE, LETTER = 0.15, 0.2, 0.28, 0.24, 0.15, 0.058
WIDEST, MOST_STEPS = 11.0, 16
LEGEND = "Frames: cells that changed since the step shown before."
_RC = matplotlib.RcParams({"font.family": "DejaVu Sans", "font.size": 8, "savefig.dpi": 160})


def picture_of_steps(
    picture: Picture, question: Tokens, steps: NDArray[np.integer[Any]], heading: str, words: Sequence[str]
) -> Figure:
    """Panels in lines as wide as a page; of more than `MOST_STEPS` steps some are shown, the last always.

    question: `[L]`.  steps: `[S, L]`.  words: for below.
    """
    shown = np.unique(np.linspace(1, len(steps), min(len(steps), MOST_STEPS)).round().astype(int)).tolist()
    examples = [Example(question, steps[number - 1]) for number in shown]
    titles = ["question", *(f"after step {number}" for number in shown)]
    widths = [picture.question_width, *[picture.answer_width] * len(shown)]
    high = picture.height(examples[-1], [example.labels for example in examples])
    lines = _lines(widths)
    width = 2 * EDGE + max(sum(widths[n] + GAP for n in line) - GAP for line in lines)
    small = [part for text in (*words, LEGEND) for part in textwrap.wrap(text, max(20, int(width / LETTER)))]
    height = 2 * EDGE + HEADING + (TITLE + high) * len(lines) + 0.5 * GAP + LINE * len(small)
    with matplotlib.rc_context(_RC):
        figure = Figure(figsize=(width, height))
        figure.text(EDGE / width, 1 - EDGE / height, heading, fontsize=9, va="top", parse_math=False)
        figure.text(EDGE / width, EDGE / height, "\n".join(small), fontsize=7, color="#444444", parse_math=False)
        bottom = height - EDGE - HEADING
        for line in lines:
            bottom -= TITLE + high
            left = EDGE
            for panel in line:
                axes = figure.add_axes((left / width, bottom / height, widths[panel] / width, high / height))
                if panel == 0:
                    picture.draw_question(axes, examples[-1])
                else:
                    picture.draw_answer(axes, examples[panel - 1])
                if panel > 1:
                    picture.mark_changes(
                        axes, examples[panel - 1], examples[panel - 2].labels, examples[panel - 1].labels
                    )
                axes.set_title(titles[panel], fontsize=8, pad=3)
                left += widths[panel] + GAP
    return figure


def _lines(widths: Sequence[float]) -> list[list[int]]:
    """The numbers of the panels in each line."""
    lines: list[list[int]] = [[]]
    for number, width in enumerate(widths):
        if lines[-1] and sum(widths[n] + GAP for n in lines[-1]) + width > WIDEST:
            lines.append([])
        lines[-1].append(number)
    return lines

"""An answered task as a picture: its demonstrations, then for each test input the answer after each supervision step.

Figures are made without pyplot: they need no display. Sizes are in inches.
"""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trm_lab.files.whole_files import mark
from trm_lab.inference.answering import TaskAnswer
from trm_lab.inference.panels import RIGHT, Panel, answer_panels, demonstration_panels
from trm_lab.puzzles.arc.colours import TOKEN_RGB
from trm_lab.puzzles.arc.grids import FIRST_COLOUR
from trm_lab.puzzles.drawing import GREEN, MARGIN, VERMILION, draw_cells, fit, mark_wrong

PANEL, LARGE_PANEL, GAP, EDGE = 1.2, 1.7, 0.16, 0.15
SMALL_GRID, READABLE = 16, 0.12  # most rows or columns in a `PANEL`; side of a cell that is seen well
HEADING, TITLE, NOTES = 0.25, 0.2, 0.4  # the picture's heading, titles above grids, notes below
LINE, LETTER = 0.14, 0.058  # height and width of the small words at the end
FEWEST_COLUMNS, MOST_STEPS, FEW_STEPS = 6, 8, 6
LEGEND = (
    "Circles mark cells that differ from the right answer. Steps show the task without augmentation; "
    "the attempts are what all of its augmentations voted for."
)
_RC = matplotlib.RcParams({"font.family": "DejaVu Sans", "font.size": 8, "savefig.dpi": 160})


def save_picture(answer: TaskAnswer, heading: str, remarks: Sequence[str], file: Path) -> None:
    """Write the picture as PNG.

    remarks: how it was answered, for the small words below.
    """
    with matplotlib.rc_context(_RC), file.open("wb") as stream:
        picture(answer, heading, remarks).savefig(stream, format="png", metadata={"Software": mark("answer")})


def picture(answer: TaskAnswer, heading: str, remarks: Sequence[str]) -> Figure:
    """Demonstrations above, a row for each test input below."""
    rows, panel = _rows(answer)
    columns = max(FEWEST_COLUMNS, *map(len, rows))
    width = 2 * EDGE + columns * (panel + GAP) - GAP
    words = [line for text in (*remarks, LEGEND) for line in textwrap.wrap(text, int((width - 2 * EDGE) / LETTER))]
    sides = [_sides(row, panel) for row in rows]
    tall = [
        max(panel * (len(shown.grid) + 2 * MARGIN) / side for shown, side in zip(row, of_row, strict=True))
        for row, of_row in zip(rows, sides, strict=True)
    ]
    below = [NOTES if any(shown.note for shown in row) else TITLE for row in rows]
    height = 2 * EDGE + HEADING + TITLE * len(rows) + sum(tall) + sum(below) + LINE * len(words)
    figure = Figure(figsize=(width, height))
    left, bottom = EDGE / width, height - EDGE - HEADING
    figure.text(left, 1 - EDGE / height, heading, fontsize=11, va="top", parse_math=False)
    figure.text(left, EDGE / height, "\n".join(words), fontsize=7, color="#444444", parse_math=False)
    for row, of_row, inches, notes in zip(rows, sides, tall, below, strict=True):
        bottom -= TITLE + inches
        for place, (shown, side) in enumerate(zip(row, of_row, strict=True)):
            x = EDGE + place * (panel + GAP)
            _draw(figure.add_axes((x / width, bottom / height, panel / width, inches / height)), shown, side)
            if not shown.title:  # the output of a demonstration
                figure.text((x - GAP / 2) / width, (bottom + inches / 2) / height, "→", ha="center", va="center")
        bottom -= notes
    return figure


def _rows(answer: TaskAnswer) -> tuple[list[list[Panel]], float]:
    """The panels of each row, and the width of a panel."""
    shown = [panel for pair in demonstration_panels(answer.task) for panel in pair]
    tests = range(len(answer.outputs))
    inputs = [answer_panels(answer, index, ())[0] for index in tests]
    large = max(max(panel.grid.shape) for panel in (*shown, *inputs)) > SMALL_GRID
    last = len(answer.outputs[0].steps)
    count = min(last, FEW_STEPS if large else MOST_STEPS)
    steps = np.linspace(1, last, count).round().astype(int).tolist()
    answers = [answer_panels(answer, index, steps) for index in tests]
    in_line = max(FEWEST_COLUMNS, *map(len, answers)) // 2 * 2  # demonstrations are pairs
    lines = [shown[at : at + in_line] for at in range(0, len(shown), in_line)]
    return [*lines, *answers], LARGE_PANEL if large else PANEL


def _sides(row: Sequence[Panel], panel: float) -> list[int]:
    """Rows or columns that would fill each panel: one scale, but outputs beside much larger inputs are magnified."""
    inputs = [shown.title.startswith(("demonstration", "test input")) for shown in row]
    grids = [max(shown.grid.shape) for shown in row]
    outputs = [side for side, is_input in zip(grids, inputs, strict=True) if not is_input]
    side_of_outputs = min(max(grids), max(*outputs, round(panel / READABLE)))
    return [max(grids) if is_input else side_of_outputs for is_input in inputs]


def _draw(axes: Axes, panel: Panel, side: int) -> None:
    """A grid with its words, at the scale at which `side` rows or columns fill the panel."""
    if panel.grid.size:
        draw_cells(axes, TOKEN_RGB[panel.grid + FIRST_COLOUR], (len(panel.grid), side))
        mark_wrong(axes, panel.wrong)
    else:
        fit(axes, 1, 1)
    weight = "bold" if panel.note else "normal"
    axes.set_title(panel.title, fontsize=8, fontweight=weight, pad=3, parse_math=False)
    notes = [note for note in (panel.verdict, panel.note) if note]
    colour = {RIGHT: GREEN, "": "black"}.get(panel.verdict, VERMILION)
    axes.set_xlabel("\n".join(notes), fontsize=7.5, color=colour, labelpad=2)

"""An answered task as a picture: its demonstrations, then for each test input the answer after each supervision step.

Figures are made without pyplot: they need no display. Sizes are in inches.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trm_lab.files.whole_files import mark
from trm_lab.inference.answering import TaskAnswer
from trm_lab.inference.panels import NO_GRID, RIGHT, Panel, answer_panels, demonstration_panels
from trm_lab.puzzles.arc.colours import ARC_COLOURS, rgb
from trm_lab.puzzles.drawing import GRID_LINE_COLOUR

PANEL, LARGE_PANEL, GAP, EDGE = 1.2, 1.7, 0.16, 0.15
SMALL_GRID, READABLE = 16, 0.12  # most rows or columns in a `PANEL`; side of a cell that is seen well
TITLE, NOTES, BETWEEN = 0.22, 0.32, 0.12  # above a row of panels, below a row of answers, between rows
LINE, SMALL_LINE = 0.22, 0.14  # of the heading; of the small words below
LETTER = 0.058  # width of a small letter
FEWEST_COLUMNS, MOST_STEPS, FEW_STEPS = 6, 8, 6
DOT, LARGEST_DOT = 0.38, 8  # of a cell's side; points
POINTS = 72  # in an inch
THICK_LINES = 0.08  # side of a cell from which on lines are thick
GOOD, BAD = (
    "#009E73",
    "#D55E00",
)  # of Okabe and Ito: they stay apart under the common kinds of colour blindness
LEGEND = (
    "White dots mark cells that differ from the right answer. Steps show the task without augmentation; "
    "the attempts are what all of its augmentations voted for."
)
_RC = matplotlib.RcParams({"font.family": "DejaVu Sans", "font.size": 8, "savefig.dpi": 160})
_RGB = np.array([rgb(colour) for colour in ARC_COLOURS]) / 255  # [10, 3]


@dataclass(frozen=True)
class Row:
    """Panels of equal width. paired: every second one is the output of the one before; else the first is the input.

    Grids are drawn at one scale; only beside an input so large that its cells are hardly seen, outputs are larger.
    """

    panels: Sequence[Panel]
    paired: bool
    width: float

    @property
    def cells(self) -> list[float]:
        """The side of a cell in each panel."""
        alike = self.width / _side(self.panels)
        inputs = [place % 2 == 0 if self.paired else place == 0 for place in range(len(self.panels))]
        outputs = [panel for panel, is_input in zip(self.panels, inputs, strict=True) if not is_input]
        larger = max(alike, min(self.width / _side(outputs), READABLE))
        return [alike if is_input else larger for is_input in inputs]

    @property
    def tall(self) -> float:
        """Of the tallest grid."""
        return max(cell * len(panel.grid) for cell, panel in zip(self.cells, self.panels, strict=True))

    @property
    def height(self) -> float:
        """What it takes, with its words."""
        return TITLE + self.tall + BETWEEN + (0 if self.paired else NOTES)


def _side(panels: Sequence[Panel]) -> int:
    """The most rows or columns of a grid, at least 1."""
    return max(1, *(max(panel.grid.shape) for panel in panels))


def save_picture(answer: TaskAnswer, heading: str, remarks: Sequence[str], file: Path) -> None:
    """Write the picture as PNG.

    remarks: how it was answered, for the small words below.
    """
    drawn = BytesIO()
    with matplotlib.rc_context(_RC):
        picture(answer, heading, remarks).savefig(drawn, format="png", metadata={"Software": mark("answer")})
    file.write_bytes(drawn.getvalue())


def picture(answer: TaskAnswer, heading: str, remarks: Sequence[str]) -> Figure:
    """Demonstrations above, a row for each test input below."""
    rows = _rows(answer)
    columns = max(FEWEST_COLUMNS, *(len(row.panels) for row in rows))
    width = 2 * EDGE + columns * (rows[0].width + GAP) - GAP
    letters = int((width - 2 * EDGE) / LETTER)
    words = [line for remark in (*remarks, LEGEND) for line in textwrap.wrap(remark, letters)]
    height = 2 * EDGE + LINE + sum(row.height for row in rows) + SMALL_LINE * len(words)
    sheet = _Sheet(Figure(figsize=(width, height)), width, height)
    sheet.write(EDGE, height - EDGE, heading, fontsize=11, va="top")
    sheet.write(EDGE, EDGE, "\n".join(words), fontsize=7, linespacing=1.4, color="#444444")
    top = height - EDGE - LINE
    for row in rows:
        sheet.draw(row, top)
        top -= row.height
    return sheet.figure


def _rows(answer: TaskAnswer) -> list[Row]:
    shown = [panel for pair in demonstration_panels(answer.task) for panel in pair]
    taken, tests = len(answer.outputs[0].steps), range(len(answer.outputs))
    large = _side([*shown, *(answer_panels(answer, index, ())[0] for index in tests)]) > SMALL_GRID
    width, most_steps = (LARGE_PANEL, FEW_STEPS) if large else (PANEL, MOST_STEPS)
    steps = np.linspace(1, taken, min(taken, most_steps)).round().astype(int).tolist()
    answered = [Row(answer_panels(answer, index, steps), False, width) for index in tests]
    in_line = max(FEWEST_COLUMNS, *(len(row.panels) for row in answered)) // 2 * 2
    lines = [shown[at : at + in_line] for at in range(0, len(shown), in_line)]
    return [*(Row(line, True, width) for line in lines), *answered]


@dataclass(frozen=True)
class _Sheet:
    """A figure measured from its lower left corner."""

    figure: Figure
    width: float
    height: float

    def write(self, x: float, y: float, text: str, **style: Any) -> None:
        self.figure.text(x / self.width, y / self.height, text, parse_math=False, **style)

    def draw(self, row: Row, top: float) -> None:
        """A row of panels whose words begin at `top`."""
        middle = top - TITLE - row.tall / 2
        for place, (panel, cell) in enumerate(zip(row.panels, row.cells, strict=True)):
            left = EDGE + place * (row.width + GAP)
            centre, below = left + row.width / 2, top - TITLE - row.tall
            weight = "bold" if panel.note else "normal"
            self.write(centre, top - TITLE + 0.05, panel.title, fontsize=8, fontweight=weight, ha="center")
            self._draw_grid(panel, (centre, middle), cell)
            colour = GOOD if panel.verdict == RIGHT else BAD
            notes = [(panel.verdict, colour)] * bool(panel.verdict) + [(panel.note, "black")]
            for number, (note, ink) in enumerate(notes, start=1):
                self.write(centre, below - number * SMALL_LINE, note, color=ink, fontsize=7.5, ha="center")
            if row.paired and place % 2:
                self.write(left - GAP / 2, middle, "→", ha="center", va="center")

    def _draw_grid(self, panel: Panel, centre: tuple[float, float], cell: float) -> None:
        """Cells, thin lines between them, and a dot on what is wrong."""
        rows, columns = panel.grid.shape
        if not panel.grid.size:
            self.write(*centre, NO_GRID, ha="center", va="center")
            return
        wide, tall = columns * cell, rows * cell
        left, floor = centre[0] - wide / 2, centre[1] - tall / 2
        axes = self.figure.add_axes(
            (left / self.width, floor / self.height, wide / self.width, tall / self.height)
        )
        axes.set_axis_off()
        axes.imshow(_RGB[panel.grid], extent=(0, columns, rows, 0), interpolation="nearest", aspect="auto")
        _draw_lines(axes, rows, columns, 0.5 if cell > THICK_LINES else 0.25)
        down, across = np.nonzero(panel.wrong)
        dot = min(DOT * cell * POINTS, LARGEST_DOT)
        axes.scatter(
            across + 0.5, down + 0.5, s=dot**2,
            c="white", edgecolors="black", linewidths=max(0.25, 0.18 * dot), zorder=2.5,
        )  # fmt: skip


def _draw_lines(axes: Axes, rows: int, columns: int, thick: float) -> None:
    style: dict[str, Any] = {"colors": GRID_LINE_COLOUR, "linewidth": thick, "clip_on": False}
    axes.hlines(range(rows + 1), 0, columns, **style)
    axes.vlines(range(columns + 1), 0, rows, **style)
    axes.set(xlim=(0, columns), ylim=(rows, 0))

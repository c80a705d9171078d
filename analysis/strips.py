"""What strips of every kind share: which samples and steps they show, and panels in rows under a heading.

Legend: K stored samples, S supervision steps. Sizes are in inches.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from analysis import style
from analysis.reading.run_directory import Run

MAX_TASKS = 6
MAX_STEPS = 8
GAP, LEFT, LABEL = 0.08, 0.32, 0.24  # between panels; for the name of a row; for what stands below its panels
TOP, CAPTION_LINE = 0.55, 0.14  # for the heading and the column titles; for a line of the caption
EDGE = 0.08

CHOICE = "half of them right where there are enough: a choice for the eye, not a score."


@dataclass(frozen=True)
class Sheet:
    """The sizes and the words of a figure of strips.

    columns: widths of the question's panel, of the steps' and of the answer's.  rows: heights.
    steps: the supervision steps shown, counted from 1.
    """

    columns: Sequence[float]
    rows: Sequence[float]
    steps: Sequence[int]
    heading: str
    caption: Sequence[str]

    def figure(self) -> tuple[Figure, list[list[Axes]]]:
        """An empty figure with its words, and its panels row by row."""
        bottom = 2 * EDGE + CAPTION_LINE * len(self.caption)
        width = LEFT + sum(self.columns) + GAP * len(self.columns)
        height = TOP + sum(self.rows) + LABEL * len(self.rows) + bottom
        fig = Figure(figsize=(width, height))
        grid, floor = [], height - TOP
        lefts = LEFT + np.cumsum([0.0, *(column + GAP for column in self.columns)])
        for row in self.rows:
            floor -= row
            boxes = zip(lefts, self.columns, strict=False)
            grid.append(
                [
                    fig.add_axes((left / width, floor / height, column / width, row / height))
                    for left, column in boxes
                ]
            )
            floor -= LABEL
        for axes, title in zip(grid[0], self._titles(), strict=True):
            axes.set_title(title, loc="center", fontsize=9)
        fig.text(EDGE / width, 1 - EDGE / height, self.heading, va="top", fontsize=11, parse_math=False)
        fig.text(
            EDGE / width, EDGE / height, "\n".join(self.caption),
            va="bottom", fontsize=7.5, linespacing=1.35, parse_math=False,
        )  # fmt: skip
        return fig, grid

    def _titles(self) -> list[str]:
        return ["question", *(f"step {step}" for step in self.steps), "answer"]


def choose_samples(right: NDArray[np.bool_], at_most: int = MAX_TASKS) -> list[int]:
    """Return which samples to show: half of them right, half not, each the first of its kind in file order.

    Where one kind is short the other fills up. The rule looks at nothing but `right` `[K]`.
    """
    solved, unsolved = np.flatnonzero(right).tolist(), np.flatnonzero(~right).tolist()
    from_unsolved = min(len(unsolved), max(at_most // 2, at_most - len(solved)))
    return solved[: at_most - from_unsolved] + unsolved[:from_unsolved]


def heading(run: Run) -> str:
    """What the predictions are of."""
    last = run.evaluation
    return f"{run.name}: {last.method}, seed {last.seed}, after {last.step:,} training steps"


def label(panels: Sequence[Axes], name: str, remarks: Sequence[str], right: bool) -> None:
    """Name a row of panels, and write what became of it below each prediction, the last in the colour of `right`."""
    question, *predicted, _ = panels
    question.set_ylabel(name, fontsize=8, labelpad=3, parse_math=False)
    for axes, remark in zip(predicted, remarks, strict=True):
        axes.set_xlabel(remark, fontsize=7.5, labelpad=2)
    predicted[-1].xaxis.label.set(color=style.GREEN if right else style.VERMILION, fontweight="bold")

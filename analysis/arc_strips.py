"""The figure of how answers improve: for some tasks the question, the prediction after each step, the answer.

Legend: K stored samples, S supervision steps, L grid tokens, h×w the part of the canvas that is shown.
"""

from dataclasses import dataclass
from math import isqrt

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from analysis import strips, style
from analysis.drawing.boards import draw_cells, mark_wrong
from analysis.reading.run_directory import Run, Samples
from trm.puzzles.arc_grids import PAD

PANEL = 1.16  # inches


@dataclass(frozen=True)
class Strip:
    """One row of the figure; all canvases are `[side, side]` tokens.

    steps: the supervision steps shown, counted from 1. predictions, wrong: one canvas for each of them.
    """

    name: str
    question: NDArray[np.uint8]
    answer: NDArray[np.uint8]
    steps: list[int]
    predictions: list[NDArray[np.uint8]]
    wrong: list[NDArray[np.bool_]]
    right: bool

    @property
    def extent(self) -> tuple[int, int]:
        """Rows and columns that the larger of question and answer covers, end-of-grid marks included."""
        sizes = [_extent(self.question), _extent(self.answer)]
        return max(rows for rows, _ in sizes), max(columns for _, columns in sizes)


def strip(samples: Samples, index: int) -> Strip:
    """Return the strip of sample `index`, its canvases square and at most `strips.MAX_STEPS` of its steps."""
    side = isqrt(samples.inputs.shape[1])
    chosen = style.evenly_chosen(samples.preds.shape[1], strips.MAX_STEPS)
    wrong = samples.wrong_cells()[index]
    answer = np.where(samples.labels[index] >= 0, samples.labels[index], PAD).astype(np.uint8)
    return Strip(
        name=_label(samples.names[index]),
        question=samples.inputs[index].reshape(side, side),
        answer=answer.reshape(side, side),
        steps=[step + 1 for step in chosen],
        predictions=[samples.preds[index, step].reshape(side, side) for step in chosen],
        wrong=[wrong[step].reshape(side, side) for step in chosen],
        right=bool(samples.exactly_right()[index]),
    )


def arc_strips(run: Run, samples: Samples) -> Figure:
    """Draw the strips of the chosen samples, one row for each."""
    right = samples.exactly_right()
    rows = [strip(samples, index) for index in strips.choose_samples(right)]
    with style.applied():
        fig, grid = strips.Sheet(
            columns=[PANEL] * (2 + len(rows[0].steps)),
            rows=[PANEL * _height_for(row.extent) for row in rows],
            steps=rows[0].steps,
            heading=strips.heading(run),
            caption=_caption(right, len(rows)),
        ).figure()
        for row, panels in zip(rows, grid, strict=True):
            _draw_strip(panels, row)
    return fig


def _extent(canvas: NDArray[np.uint8]) -> tuple[int, int]:
    used = canvas != PAD
    rows, columns = np.flatnonzero(used.any(axis=1)), np.flatnonzero(used.any(axis=0))
    return (int(rows[-1]) + 1, int(columns[-1]) + 1) if len(rows) else (1, 1)


def _height_for(extent: tuple[int, int]) -> float:
    """Height of a panel in panel widths: flat grids get flat rows, but never too flat to write the name."""
    rows, columns = extent
    return float(np.clip(rows / columns, 0.55, 1.25))


def _label(puzzle: str) -> str:
    """The task, with a star where the example is an augmentation of it."""
    task, augmented, _ = puzzle.partition("|||")
    return f"{task}*" if augmented else task


def _caption(right: NDArray[np.bool_], shown: int) -> list[str]:
    return [
        f"One test input of each of {len(right)} tasks: the first that ends exactly right, augmentations (*) included, "
        f"or else the first; {int(right.sum())} end right.",
        f"Shown are {shown} in file order, {strips.CHOICE}",
        "White dots with a black rim: wrong cells. Beige: end-of-grid marks. "
        "Predictions are cut to the answer's extent.",
    ]


def _draw_strip(panels: list[Axes], row: Strip) -> None:
    question, *predicted, answer = panels
    for axes, canvas in ((question, row.question), (answer, row.answer)):
        _draw_canvas(axes, canvas, row.extent, shown=_extent(canvas))
    rows, columns = _extent(row.answer)
    for axes, canvas, wrong in zip(predicted, row.predictions, row.wrong, strict=True):
        _draw_canvas(axes, canvas, row.extent, shown=(rows, columns))
        mark_wrong(axes, wrong[:rows, :columns])
    counts = [int(wrong.sum()) for wrong in row.wrong]
    remarks = [f"{count:,} wrong" if count else "right" for count in counts]
    strips.label(panels, row.name, remarks, row.right)


def _draw_canvas(
    axes: Axes, canvas: NDArray[np.uint8], extent: tuple[int, int], shown: tuple[int, int]
) -> None:
    """Draw the top-left `shown` rows and columns of a canvas, at the scale at which `extent` fits."""
    rows, columns = shown
    draw_cells(axes, style.TOKEN_RGB[canvas[:rows, :columns]], extent)

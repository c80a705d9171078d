"""The figure of how answers improve: for some tasks the question, the prediction after each step, the answer.

Legend: K stored samples, S supervision steps, L grid tokens, h×w the part of the canvas that is shown.
"""

from dataclasses import dataclass
from math import isqrt

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from analysis import style
from analysis.run_directory import Run, Samples

MAX_TASKS = 6
MAX_STEPS = 8
PANEL_INCHES, GAP_INCHES = 1.16, 0.08
LEFT_INCHES, LABEL_INCHES = 0.32, 0.24  # for the name of a row; for what stands below its panels
TOP_INCHES, BOTTOM_INCHES = 0.55, 0.58  # for the heading and the column titles; for the caption
PAD_TOKEN = 0


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


def choose_samples(right: NDArray[np.bool_], at_most: int = MAX_TASKS) -> list[int]:
    """Return which samples to show: half exactly right, half not, each the first of its kind in file order.

    Where one kind is short the other fills up. The rule looks at nothing but `right` `[K]`.
    """
    solved, unsolved = np.flatnonzero(right).tolist(), np.flatnonzero(~right).tolist()
    from_unsolved = min(len(unsolved), max(at_most // 2, at_most - len(solved)))
    return solved[: at_most - from_unsolved] + unsolved[:from_unsolved]


def strip(samples: Samples, index: int) -> Strip:
    """Return the strip of sample `index`, its canvases square and at most `MAX_STEPS` of its steps."""
    side = isqrt(samples.inputs.shape[1])
    chosen = style.evenly_chosen(samples.preds.shape[1], MAX_STEPS)
    wrong = samples.wrong_cells()[index]
    answer = np.where(samples.labels[index] >= 0, samples.labels[index], PAD_TOKEN).astype(np.uint8)
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
    strips = [strip(samples, index) for index in choose_samples(right)]
    with style.applied():
        fig, grid = _panels([_height_for(row.extent) for row in strips], columns=2 + len(strips[0].steps))
        for row, panels in zip(strips, grid, strict=True):
            _draw_strip(panels, row)
        for axes, title in zip(grid[0], _titles(strips[0]), strict=True):
            axes.set_title(title, loc="center", fontsize=9)
        _write(fig, _heading(run), 0.08, from_top=True, fontsize=11)
        _write(fig, _caption(right, len(strips)), 0.08, from_top=False, fontsize=7.5)
    return fig


def _panels(heights: list[float], columns: int) -> tuple[Figure, list[list[Axes]]]:
    """A figure with rows of panels, PANEL_INCHES wide and of the given heights in panel widths."""
    rows_inches = [PANEL_INCHES * height for height in heights]
    width = LEFT_INCHES + columns * (PANEL_INCHES + GAP_INCHES)
    height = TOP_INCHES + sum(rows_inches) + LABEL_INCHES * len(heights) + BOTTOM_INCHES
    fig = Figure(figsize=(width, height))
    grid, top = [], height - TOP_INCHES
    for row_inches in rows_inches:
        bottom = top - row_inches
        lefts = [LEFT_INCHES + column * (PANEL_INCHES + GAP_INCHES) for column in range(columns)]
        box = (bottom / height, PANEL_INCHES / width, row_inches / height)
        grid.append([fig.add_axes((left / width, *box)) for left in lefts])
        top = bottom - LABEL_INCHES
    return fig, grid


def _write(fig: Figure, text: str, inches: float, from_top: bool, fontsize: float) -> None:
    """Write text at the left edge, `inches` from the top or the bottom of the figure."""
    height = fig.get_figheight()
    where = 1 - inches / height if from_top else inches / height
    left = inches / fig.get_figwidth()
    fig.text(left, where, text, va="top" if from_top else "bottom", fontsize=fontsize, linespacing=1.35)


def _extent(canvas: NDArray[np.uint8]) -> tuple[int, int]:
    used = canvas != PAD_TOKEN
    rows, columns = np.flatnonzero(used.any(axis=1)), np.flatnonzero(used.any(axis=0))
    return (int(rows[-1]) + 1, int(columns[-1]) + 1) if len(rows) else (1, 1)


def _height_for(extent: tuple[int, int]) -> float:
    """Height of a panel in panel widths: flat grids get flat rows, but never too flat to write the name."""
    rows, columns = extent
    return float(np.clip(rows / columns, 0.55, 1.25))


def _titles(row: Strip) -> list[str]:
    return ["question", *(f"step {step}" for step in row.steps), "answer"]


def _heading(run: Run) -> str:
    last = run.evaluation
    return f"{run.name}: {last.method}, seed {last.seed}, after {last.step:,} training steps"


def _label(puzzle: str) -> str:
    """The task, with a star where the example is an augmentation of it."""
    task, augmented, _ = puzzle.partition("|||")
    return f"{task}*" if augmented else task


def _caption(right: NDArray[np.bool_], shown: int) -> str:
    return (
        f"One test input of each of {len(right)} tasks: the first that ends exactly right, augmentations (*) included, "
        f"or else the first; {int(right.sum())} end right.\n"
        f"Shown are {shown} in file order, half of them right where there are enough: "
        "a choice for the eye, not a score.\n"
        "White dots with a black rim: wrong cells. Beige: end-of-grid marks. "
        "Predictions are cut to the answer's extent."
    )


def _draw_strip(axes_row: list[Axes], row: Strip) -> None:
    question, *predicted, answer = axes_row
    for axes, canvas in ((question, row.question), (answer, row.answer)):
        _draw_canvas(axes, canvas, row.extent, shown=_extent(canvas))
    for axes, canvas, wrong in zip(predicted, row.predictions, row.wrong, strict=True):
        _draw_canvas(axes, canvas, row.extent, shown=_extent(row.answer))
        _mark_wrong(axes, wrong, row.extent, shown=_extent(row.answer))
        count = int(wrong.sum())
        axes.set_xlabel(f"{count:,} wrong" if count else "right", fontsize=7.5, labelpad=2)
    colour = style.GREEN if row.right else style.VERMILION
    question.set_ylabel(row.name, fontsize=8, labelpad=3)
    predicted[-1].xaxis.label.set(color=colour, fontweight="bold")


def _draw_canvas(
    axes: Axes, canvas: NDArray[np.uint8], extent: tuple[int, int], shown: tuple[int, int]
) -> None:
    """Draw the top-left `shown` rows and columns of a canvas, centred, at the scale at which `extent` fits."""
    rows, columns = shown
    axes.imshow(
        style.TOKEN_RGB[canvas[:rows, :columns]], extent=(0, columns, rows, 0), interpolation="nearest"
    )
    line = 0.5 if max(extent) <= 16 else 0.25
    axes.hlines(range(rows + 1), 0, columns, colors=style.GRID_LINE_COLOUR, linewidth=line)
    axes.vlines(range(columns + 1), 0, rows, colors=style.GRID_LINE_COLOUR, linewidth=line)
    across = max(extent[1], extent[0] / _height_for(extent)) / 2 + 0.05  # half the panel's width, in cells
    down = across * _height_for(extent)
    axes.set(xlim=(columns / 2 - across, columns / 2 + across), ylim=(rows / 2 + down, rows / 2 - down))
    axes.set(xticks=[], yticks=[], aspect="auto")
    axes.grid(False)
    axes.spines[:].set_visible(False)


def _mark_wrong(
    axes: Axes, wrong: NDArray[np.bool_], extent: tuple[int, int], shown: tuple[int, int]
) -> None:
    rows, columns = np.nonzero(wrong[: shown[0], : shown[1]])
    cell_points = PANEL_INCHES * 72 * min(1 / extent[1], _height_for(extent) / extent[0])
    axes.scatter(
        columns + 0.5, rows + 0.5, s=(0.38 * cell_points) ** 2,
        c="white", edgecolors="black", linewidths=max(0.25, 0.07 * cell_points), zorder=3,
    )  # fmt: skip

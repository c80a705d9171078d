"""The figure of scores by category: a bar for each, with its 95 % interval."""

import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis import style
from trm_lab.intervals import wilson_interval
from trm_lab.puzzles.scorer import SOLVED
from trm_lab.runs.recorded_evaluations import Evaluation, TaskScores


def category_bars(evaluation: Evaluation, heading: str, width: float = 7.2) -> Figure | None:
    """Draw a panel for each dataset that tells its examples apart; None where none does.  width: inches.

    Bars are shares solved by the dataset's scorer, or wholly right where it has none.
    """
    tasks = [task for task in evaluation.tasks if task.categories is not None]
    if not tasks:
        return None
    with style.applied():
        fig = Figure(figsize=(max(width, 4.2), 2.9 * len(tasks) + 0.4), layout="constrained")
        for axes, task in zip(fig.subplots(len(tasks), squeeze=False)[:, 0], tasks, strict=True):
            _draw(axes, task, fig.get_figwidth())
        part = "" if evaluation.part is None else f", {evaluation.part.title}"
        fig.suptitle(f"{heading}{part}", x=0.01, ha="left")
    return fig


def _draw(axes: Axes, task: TaskScores, width: float) -> None:
    categories = task.categories
    assert categories is not None
    right = categories.solved or categories.exact
    shares = np.divide(right, categories.examples)
    bounds = np.array([wilson_interval(*counts) for counts in zip(right, categories.examples, strict=True)])
    places = np.arange(len(shares))
    errors = np.abs(bounds.T - shares)  # [2, categories]
    axes.bar(places, shares, 0.7, color=style.SKY, yerr=errors, capsize=2.5, ecolor=style.BLACK, error_kw={"lw": 1})
    labels = [f"{name}\nn = {count:,}" for name, count in zip(categories.names, categories.examples, strict=True)]
    long = max(len(line) for label in labels for line in label.splitlines()) * len(labels) > 11 * width
    axes.set_xticks(places, labels, rotation=60 if long else 0, ha="right" if long else "center")
    axes.grid(axis="x", visible=False)
    counted = SOLVED if categories.solved else "exact match"
    axes.set_title(textwrap.fill(f"{task.dataset}: {counted} by {categories.by} (Wilson 95 %)", int(9.5 * width)))
    axes.set_ylim(0, 1)
    style.shares_as_percent(axes)

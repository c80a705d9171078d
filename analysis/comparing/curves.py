"""Methods over training: loss, and what of the test split is right, with what the seeds do around the mean.

R records of training that all seeds have.
"""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter
from numpy.typing import NDArray

from analysis import style
from analysis.comparing import panels
from analysis.learning_curves import running_mean
from analysis.methods import Method
from analysis.metrics import CELL, Metric
from trm_lab.runs.recorded_evaluations import Evaluation

SMOOTHED_SHARE = 20  # a running mean spans one part in 20 of the records

CAPTION = (
    "Lines: mean over seeds; bands: range of the seeds; bars: 95 % t-interval at the end.",
    "The training loss is smoothed, and of each method's own targets: DIS's steps have others than TRM's.",
)


def learning_figure(
    methods: Sequence[Method], metric: Metric, heading: str, width: float = panels.PAGE
) -> Figure:
    """Training loss, the metric, cells right and, where it is recorded, the loss on the test split, over updates."""
    with panels.applied():
        losses = all(one.lm_loss is not None for method in methods for one in method.evaluations)
        titles = ["training loss", f"test: {metric.title}", "test: cells right"]
        fig, every = panels.sheet(
            [*titles, *(["test: loss of an example"] if losses else [])], 2, width=width
        )
        for shift, method in enumerate(methods, start=1):
            _draw_loss(every[0], method)
            _draw_evaluations(every[1], method, metric.of, shift)
            _draw_evaluations(every[2], method, CELL.of, shift)
            if losses:
                _draw_evaluations(every[3], method, lambda one: one.lm_loss or 0.0, None)
        for axes in every[1:3]:
            style.shares_as_percent(axes)
        for axes in every:
            axes.set_xlabel("updates")
            axes.xaxis.set_major_formatter(EngFormatter(sep=""))
            axes.set_xlim(left=0)
        panels.finish(fig, heading, CAPTION, every[1])
    return fig


def training_losses(method: Method) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Steps `[R]` that all seeds recorded, up to the method's, and the smoothed loss of each seed `[n, R]`."""
    steps = np.array(
        sorted(set.intersection(*(set(run.training.step.tolist()) for run in method.runs))), dtype=np.int64
    )
    steps = steps[steps <= method.step]
    window = 2 * (len(steps) // (2 * SMOOTHED_SHARE)) + 1
    losses = []
    for run in method.runs:
        _, places, _ = np.intersect1d(run.training.step, steps, return_indices=True)
        losses.append(running_mean(run.training.loss[places], window))
    return steps, np.array(losses)


def _draw_loss(axes: Axes, method: Method) -> None:
    steps, losses = training_losses(method)
    if len(steps):
        panels.draw_seeds(axes, method, steps.tolist(), losses.tolist(), shift=None)


def _draw_evaluations(
    axes: Axes, method: Method, value: Callable[[Evaluation], float], shift: int | None
) -> None:
    steps = method.common_steps
    by_step = [[value(one) for one in method.evaluations_at(step)] for step in steps]
    panels.draw_seeds(axes, method, steps, np.array(by_step).T.tolist(), shift=shift)

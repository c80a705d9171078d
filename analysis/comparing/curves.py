"""Methods over training, and after each supervision step against network calls, the common currency of TRM and DIS.

n seeds, S supervision steps, R records of training that all seeds have.
"""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter
from numpy.typing import NDArray

from analysis import style
from analysis.comparing import panels
from analysis.comparing.scored_runs import plain_scored
from analysis.learning_curves import running_mean, window_of
from analysis.methods import Method, matched_steps
from analysis.metrics import CELL, EXACT, Metric
from trm_lab.puzzles.scorer import SOLVED
from trm_lab.runs.recorded_evaluations import Evaluation, TaskScores
from trm_lab.runs.recorded_run import Run

WITHOUT_LEARNING = "Dashed grey: answers that need no learning (where some score the same, one of them)."
LEARNING_CAPTION = (
    f"Lines: mean over seeds; bands: range of the seeds; bars: 95 % t-interval at the end{panels.ASIDE}.",
    WITHOUT_LEARNING,
    "Training loss: smoothed, and against each method's own step targets, so that it compares no methods.",
)
STEPS_CAPTION = (
    "Lines: mean over seeds after each supervision step; bands: range of the seeds; bars: 95 % t-interval"
    f"{panels.ASIDE}.",
    WITHOUT_LEARNING,
)


def learning_figure(methods: Sequence[Method], metric: Metric, heading: str, width: float = panels.PAGE) -> Figure:
    """Training loss, the metric, cell accuracy and, where it is recorded, the loss on the test split, over updates."""
    losses = all(one.lm_loss is not None for method in methods for one in method.evaluations)
    titles = ["training loss", f"test: {metric.title}", f"test: {CELL.title}"]
    with panels.applied():
        titles += ["test: loss of an example"] * losses
        fig, all_axes = panels.sheet([""] * len(titles), 2, width=width)
        for method in methods:
            steps, smoothed = training_losses(method)
            if len(steps):
                panels.draw_seeds(all_axes[0], method, steps.tolist(), smoothed.tolist())
            _draw_evaluations(all_axes[1], method, metric.of)
            _draw_evaluations(all_axes[2], method, CELL.of)
            if losses:
                _draw_evaluations(all_axes[3], method, lambda one: one.lm_loss or 0.0, interval=False)
        for axes, one in zip(all_axes[1:3], (metric, CELL), strict=True):
            _draw_baselines(axes, one, methods)
            style.shares_as_percent(axes)
        for axes, title in zip(all_axes, titles, strict=True):
            axes.set(xlabel="updates", ylabel=title)
            axes.xaxis.set_major_formatter(EngFormatter(sep=""))
            axes.set_xlim(left=0)
        panels.finish(fig, heading, (*LEARNING_CAPTION, *_sampled_caption(methods)), all_axes[1])
    return fig


def sampled_evaluations(method: Method) -> list[list[Evaluation]]:
    """The evaluations of every run of a method on a part of the test split, at the steps that all evaluated so.

    `[steps][n]`, up to the method's step; empty where the runs looked at different parts.
    """
    by_run = [
        {one.step: one for one in run.evaluations if one.part != run.evaluation.part and one.step <= method.step}
        for run in method.runs
    ]
    shared = matched_steps([*map(list, by_run)])
    rows = [[of_run[own] for of_run, own in zip(by_run, row, strict=True)] for row in shared.values()]
    return rows if len({one.part for row in rows for one in row}) == 1 else []


def _sampled_caption(methods: Sequence[Method]) -> list[str]:
    parts = [rows[0][0].part for method in methods if (rows := sampled_evaluations(method))]
    titles = dict.fromkeys("all" if part is None else part.title for part in parts)
    return [f"Thin and pale: means over seeds on a part of the test split ({'; '.join(titles)})."] if titles else []


def training_losses(method: Method) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Steps `[R]` that all seeds recorded, up to the method's, and the smoothed loss of each seed `[n, R]`."""
    shared = matched_steps([run.training.step.tolist() for run in method.runs])
    steps = [step for step in shared if step <= method.step]
    own = np.array([shared[step] for step in steps], dtype=np.int64).reshape(len(steps), len(method.runs)).T
    losses = [run.training.loss[np.isin(run.training.step, at)] for run, at in zip(method.runs, own, strict=True)]
    return np.array(steps, dtype=np.int64), np.array([running_mean(loss, window_of(len(steps))) for loss in losses])


def _draw_evaluations(axes: Axes, method: Method, value: Callable[[Evaluation], float], interval: bool = True) -> None:
    steps = method.common_steps
    by_step = [[value(one) for one in method.evaluations_at(step)] for step in steps]
    panels.draw_seeds(axes, method, steps, np.array(by_step).T.tolist(), interval)
    if sampled := sampled_evaluations(method):
        means = [np.mean([value(one) for one in row]) for row in sampled]
        look = {"color": method.colour, "linestyle": method.dashes, "linewidth": 0.8, "alpha": 0.6}
        axes.plot([row[0].step for row in sampled], means, **(style.marks(method.marker, len(means)) | look))


def steps_figure(methods: Sequence[Method], heading: str, width: float = panels.PAGE) -> Figure:
    """Cell accuracy, exact match and, where all have a scorer, solved; and wrong cells where they are recorded."""
    tasks = shared_tasks([run for method in methods for run in method.runs])
    distances = {method.name: hamming(method) for method in methods}
    wrong_cells = any(distances.values())
    titles = [CELL.title, EXACT.title, *(f"{SOLVED}, {task.dataset}" for task in tasks)]
    with panels.applied():
        shown = [*titles, *["wrong cells (Hamming)"] * wrong_cells]
        fig, all_axes = panels.sheet([""] * len(shown), columns=2, width=width)
        shares = all_axes[: len(titles)]
        for method in methods:
            calls, scores = method.evaluations[0].network_calls, method.evaluations
            panels.draw_seeds(shares[0], method, calls, [one.cell_accuracy for one in scores], interval=True)
            panels.draw_seeds(shares[1], method, calls, [one.exact_accuracy for one in scores], interval=True)
            for place, axes in enumerate(shares[2:]):
                solved = [one.scored_tasks[place].solved_shares for one in scores]
                panels.draw_seeds(axes, method, calls, solved, interval=True)
            if distances[method.name]:
                panels.draw_seeds(all_axes[-1], method, calls, distances[method.name])
        _draw_baselines(shares[0], CELL, methods)
        _draw_baselines(shares[1], EXACT, methods)
        best = {one.best_exact_match for method in methods for one in method.evaluations}
        for share in sorted(share for share in best if share is not None):
            shares[1].axhline(share, label="best possible exact match", **{**style.BASELINE, "linestyle": ":"})
        for axes, title in zip(all_axes, shown, strict=True):
            panels.logarithmic(axes)
            axes.set(xlabel="network calls of an answer", ylabel=title)
        for axes in all_axes[1:]:
            style.from_zero_if_near(axes)
        for axes in shares:
            style.shares_as_percent(axes)
        panels.finish(fig, heading, STEPS_CAPTION, all_axes[1])
    return fig


def shared_tasks(runs: Sequence[Run]) -> list[TaskScores]:
    """The first run's scored tasks, if all runs have the same, in the same order."""
    scored = [run.evaluation.scored_tasks for run in runs]
    names = [[(task.dataset, task.scorer) for task in tasks] for tasks in scored]
    return scored[0] if all(one == names[0] for one in names) else []


def hamming(method: Method) -> list[list[float]]:
    """`[n, S]` wrong cells of an example, as the runs or evaluate.py recorded them; empty unless of all seeds."""
    rows = []
    for run, evaluation in zip(method.runs, method.evaluations, strict=True):
        scored = plain_scored(run, method.step)
        distance = evaluation.hamming or (scored.evaluation.hamming if scored else [])
        if len(distance) != len(evaluation.network_calls):
            return []
        rows.append(distance)
    return rows


def _draw_baselines(axes: Axes, metric: Metric, methods: Sequence[Method]) -> None:
    """What needs no learning, of each test data once."""
    evaluations = [one for method in methods for one in method.evaluations]
    style.draw_baselines(axes, [share for one in evaluations for share in metric.baselines(one).items()])

"""The figure of how a run learned: loss, accuracy of each supervision step, and test scores over training.

Legend: R training records, S supervision steps.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter
from numpy.typing import NDArray

from analysis import style
from trm_lab.intervals import wilson_interval
from trm_lab.puzzles.scorer import SOLVED
from trm_lab.runs.recorded_evaluations import COPIED, Evaluation, TaskScores
from trm_lab.runs.recorded_run import Run

SMOOTHED_SHARE = 20  # a running mean spans one part in 20 of the records


def learning_curves(run: Run) -> Figure:
    """Draw four panels over training steps; dashed lines are the best scores that need no learning."""
    with style.applied():
        fig = Figure(figsize=(10.4, 6.2), layout="constrained")
        (loss, train_cells), (test_cells, solved) = fig.subplots(2, 2, sharex=True)
        _draw_loss(loss, run)
        _draw_training_accuracy(train_cells, run)
        _draw_test_cells(test_cells, run)
        _draw_solved(solved, run)
        for axes in (test_cells, solved):
            axes.set_xlabel("training step (optimizer updates)")
            axes.xaxis.set_major_formatter(EngFormatter(sep=""))
            axes.set_xlim(left=0)
        last = run.evaluation
        fig.suptitle(
            f"{run.name}: {last.method}, seed {last.seed} (one run), {last.examples:,} test examples",
            x=0.01, ha="left",
        )  # fmt: skip
    return fig


def running_mean(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Return the centred mean `[R]` over an odd `window` of values `[R]`.

    Near the ends and around NaN it is the mean of the values that are there; NaN where there is none.
    """
    there = ~np.isnan(values)
    ends = np.arange(len(values)) + window // 2 + 1
    first, last = np.maximum(ends - window, 0), np.minimum(ends, len(values))
    running_total = np.concatenate([[0.0], np.cumsum(np.where(there, values, 0.0))])
    running_count = np.concatenate([[0], np.cumsum(there)])
    total, count = running_total[last] - running_total[first], running_count[last] - running_count[first]
    return np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0)


def window_of(records: int) -> int:
    """Odd length of the running mean over so many records."""
    return 2 * (records // (2 * SMOOTHED_SHARE)) + 1


def _smoothed(window: int) -> str:
    return f"running mean of {window} records" if window > 1 else "each record"


def _draw_loss(axes: Axes, run: Run) -> None:
    training, window = run.training, window_of(len(run.training.step))
    axes.set_title("Training loss")
    axes.set_ylabel("loss of an example")
    if window > 1:
        axes.plot(
            training.step, training.loss, color=style.SKY, alpha=0.6, linewidth=0.8, label="each record"
        )
    smooth = running_mean(training.loss, window)
    axes.plot(training.step, smooth, color=style.BLUE, label=_smoothed(window))
    axes.legend(loc="upper right")


def _draw_training_accuracy(axes: Axes, run: Run) -> None:
    training = run.training
    steps = training.step_accuracy.shape[1]
    shown = style.evenly_chosen(steps, at_most=8)
    window = window_of(len(training.step))
    axes.set_title("Training: cell accuracy after each step")
    axes.set_ylabel(f"cell accuracy, {_smoothed(window)}")
    for colour, index in zip(style.in_order(len(shown)), shown, strict=True):
        smooth = running_mean(training.step_accuracy[:, index], window)
        axes.plot(training.step, smooth, color=colour, linewidth=1.3, label=f"step {index + 1}")
    style.shares_as_percent(axes)
    if shown:
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def _draw_test_cells(axes: Axes, run: Run) -> None:
    axes.set_title("Test: cell accuracy")
    axes.set_ylabel("cell accuracy")
    evaluations = run.evaluations
    steps = [scores.step for scores in evaluations]
    last, first = ([scores.cell_accuracy[step] for scores in evaluations] for step in (-1, 0))
    _draw_scores(axes, steps, last, f"after step {len(run.evaluation.cell_accuracy)}", 0)
    _draw_scores(axes, steps, first, "after step 1", 1)
    _draw_baseline(axes, run.evaluation.best_baseline("cell_accuracy"))
    style.shares_as_percent(axes)
    axes.legend(loc="best")


def _draw_solved(axes: Axes, run: Run) -> None:
    last, evaluations = run.evaluation, run.evaluations
    title, baselines = "Test: solved", [last.best_baseline("exact_accuracy")]
    steps = [scores.step for scores in evaluations]
    exact = [scores.exact_accuracy[-1] for scores in evaluations]
    _draw_scores(axes, steps, exact, "augmented inputs" if last.is_arc else "whole examples", 0)
    if last.is_arc:
        title += " (outputs with Wilson 95 % intervals)"
        baselines.append((COPIED, last.copy_arc_scores["ARC/pass@1"]))
        _draw_outputs(axes, evaluations)
    elif last.scored_tasks:
        title += " (with Wilson 95 % intervals)"
        _draw_tasks(axes, evaluations, last.scored_tasks)
        baselines += _solved_without_learning(last)
    axes.set_title(title)
    axes.set_ylabel("share solved")
    _draw_baseline(axes, max(baselines, key=lambda one: one[1]))
    style.percent_from_zero(axes)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def _draw_outputs(axes: Axes, evaluations: Sequence[Evaluation]) -> None:
    for look, attempts in ((1, 1), (2, 2)):
        label = "outputs, 1 attempt" if attempts == 1 else f"outputs, {attempts} attempts"
        passed = {s.step: (s.counts[f"outputs_correct@{attempts}"], s.counts["outputs"]) for s in evaluations}
        _draw_shares(axes, passed, label, look)


def _draw_tasks(axes: Axes, evaluations: Sequence[Evaluation], tasks: Sequence[TaskScores]) -> None:
    for look, task in enumerate(tasks, start=1):
        solved = {s.step: counts for s in evaluations if (counts := _counted(s, task))}
        label = SOLVED if len(tasks) == 1 else f"{SOLVED}, {task.dataset}"
        _draw_shares(axes, solved, label, look)


def _counted(scores: Evaluation, wanted: TaskScores) -> tuple[int, int] | None:
    """How many examples of a dataset an evaluation found solved after the last step, of how many; None: not judged."""
    for task in scores.scored_tasks:
        if task.title == wanted.title:
            return task.solved_per_step[-1], task.examples
    return None


def _draw_scores(axes: Axes, steps: Sequence[int], values: Sequence[float], label: str, look: int) -> None:
    colour, marker = (
        looks[look % len(style.LINE_COLOURS)] for looks in (style.LINE_COLOURS, style.LINE_MARKERS)
    )
    axes.plot(steps, values, color=colour, marker=marker, label=label)


def _draw_shares(axes: Axes, counts: Mapping[int, tuple[int, int]], label: str, look: int) -> None:
    """Draw shares with their intervals; counts: (right, of) by training step."""
    steps = list(counts)
    _draw_scores(axes, steps, [right / of for right, of in counts.values()], label, look)
    bounds = [wilson_interval(right, of) for right, of in counts.values()]
    low, high = zip(*bounds, strict=True) if bounds else ((), ())
    colour = style.LINE_COLOURS[look % len(style.LINE_COLOURS)]
    axes.fill_between(steps, low, high, color=colour, alpha=0.13, linewidth=0)
    axes.vlines(steps, low, high, colors=colour, alpha=0.5, linewidth=1)  # all there is for one evaluation


def _solved_without_learning(last: Evaluation) -> list[tuple[str, float]]:
    shares = [
        (name, task.baseline_share(name, SOLVED)) for task in last.scored_tasks for name in last.baselines
    ]
    return [(name, share) for name, share in shares if share is not None]


def _draw_baseline(axes: Axes, baseline: tuple[str, float]) -> None:
    """Draw the highest score without learning among those the panel shows."""
    name, share = baseline
    axes.axhline(share, label=name, **style.BASELINE)

"""The figure of how a run learned: loss, accuracy of each supervision step, and test scores over training.

Legend: R training records, S supervision steps.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter
from numpy.typing import NDArray

from analysis import style
from analysis.run_directory import Evaluation, Run
from trm.evaluation.intervals import wilson_interval

SMOOTHED_SHARE = 20  # a running mean spans one part in 20 of the records


def learning_curves(run: Run) -> Figure:
    """Draw four panels over training steps; dashed lines are the scores of copying the question."""
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


def _window(records: int) -> int:
    return 2 * (records // (2 * SMOOTHED_SHARE)) + 1


def _smoothed(window: int) -> str:
    return f"running mean of {window} records" if window > 1 else "each record"


def _draw_loss(axes: Axes, run: Run) -> None:
    training, window = run.training, _window(len(run.training.step))
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
    window = _window(len(training.step))
    axes.set_title("Training: cells right after each step")
    axes.set_ylabel(f"cells right, {_smoothed(window)}")
    for colour, index in zip(style.in_order(len(shown)), shown, strict=True):
        smooth = running_mean(training.step_accuracy[:, index], window)
        axes.plot(training.step, smooth, color=colour, linewidth=1.3, label=f"step {index + 1}")
    style.shares_as_percent(axes)
    if shown:
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def _draw_test_cells(axes: Axes, run: Run) -> None:
    axes.set_title("Test: cells right")
    axes.set_ylabel("cells right")
    evaluations = run.evaluations
    last, first = ([scores.cell_accuracy[step] for scores in evaluations] for step in (-1, 0))
    _draw_scores(axes, evaluations, last, f"after step {len(run.evaluation.cell_accuracy)}", 0)
    _draw_scores(axes, evaluations, first, "after step 1", 1)
    _draw_copy(axes, [run.evaluation.copy_cell])
    style.shares_as_percent(axes)
    axes.legend(loc="best")


def _draw_solved(axes: Axes, run: Run) -> None:
    axes.set_title("Test: solved")
    axes.set_ylabel("share solved")
    evaluations, copied = run.evaluations, [run.evaluation.copy_exact]
    exact = [scores.exact_accuracy[-1] for scores in evaluations]
    _draw_scores(axes, evaluations, exact, "augmented inputs", 0)
    if run.evaluation.is_arc:
        copied.append(run.evaluation.copy_arc_scores["ARC/pass@1"])
        for look, attempts in ((1, 1), (2, 2)):
            passed = [s.counts[f"outputs_correct@{attempts}"] / s.counts["outputs"] for s in evaluations]
            label = "outputs, 1 attempt" if attempts == 1 else f"outputs, {attempts} attempts"
            _draw_scores(axes, evaluations, passed, label, look)
            _draw_interval(axes, evaluations, attempts, look)
        axes.set_title("Test: solved (outputs with Wilson 95 % intervals)")
    _draw_copy(axes, copied)
    style.from_zero(axes)
    style.shares_as_percent(axes)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def _draw_scores(
    axes: Axes, evaluations: Sequence[Evaluation], values: Sequence[float], label: str, look: int
) -> None:
    axes.plot(
        [scores.step for scores in evaluations], values,
        color=style.LINE_COLOURS[look], marker=style.LINE_MARKERS[look], label=label,
    )  # fmt: skip


def _draw_interval(axes: Axes, evaluations: Sequence[Evaluation], attempts: int, look: int) -> None:
    bounds = [
        wilson_interval(scores.counts[f"outputs_correct@{attempts}"], scores.counts["outputs"])
        for scores in evaluations
    ]
    low, high = zip(*bounds, strict=True) if bounds else ((), ())
    steps = [scores.step for scores in evaluations]
    colour = style.LINE_COLOURS[look]
    axes.fill_between(steps, low, high, color=colour, alpha=0.13, linewidth=0)
    axes.vlines(steps, low, high, colors=colour, alpha=0.5, linewidth=1)  # all there is for one evaluation


def _draw_copy(axes: Axes, shares: Sequence[float]) -> None:
    """Draw the highest score that copying the question gets among those the panel shows."""
    axes.axhline(max(shares), label="copy the input", **style.BASELINE)

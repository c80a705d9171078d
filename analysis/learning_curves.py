"""The figure of how a run learned: loss, accuracy of each supervision step, and test scores over training.

Legend: R training records, S supervision steps.
"""

import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter
from numpy.typing import NDArray

from analysis import metrics, style
from analysis.methods import run_title
from analysis.metrics import CELL, EXACT, arc_metric
from trm_lab.intervals import wilson_interval
from trm_lab.puzzles.scorer import SOLVED
from trm_lab.runs.recorded_evaluations import Evaluation
from trm_lab.runs.recorded_run import Run

Shares = dict[str, tuple[int, int]]  # right, of how many, by what is solved
RECORD = "one record: mean of its updates"  # a line of metrics.jsonl
HEADING = 100  # letters in a line of the heading
SMOOTHED_SHARE = 20  # a running mean spans one part in 20 of the records


def learning_curves(run: Run, narrow: bool = False) -> Figure:
    """Draw four panels over training steps; dashed lines are the best scores that need no learning.

    narrow: one below the other, for a window as narrow as a telephone's.
    """
    with style.applied():
        fig = Figure(figsize=(5.2, 10.6) if narrow else (10.4, 6.2), layout="constrained")
        all_axes = fig.subplots(4 if narrow else 2, 1 if narrow else 2, sharex=True)
        loss, train_cells, test_cells, solved = all_axes.ravel()
        _draw_loss(loss, run)
        _draw_training_accuracy(train_cells, run)
        curve = curve_of(run)
        drawn, last = replace(run, evaluations=curve), run.evaluation
        _draw_test_cells(test_cells, drawn)
        _draw_solved(solved, drawn)
        part = curve[-1].part if curve else None
        if part != last.part:
            _draw_stars(test_cells, last.step, [last.cell_accuracy[-1]])
            of_last = [right / of for right, of in _solved_counts(last).values()]
            _draw_stars(solved, last.step, [last.exact_accuracy[-1], *of_last])
        for axes in (test_cells, solved):
            axes.set_xlabel("updates")
            axes.xaxis.set_major_formatter(EngFormatter(sep=""))
            axes.set_xlim(left=0)
        sampled = "" if part is None else f"; test curves: {part.title}"
        heading = f"{run_title(run, last)}; {last.examples:,} test examples{sampled}"
        fig.suptitle(textwrap.fill(heading, HEADING // 2 if narrow else HEADING), x=0.01, ha="left")
    return fig


def curve_of(run: Run) -> list[Evaluation]:
    """The evaluations that make one curve: of the part of the test split that most of a run's evaluations are of."""
    parts = Counter(scores.part for scores in run.evaluations).most_common(1)
    return [scores for scores in run.evaluations if scores.part == parts[0][0]]


def running_mean(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Return the centred mean `[R]` over an odd `window` of values `[R]`.

    Near the ends and around NaN it is the mean of the values that are there; NaN where there is none.
    """
    recorded = ~np.isnan(values)
    ends = np.arange(len(values)) + window // 2 + 1
    first, last = np.maximum(ends - window, 0), np.minimum(ends, len(values))
    running_total = np.concatenate([[0.0], np.cumsum(np.where(recorded, values, 0.0))])
    running_count = np.concatenate([[0], np.cumsum(recorded)])
    total, count = running_total[last] - running_total[first], running_count[last] - running_count[first]
    return np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0)


def window_of(records: int) -> int:
    """Odd length of the running mean over so many records."""
    return 2 * (records // (2 * SMOOTHED_SHARE)) + 1


def _smoothed(window: int) -> str:
    return f"running mean of {window} records" if window > 1 else RECORD


def _draw_loss(axes: Axes, run: Run) -> None:
    training, window = run.training, window_of(len(run.training.step))
    axes.set_title("Training loss")
    axes.set_ylabel("loss of an example")
    if window > 1:
        axes.plot(training.step, training.loss, color=style.SKY, alpha=0.6, linewidth=0.8, label=RECORD)
    smooth = running_mean(training.loss, window)
    axes.plot(training.step, smooth, color=style.BLUE, label=_smoothed(window))
    labels = [textwrap.fill(str(line.get_label()), 20) for line in axes.get_lines()]
    axes.legend(axes.get_lines(), labels, loc="center left", bbox_to_anchor=(1.0, 0.5))


def _draw_training_accuracy(axes: Axes, run: Run) -> None:
    training = run.training
    steps = training.step_accuracy.shape[1]
    chosen_steps = style.evenly_chosen(steps, at_most=8)
    window = window_of(len(training.step))
    axes.set_title("Training: cell accuracy after each step")
    axes.set_ylabel(f"cell accuracy\n({_smoothed(window)})")
    for colour, index in zip(style.in_order(len(chosen_steps)), chosen_steps, strict=True):
        smooth = running_mean(training.step_accuracy[:, index], window)
        axes.plot(training.step, smooth, color=colour, linewidth=1.3, label=f"step {index + 1}")
    style.shares_as_percent(axes)
    if chosen_steps:
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def _draw_test_cells(axes: Axes, run: Run) -> None:
    axes.set_title(f"Test: {CELL.title}")
    axes.set_ylabel(CELL.title)
    steps = [scores.step for scores in run.evaluations]
    for look, place in enumerate((len(run.evaluation.cell_accuracy) - 1, 0)):
        shares = [scores.cell_accuracy[place] for scores in run.evaluations]
        axes.plot(steps, shares, label=f"after step {place + 1}", **_look(look, len(steps)))
    style.draw_baselines(axes, CELL.baselines(run.evaluation).items())
    style.shares_as_percent(axes)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def _draw_solved(axes: Axes, run: Run) -> None:
    """Exact match, and what counts as solved with its intervals: ARC's outputs, or the verdicts of a scorer."""
    last, evaluations = run.evaluation, run.evaluations
    exact = [scores.exact_accuracy[-1] for scores in evaluations]
    name = "augmented inputs" if last.is_arc else EXACT.title
    steps = [scores.step for scores in evaluations]
    axes.plot(steps, exact, label=name, **_look(0, len(steps)))
    several = len(last.scored_tasks) > 1
    names = {task.title: f"{SOLVED}, {task.dataset}" if several else SOLVED for task in last.scored_tasks}
    by_step = {scores.step: _solved_counts(scores) for scores in evaluations}
    curves = _solved_counts(last)
    for look, title in enumerate(curves, start=1):
        shares = {step: counts[title] for step, counts in by_step.items() if title in counts}
        _draw_shares(axes, shares, names.get(title, title), look)
    kind = "outputs with" if last.is_arc else "with"
    axes.set_title(f"Test: solved ({kind} Wilson 95 % intervals)" if curves else "Test: solved")
    axes.set_ylabel("share solved")
    counted = arc_metric("ARC/pass@1") if last.is_arc else metrics.SOLVED
    style.draw_baselines(axes, (counted.baselines(last) or EXACT.baselines(last)).items())
    style.percent_from_zero_if_near(axes)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def _solved_counts(scores: Evaluation) -> Shares:
    """By title of ARC's attempts and of each scored task."""
    attempts = (("outputs, 1 attempt", "outputs_correct@1"), ("outputs, 2 attempts", "outputs_correct@2"))
    of_arc = {name: (scores.counts[key], scores.counts["outputs"]) for name, key in attempts} if scores.is_arc else {}
    return of_arc | {task.title: (task.solved_per_step[-1], task.examples) for task in scores.scored_tasks}


def _draw_stars(axes: Axes, step: int, shares: Sequence[float]) -> None:
    """Scores on all test examples, each in the colour of its curve, which is of a part of them."""
    for place, share in enumerate(shares):
        colour, label = style.LINE_COLOURS[place % len(style.LINE_COLOURS)], "_" if place else "all test examples"
        axes.plot(step, share, "*", color=colour, label=label, markersize=8)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def _draw_shares(axes: Axes, counts: Mapping[int, tuple[int, int]], label: str, look: int) -> None:
    """Draw shares with their intervals. counts: right, of how many, by training step."""
    steps, lines = list(counts), _look(look, len(counts))
    axes.plot(steps, [right / of for right, of in counts.values()], label=label, **lines)
    bounds = [wilson_interval(right, of) for right, of in counts.values()]
    low, high = zip(*bounds, strict=True) if bounds else ((), ())
    axes.fill_between(steps, low, high, color=lines["color"], alpha=0.13, linewidth=0)
    axes.vlines(steps, low, high, colors=lines["color"], alpha=0.5, linewidth=1, zorder=1)  # below the marks


def _look(place: int, places: int) -> dict[str, Any]:
    """Of the curve at this place, over so many evaluations."""
    colours, markers, dashes = style.LINE_COLOURS, style.LINE_MARKERS, style.LINE_DASHES
    look = {"color": colours[place % len(colours)], "linestyle": dashes[place % len(dashes)], "clip_on": False}
    nested = {"markersize": max(3.0, 10.0 - 3.0 * place)} if places == 1 else {}  # equal scores hide no mark
    return look | style.marks(markers[place % len(markers)], places) | nested

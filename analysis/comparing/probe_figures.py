"""What evaluate.py can ask a finished run: advantage margins, a guidance sweep, more or fewer steps, when to stop.

Each figure shows the runs that were asked, and there is none where no run was. n seeds, S supervision steps.
"""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis import style
from analysis.comparing import panels
from analysis.comparing.halting_curves import STOPPING, draw_halting, halting_curve
from analysis.comparing.scored_runs import by_steps, of_method
from analysis.methods import Method, counted_seeds
from analysis.metrics import Metric
from trm_lab.runs.recorded_scores import Scored

SEEDS = "Lines: mean over the seeds that were asked; bands: their range."
Values = list[list[float]]


def margin_figure(methods: Sequence[Method], heading: str, width: float = panels.PAGE) -> Figure | None:
    """The advantage margin of each step, and on how many tokens it is positive."""
    asked = _asked(methods, lambda one: one.margin is not None)
    if not asked:
        return None
    with panels.applied():
        fig, (mean, positive) = panels.sheet(
            ["advantage margin of a step", "tokens with a positive margin"], columns=2, width=width
        )
        for method, scored in asked:
            margins = [one.margin for one in scored if one.margin is not None]
            steps = list(range(1, len(margins[0].mean) + 1))
            _draw(mean, method, steps, [one.mean for one in margins], None)
            _draw(positive, method, steps, [one.share_positive for one in margins], None)
        panels.symmetric_logarithmic(mean, "mean over tokens")
        mean.axhline(0, **style.BASELINE)
        positive.axhline(0.5, **style.BASELINE)
        style.shares_as_percent(positive)
        for axes in (mean, positive):
            axes.set_xlabel("supervision step")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        caption = (
            SEEDS,
            "Margin: how much more the step's change of the logits favours the right token than what it would sample;",
            "positive: the step improves the answer at that token (its cross-entropy falls with the guidance w).",
        )
        panels.finish(fig, heading, caption, mean)
    return fig


def guidance_figure(methods: Sequence[Method], heading: str, width: float = panels.PAGE) -> Figure | None:
    """Accuracy after the last step of answers decoded from (1 − w) reference + w conditional logits."""
    asked = _asked(methods, lambda one: bool(one.guidance))
    if not asked:
        return None
    with panels.applied():
        fig, (exact, cells) = panels.sheet(["whole examples right", "cells right"], columns=2, width=width)
        for method, scored in asked:
            scales = sorted(set.intersection(*(set(one.guidance) for one in scored)))
            for axes, name in ((exact, "exact_accuracy"), (cells, "cell_accuracy")):
                values = [[getattr(one.guidance[w], name)[-1] for w in scales] for one in scored]
                _draw(axes, method, scales, values, None)
        for axes in (exact, cells):
            axes.axvline(1, **style.BASELINE)
            axes.set_xlabel("guidance scale w")
            style.shares_as_percent(axes)
        panels.finish(fig, heading, (SEEDS, "Dashed: w = 1, the usual decoding."), exact)
    return fig


def scaling_figure(
    methods: Sequence[Method], metric: Metric, heading: str, width: float = panels.PAGE
) -> Figure | None:
    """Accuracy after the last of more or fewer supervision steps than trained."""
    curves = {method.name: scaling_curve(method, metric) for method in methods}
    shown = [method for method in methods if len(curves[method.name][0]) > 1]
    if not shown:
        return None
    with panels.applied():
        fig, (axes,) = panels.sheet([""], columns=1, height=2.4, width=width)
        for shift, method in enumerate(shown, start=1):
            steps, values = curves[method.name]
            _draw(axes, method, steps, values, shift)
            trained = len(method.evaluations[0].network_calls)
            if trained in steps:
                share = float(np.mean([one[steps.index(trained)] for one in values]))
                axes.plot([trained], [share], marker="o", markersize=9, markerfacecolor="none", color=method.colour,
                          linewidth=0)  # fmt: skip
        panels.logarithmic(axes)
        ticks = sorted({step for method in shown for step in curves[method.name][0]})
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
        axes.set_xlabel("supervision steps of an answer")
        axes.set_ylabel(metric.title)
        style.from_zero(axes)
        style.shares_as_percent(axes)
        panels.finish(fig, heading, ("Mean over seeds; band: their range; bar: 95 % t-interval.", "Ring: as trained."),
                      axes)  # fmt: skip
    return fig


def scaling_curve(method: Method, metric: Metric) -> tuple[list[int], Values]:
    """Numbers of supervision steps that all seeds were asked for, and the metric of each seed with each of them."""
    found = [by_steps(run, method.step) for run in method.runs]
    known = [one for one in found if one]
    if not known:
        return [], []
    steps = sorted(set.intersection(*(set(one) for one in known)))
    rows = [[metric.share(one[step].evaluation) for step in steps] for one in known]
    return steps, [[share for share in row if share is not None] for row in rows if None not in row]


def halting_figure(methods: Sequence[Method], heading: str, width: float = panels.PAGE) -> Figure | None:
    """At which step answers are right for the first time, and what stopping early costs and saves."""
    asked = _asked(methods, lambda one: one.over_steps is not None)
    curves = [method for method in methods if halting_curve(method, "fixed")]
    if not asked or not curves:
        return None
    with panels.applied():
        fig, (first, saved) = panels.sheet(
            ["right for the first time at step", "stopping early"], columns=2, width=width
        )
        for method, scored in asked:
            shares = [first_right_shares(one) for one in scored]
            _draw(first, method, list(range(1, len(shares[0]) + 1)), shares, None)
        first.set_xlabel("supervision step")
        first.set_ylabel("share of examples")
        first.xaxis.set_major_locator(MaxNLocator(integer=True))
        style.shares_as_percent(first)
        draw_halting(saved, curves)
        saved.set_xlabel("network calls of an answer, mean")
        saved.set_ylabel("whole examples right")
        caption = (
            SEEDS,
            *STOPPING,
        )
        panels.finish(fig, heading, caption, first)
    return fig


def first_right_shares(scored: Scored) -> list[float]:
    """`[S]`, the share of examples that are right for the first time after each step."""
    assert scored.over_steps is not None
    counts = scored.over_steps.first_right
    return [count / max(1, sum(counts)) for count in counts[1:]]


def _asked(methods: Sequence[Method], has: Callable[[Scored], bool]) -> list[tuple[Method, list[Scored]]]:
    found = [(method, of_method(method, has)) for method in methods]
    return [(method, scored) for method, scored in found if scored]


def _draw(axes: Axes, method: Method, places: Sequence[float], values: Values, shift: int | None) -> None:
    """As `panels.draw_seeds`; the label counts the seeds that were asked."""
    label = f"{method.name} ({counted_seeds(len(values))})"
    panels.draw_seeds(axes, method, places, values, shift, label=label)

"""The figures of the efficiency ablation; every number in them is one of `Ablation`'s."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis import style
from analysis.comparing import panels
from analysis.comparing.ablation import Ablation, Curves, Point, Result, front, means
from analysis.comparing.ablation_tables import CALLS, OPERATIONS, TRAINING, Currency
from analysis.comparing.probe_figures import CHOSEN, STOPPING, draw_halting, halting_curve
from analysis.comparing.scored_runs import probed
from analysis.metrics import EXACT
from trm_lab.commands.tables import percent

FRONT = "Pareto front"
FRONT_CAPTION = "Grey steps: Pareto front, the best mean for at most a cost."
SHORT_CAPTION = [f"Mean over seeds; band: their range; bar: 95 % t-interval{panels.ASIDE}."]


def training_figure(ablation: Ablation) -> Figure:
    """Accuracy against what training took until then, a panel for each currency that is known."""
    used = [one for one in TRAINING if any(r.training(one.of) is not None for r in ablation.results)]
    with panels.applied():
        fig, all_axes = panels.sheet([""] * len(used), panels.columns_for(len(used)))
        for axes, currency in zip(all_axes, used, strict=True):
            draw_training(axes, ablation, currency)
            axes.set_xlabel(currency.axis)
        all_axes[0].set_ylabel(ablation.metric.title)
        caption = [
            "Lines: mean over seeds at each evaluation; bands: range of the seeds; bars: 95 % t-interval at the end"
            f"{panels.ASIDE}.",
            f"{_counts(ablation.results)} {FRONT_CAPTION}",
        ]
        panels.finish(fig, f"{ablation.dataset}: accuracy against the cost of training", caption, all_axes[0])
    return fig


def training_column(ablation: Ablation) -> Figure:
    """Accuracy against FLOP of training, or network calls where those are not known, a column wide."""
    operations = any(result.training(OPERATIONS.of) is not None for result in ablation.results)
    currency = OPERATIONS if operations else CALLS
    with panels.applied():
        fig, (axes,) = panels.sheet([""], columns=1, height=2.5, width=panels.COLUMN)
        draw_training(axes, ablation, currency)
        axes.set_xlabel(currency.axis)
        axes.set_ylabel(ablation.metric.title)
        panels.finish(fig, ablation.dataset, SHORT_CAPTION, axes)
    return fig


def draw_training(axes: Axes, ablation: Ablation, currency: Currency) -> None:
    """Each method's mean and range over seeds at each evaluation, t-interval at the end, front and reached target."""
    _draw(axes, ablation, [ablation.training_curves(result, currency.of) for result in ablation.results])
    if any(result.reached for result in ablation.results):
        axes.axhline(ablation.target, label=f"target {percent(ablation.target)}", **style.BASELINE)


def draw_answers(axes: Axes, ablation: Ablation, currency: Currency) -> None:
    """Each method after each supervision step: mean and range over seeds, and the t-interval after the last."""
    _draw(axes, ablation, [ablation.answer_curves(result, currency.name) for result in ablation.results])


def _draw(axes: Axes, ablation: Ablation, curves: Sequence[Curves]) -> None:
    points_of_all: list[Point] = []
    for result, (costs, shares) in zip(ablation.results, curves, strict=True):
        if costs:
            panels.draw_seeds(axes, result.method, costs, shares, interval=True)
            points_of_all += means((costs, shares))
    if points_of_all:
        panels.staircase(axes, front(points_of_all), FRONT)
    panels.logarithmic(axes)
    style.percent_from_zero_if_near(axes)


def answer_figure(ablation: Ablation) -> Figure:
    """Accuracy after each supervision step against calls and FLOP, against measured time, and halting curves."""
    halted = [
        (method, scored)
        for method, scored in probed([result.method for result in ablation.results], lambda one: bool(one.halting))
        if halting_curve(scored, "fixed")
    ]
    operations = any(result.answer(OPERATIONS.of) is not None for result in ablation.results)
    timed = all(result.answer(lambda answer: answer.seconds) is not None for result in ablation.results)
    currencies = [CALLS, *[OPERATIONS] * operations]
    count = len(currencies) + timed + bool(halted)
    with panels.applied():
        fig, all_axes = panels.sheet([""] * count, panels.columns_for(count))
        for axes, currency in zip(all_axes, currencies, strict=False):
            draw_answers(axes, ablation, currency)
            axes.set_xlabel(f"{currency.title} of an answer")
        if timed:
            _draw_times(all_axes[len(currencies)], ablation)
        for axes in all_axes:
            axes.set_ylabel(ablation.metric.title)
        if halted:
            draw_halting(all_axes[-1], halted)
            all_axes[-1].set(xlabel="mean calls, stopping early", ylabel=EXACT.title)
        caption = [
            "Lines: mean over seeds after each supervision step; bands: range of the seeds; bars: 95 % t-interval"
            f"{panels.ASIDE}.",
            f"{_counts(ablation.results)} {FRONT_CAPTION}",
            *((*STOPPING, *CHOSEN) if halted else ()),
        ]
        panels.finish(fig, f"{ablation.dataset}: accuracy against the cost of an answer", caption, all_axes[0])
    return fig


def answer_column(ablation: Ablation) -> Figure:
    """Accuracy after each supervision step against network calls, a column wide."""
    with panels.applied():
        fig, (axes,) = panels.sheet([""], columns=1, height=2.5, width=panels.COLUMN)
        draw_answers(axes, ablation, CALLS)
        axes.set_xlabel("network calls of an answer")
        axes.set_ylabel(ablation.metric.title)
        panels.finish(fig, ablation.dataset, SHORT_CAPTION, axes)
    return fig


def _draw_times(axes: Axes, ablation: Ablation) -> None:
    for result in ablation.results:
        times = [1000 * (seed.answer.seconds or 0.0) for seed in result.seeds]
        shares = [seed.accuracy for seed in result.seeds]
        look: dict[str, Any] = {"color": result.method.colour, "marker": result.method.marker, "linestyle": "none"}
        axes.plot(times, shares, alpha=0.45, **look)
        axes.plot([fmean(times)], [fmean(shares)], markersize=6, **look)
        panels.error_bar(axes, result.method, fmean(times), shares)
    axes.margins(x=0.15)
    panels.logarithmic(axes, lambda value: f"{value:g} ms")
    axes.set_xlabel("time of an answer (measured, whole)")
    style.percent_from_zero_if_near(axes)


def _counts(results: Sequence[Result]) -> str:
    counts = [len(result.seeds) for result in results]
    each = f"{min(counts)}" if min(counts) == max(counts) else f"{min(counts)}–{max(counts)}"
    return f"Seeds: {each} each."

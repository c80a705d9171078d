"""The figures of the efficiency ablation; every number in them is one of `Ablation`'s."""

from collections.abc import Sequence
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis import style
from analysis.comparing import panels
from analysis.comparing.ablation import Ablation, Result, front
from analysis.comparing.ablation_tables import (
    CALLS,
    ENERGY,
    GRADIENT_CALLS,
    OPERATIONS,
    SECONDS,
    TRAINING,
    Currency,
)
from analysis.comparing.halting_curves import STOPPING, draw_halting, halting_curve
from trm_lab.commands.tables import percent

AXES = {
    CALLS: "network calls (passes over a batch)",
    GRADIENT_CALLS: "network calls that carry gradient",
    OPERATIONS: "FLOP of training",
    SECONDS: "seconds of training",
    ENERGY: "joules of training",
}
FRONT = "Pareto front"


def training_figure(found: Ablation) -> Figure:
    """Accuracy against what training took until then, a panel for each currency that is known."""
    used = [one for one in TRAINING if any(r.training(one.of) is not None for r in found.results)]
    with panels.applied():
        fig, every = panels.sheet([AXES[one] for one in used], columns=2)
        for axes, currency in zip(every, used, strict=True):
            draw_training(axes, found, currency)
        for axes in every[::2]:
            axes.set_ylabel(found.metric.title)
        panels.finish(
            fig, f"{found.dataset}: accuracy against the cost of training", _training_caption(found), every[0]
        )
    return fig


def training_column(found: Ablation) -> Figure:
    """The same for FLOP, or network calls where those are not known, a column wide."""
    known = any(result.training(OPERATIONS.of) is not None for result in found.results)
    currency = OPERATIONS if known else CALLS
    with panels.applied():
        fig, (axes,) = panels.sheet([""], columns=1, height=2.5, width=panels.COLUMN)
        draw_training(axes, found, currency)
        axes.set_xlabel(AXES[currency])
        axes.set_ylabel(found.metric.title)
        panels.finish(fig, found.dataset, _short_caption(found), axes)
    return fig


def draw_training(axes: Axes, found: Ablation, currency: Currency) -> None:
    """Each method's mean and range over seeds at each evaluation, its t-interval at the end, target and front."""
    every = []
    for shift, result in enumerate(found.results, start=1):
        mean = found.training_curve(result, currency.of)
        if not mean:
            continue
        every += mean
        curves = [
            [share for _, share in found.seed_curve(result, seed, currency.of)] for seed in result.seeds
        ]
        panels.draw_seeds(axes, result.method, [cost for cost, _ in mean], curves, shift)
    _finish_panel(axes, every, found.target)


def answer_figure(found: Ablation) -> Figure:
    """Accuracy after each supervision step against calls and FLOP, against measured time, and halting curves."""
    titles = ["network calls of an answer"]
    operations = any(result.answer(OPERATIONS.of) is not None for result in found.results)
    titles += ["FLOP of an answer"] if operations else []
    timed = all(result.answer(lambda answer: answer.seconds) is not None for result in found.results)
    titles += ["time of an answer (measured, whole)"] if timed else []
    halting = any(halting_curve(result.method, "fixed") for result in found.results)
    titles += ["stopping early: network calls"] if halting else []
    with panels.applied():
        fig, every = panels.sheet(titles, columns=min(2, len(titles)))
        for axes, title in zip(every, titles, strict=True):
            if title.startswith("network"):
                draw_answers(axes, found, CALLS)
            elif title.startswith("FLOP"):
                draw_answers(axes, found, OPERATIONS)
            elif title.startswith("time"):
                _draw_times(axes, found)
            else:
                draw_halting(axes, [result.method for result in found.results])
            axes.set_ylabel("whole examples right" if title.startswith("stopping") else found.metric.title)
        panels.finish(
            fig,
            f"{found.dataset}: accuracy against the cost of an answer",
            _answer_caption(found, halting),
            every[0],
        )
    return fig


def answer_column(found: Ablation) -> Figure:
    """Accuracy after each supervision step against network calls, a column wide."""
    with panels.applied():
        fig, (axes,) = panels.sheet([""], columns=1, height=2.5, width=panels.COLUMN)
        draw_answers(axes, found, CALLS)
        axes.set_xlabel("network calls of an answer")
        axes.set_ylabel(found.metric.title)
        panels.finish(fig, found.dataset, _short_caption(found), axes)
    return fig


def draw_answers(axes: Axes, found: Ablation, currency: Currency) -> None:
    """Each method after each supervision step: mean and range over seeds, and the t-interval after the last."""
    every = []
    for shift, result in enumerate(found.results, start=1):
        mean, curves = found.answer_curve(result, currency.name), found.answer_curves(result)
        every += mean
        if mean:
            shares = curves if curves and len(mean) > 1 else [[seed.accuracy] for seed in result.seeds]
            panels.draw_seeds(axes, result.method, [cost for cost, _ in mean], shares, shift)
    _finish_panel(axes, every, None)


def _draw_times(axes: Axes, found: Ablation) -> None:
    for result in found.results:
        times = [1000 * (seed.answer.seconds or 0.0) for seed in result.seeds]
        shares = [seed.accuracy for seed in result.seeds]
        look = {"color": result.method.colour, "marker": result.method.marker, "linestyle": "none"}
        axes.plot(times, shares, alpha=0.45, **look)  # type: ignore[arg-type]
        axes.plot([fmean(times)], [fmean(shares)], markersize=6, **look)  # type: ignore[arg-type]
        panels.error_bar(axes, result.method, fmean(times), shares)
    axes.margins(x=0.15)
    panels.logarithmic(axes, lambda value: f"{value:g} ms")
    style.from_zero(axes)
    style.shares_as_percent(axes)


def _finish_panel(axes: Axes, every: Sequence[tuple[float, float]], target: float | None) -> None:
    if every:
        panels.staircase(axes, front(every), FRONT)
    if target is not None:
        axes.axhline(target, label=f"target {percent(target)}", **style.BASELINE)
    panels.logarithmic(axes)
    style.from_zero(axes)
    style.shares_as_percent(axes)


def _training_caption(found: Ablation) -> list[str]:
    return [
        "Lines: mean over seeds at each evaluation; bands: range of the seeds; bars: 95 % t-interval at the end."
        f" {_counts(found.results)}",
        "Grey steps: Pareto front, the best mean for at most a cost. Wall-clock of shared machines is not comparable.",
    ]


def _answer_caption(found: Ablation, halting: bool) -> list[str]:
    caption = [
        "Lines: mean over seeds after each supervision step; bands: range of the seeds; bars: 95 % t-interval."
        f" {_counts(found.results)}",
        "Grey steps: Pareto front, the best mean for at most a cost.",
    ]
    return caption + [*STOPPING] * halting


def _short_caption(found: Ablation) -> list[str]:
    return ["Mean over seeds; band: their range; bar: 95 % t-interval."]


def _counts(results: Sequence[Result]) -> str:
    counts = sorted({len(result.seeds) for result in results})
    return f"Seeds: {'–'.join(map(str, counts if len(counts) < 2 else (counts[0], counts[-1])))} each."

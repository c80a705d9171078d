"""What evaluate.py measured of finished runs: a guidance sweep, more or fewer steps, stopping early.

Each figure shows the methods that it is given, with the evaluations of their seeds; none of them: there is no figure.
n seeds, S supervision steps.
"""

from collections.abc import Iterable, Sequence
from math import log
from statistics import fmean
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis import style
from analysis.comparing import panels
from analysis.comparing.halting_settings import chosen_points
from analysis.comparing.scored_runs import Probed, by_steps
from analysis.methods import Method, counted_seeds
from analysis.metrics import CELL, EXACT, Metric
from trm_lab.runs.recorded_evaluations import Evaluation
from trm_lab.runs.recorded_run import Run
from trm_lab.runs.recorded_scores import HaltingPoint, Scored

SEEDS = "Lines: mean over the seeds that evaluate.py scored; bands: their range."
POLICIES = {"q_halt": ".", "agreement": "x", "confidence": "+"}  # marks
WITH_THRESHOLD = ("q_halt", "confidence")  # the settings of others are whole numbers: nothing lies between two of them
FEWEST = 3  # thresholds that make a curve
TICK, MARGINS = 0.17, 0.7  # inches: a tick's label with room around it, and beside the axis of a sheet
STOPPING = (
    "Stopping early, means over seeds. The methods' own marks: all questions stop after the same step. Dots: by the",
    "halting head. x: when the answer is unchanged. +: by confidence. Lines join the thresholds of a rule",
    f"({FEWEST} or more). Stars: an oracle that stops at the first right answer.",
)
CHOSEN = (
    "Around the cheapest setting of a rule that loses at most one point: a ring if it was chosen on held-out",
    "questions, a square if on these test questions, so that it looks better than it is.",
)
Values = list[list[float]]
Place = tuple[float, float]  # network calls, accuracy


def guidance_figure(probes: Sequence[Probed], heading: str, width: float = panels.PAGE) -> Figure | None:
    """Accuracy after the last step of answers decoded from (1 − w) reference + w conditional logits."""
    if not probes:
        return None
    with panels.applied():
        fig, (exact, cells) = panels.sheet(["", ""], columns=2, width=width)
        exact.set_ylabel(EXACT.title)
        cells.set_ylabel(CELL.title)
        for method, scored in probes:
            scales = sorted(set.intersection(*(set(one.guidance) for one in scored)))
            for axes, name in ((exact, "exact_accuracy"), (cells, "cell_accuracy")):
                _draw(axes, method, scales, [[getattr(one.guidance[w], name)[-1] for w in scales] for one in scored])
        for axes in (exact, cells):
            axes.axvline(1, **style.BASELINE)
            axes.set_xlabel("guidance scale w")
            style.shares_as_percent(axes)
        panels.finish(fig, heading, (SEEDS, "Dashed: w = 1, the usual decoding."), exact)
    return fig


def scaling_figure(
    methods: Sequence[Method], metric: Metric, heading: str, width: float = panels.PAGE
) -> Figure | None:
    """Accuracy after more or fewer supervision steps than trained; None where the trained answers tell it all."""
    curves = {method.name: scaling_curve(method, metric) for method in methods}
    trained = {method.name: len(method.evaluations[0].network_calls) for method in methods}
    by_step = all(metric.after_steps(method.evaluations[0]) for method in methods)
    if all(set(curves[name][0]) <= set(range(1 if by_step else steps, steps + 1)) for name, steps in trained.items()):
        return None
    with panels.applied():
        fig, (axes,) = panels.sheet([""], columns=1, height=2.4, width=width)
        for method in methods:
            steps, values = curves[method.name]
            if not steps:
                continue
            _draw(axes, method, steps, values, interval=True)
            if trained[method.name] in steps:
                place = trained[method.name]
                share = fmean(row[steps.index(place)] for row in values)
                axes.plot([place], [share], "o", markersize=9, markerfacecolor="none", color=method.colour)
        panels.logarithmic(axes)
        places = {step for steps, _ in curves.values() for step in steps}
        ends = {steps[-1] for steps, _ in curves.values() if steps}
        others = {step for step in places if not by_step or step.bit_count() == 1}
        ticks = _apart([*sorted(places & set(trained.values())), *sorted(ends), *sorted(others)], width)
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
        axes.set_xlabel("supervision steps of an answer")
        axes.set_ylabel(metric.title)
        style.percent_from_zero_if_near(axes)
        caption = (f"Mean over seeds; band: their range; bar: 95 % t-interval{panels.ASIDE}.", "Ring: as trained.")
        panels.finish(fig, heading, caption, axes)
    return fig


def scaling_curve(method: Method, metric: Metric) -> tuple[list[int], Values]:
    """Numbers of supervision steps, and the metric of each seed with each of them.

    An answer of fewer steps is what a longer one is after as many: each seed's evaluation with the most steps tells
    each step, as far as all seeds go. Where they tell the last one alone (votes), those of the numbers that all have.
    """
    seeds = [_by_steps(run, own, method.step, metric) for run, own in zip(method.runs, method.evaluations, strict=True)]
    rows = [metric.after_steps(one[max(one)]) or [] for one in seeds if one]
    if rows and all(rows):
        end = min(map(len, rows))
        return list(range(1, end + 1)), [row[:end] for row in rows]
    steps = sorted(set.intersection(*map(set, seeds)))
    return steps, [[metric.of(one[step]) for step in steps] for one in seeds]


def _by_steps(run: Run, own: Evaluation, step: int, metric: Metric) -> dict[int, Evaluation]:
    """Evaluations with the metric by their number of supervision steps: by evaluate.py, or else in training."""
    evaluations = [own, *(scored.evaluation for scored in by_steps(run, step).values())]
    return {len(one.network_calls): one for one in evaluations if metric.share(one) is not None}


def _apart(steps: Iterable[int], width: float) -> list[int]:
    """Steps without those whose label would touch an earlier one's on a logarithmic axis, in order."""
    chosen: list[int] = []
    candidates = list(dict.fromkeys(steps))
    gap = log(max(candidates) / min(candidates)) * TICK / (width - MARGINS)
    for step in candidates:
        if all(abs(log(step / other)) >= gap for other in chosen):
            chosen.append(step)
    return sorted(chosen)


def halting_figure(probes: Sequence[Probed], heading: str, width: float = panels.PAGE) -> Figure | None:
    """At which step answers are right for the first time, and what stopping early costs and saves."""
    probes = [(method, scored) for method, scored in probes if halting_curve(scored, "fixed")]
    if not probes:
        return None
    with panels.applied():
        titles = ["right for the first time at step", "stopping early"]
        fig, (first, saved) = panels.sheet(titles, columns=2, width=width)
        for method, scored in probes:
            shares = [first_right_shares(one) for one in scored if one.over_steps is not None]
            if shares:
                _draw(first, method, list(range(1, len(shares[0]) + 1)), shares)
        first.set_xlabel("supervision step")
        first.set_ylabel("share of examples")
        first.xaxis.set_major_locator(MaxNLocator(integer=True))
        style.shares_as_percent(first)
        draw_halting(saved, probes)
        saved.set_xlabel("network calls of an answer, mean")
        saved.set_ylabel(EXACT.title)
        panels.finish(fig, heading, (SEEDS, *STOPPING, *CHOSEN), first)
    return fig


def first_right_shares(scored: Scored) -> list[float]:
    """`[S]`, the share of examples that are right for the first time after each step."""
    assert scored.over_steps is not None
    counts = scored.over_steps.first_right
    return [count / max(1, sum(counts)) for count in counts[1:]]


def halting_curve(scored: Sequence[Scored], policy: str) -> list[Place]:
    """(network calls, exact match) of a policy, means over the seeds: each place once, in the order of the settings.

    Of the settings that all seeds have.
    """
    by_seed = [_by_setting(one.halting, policy) for one in scored if one.halting]
    shared = set.intersection(*map(set, by_seed)) if by_seed else set()
    places = [
        (fmean(one[at].network_calls for one in by_seed), fmean(one[at].exact_accuracy for one in by_seed))
        for at in sorted(shared, key=lambda setting: setting or 0.0)  # the oracles have one setting, None
    ]
    return list(dict.fromkeys(places))


def _by_setting(points: Sequence[HaltingPoint], policy: str) -> dict[float | None, HaltingPoint]:
    return {point.setting: point for point in points if point.policy == policy}


def draw_halting(axes: Axes, probes: Sequence[Probed]) -> None:
    """Every policy of every method with its own mark, all steps as the method's marks, and the oracle as a star."""
    for method, scored in probes:
        marks = halting_curve(scored, "fixed"), halting_curve(scored, "oracle")
        if not marks[0]:
            continue
        look: dict[str, Any] = {"color": method.colour, "linestyle": "none"}
        axes.plot(*zip(*marks[0], strict=True), marker=method.marker, markersize=3, **look)
        for policy, mark in POLICIES.items():
            if curve := halting_curve(scored, policy):
                joined = policy in WITH_THRESHOLD and len(curve) >= FEWEST
                dashes = method.dashes if joined else "none"
                rule: dict[str, Any] = {"linestyle": dashes, "linewidth": 0.9, "marker": mark, "markersize": 4.5}
                axes.plot(*zip(*curve, strict=True), color=method.colour, **rule)
        chosen, on_held_out = chosen_points(method, scored)
        around = look | {"marker": "o" if on_held_out else "s", "markerfacecolor": "none"}
        around |= {"markersize": 9, "markeredgewidth": 0.9}
        axes.plot([one.network_calls for one in chosen], [one.exact_accuracy for one in chosen], **around)
        if marks[1]:
            star: dict[str, Any] = {"marker": "*", "markersize": 9, "markeredgecolor": "white", "markeredgewidth": 0.5}
            axes.plot(*zip(*marks[1], strict=True), zorder=4, **star, **look)
    panels.logarithmic(axes)
    style.percent_from_zero_if_near(axes)


def _draw(axes: Axes, method: Method, places: Sequence[float], values: Values, interval: bool = False) -> None:
    """Draw with `panels.draw_seeds`; the label counts the seeds that were scored."""
    label = f"{method.name} ({counted_seeds(len(values))})"
    panels.draw_seeds(axes, method, places, values, interval, label=label)

"""Stopping early: accuracy against the network calls that a policy spends on average, as evaluate.py found it."""

from collections.abc import Sequence
from statistics import fmean

from matplotlib.axes import Axes

from analysis import style
from analysis.comparing import panels
from analysis.comparing.scored_runs import of_method
from analysis.methods import Method
from trm_lab.runs.recorded_scores import HaltingPoint

POLICIES = {"q_halt": "-", "agreement": (0, (4, 2)), "confidence": (0, (1, 1.5))}  # line styles
STOPPING = (
    "Stopping early: dashed, answer unchanged; dotted, confidence; solid, halting head;",
    "marks, all at one step; stars, an oracle that stops at the first right answer.",
)
Place = tuple[float, float]  # network calls, accuracy


def halting_curve(method: Method, policy: str) -> list[Place]:
    """(network calls, whole examples right) of a policy at each setting, means over the seeds that were scored."""
    scored = of_method(method, lambda one: bool(one.halting))
    by_seed = [_by_setting(one.halting, policy) for one in scored]
    if not by_seed:
        return []
    shared = [setting for setting in by_seed[0] if all(setting in one for one in by_seed)]
    places = {
        (
            fmean(one[setting].network_calls for one in by_seed),
            fmean(one[setting].exact_accuracy for one in by_seed),
        )
        for setting in shared
    }
    return sorted(places)


def _by_setting(points: Sequence[HaltingPoint], policy: str) -> dict[float | None, HaltingPoint]:
    return {point.setting: point for point in points if point.policy == policy}


def draw_halting(axes: Axes, methods: Sequence[Method]) -> None:
    """Every policy of every method in its own line style, all steps as marks, and the oracle as a star."""
    for method in methods:
        steps = halting_curve(method, "fixed")
        if not steps:
            continue
        axes.plot(
            *zip(*steps, strict=True), color=method.colour, marker=method.marker, markersize=3, linewidth=0
        )
        for policy, dashes in POLICIES.items():
            curve = halting_curve(method, policy)
            if curve:
                axes.plot(
                    *zip(*curve, strict=True),
                    color=method.colour,
                    linestyle=dashes,
                    linewidth=1.2,
                    marker=".",
                )
        for calls, share in halting_curve(method, "oracle"):
            axes.plot([calls], [share], color=method.colour, marker="*", markersize=9, markeredgecolor="white",
                      markeredgewidth=0.5, linewidth=0, zorder=4)  # fmt: skip
    panels.logarithmic(axes)
    style.from_zero(axes)
    style.shares_as_percent(axes)

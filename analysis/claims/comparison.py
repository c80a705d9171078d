"""Claims against achieved: each claim with the runs of ours that stand beside it, as tables and as bars."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from analysis import style
from analysis.claims.claims import (
    CALLS,
    COUNTED,
    HOURS,
    POINTS,
    RULE,
    Claim,
    at_length,
    epochs_of,
    nearest,
    other_model,
    same_data,
    shortcoming,
)
from analysis.claims.verdicts import EXPLAINED, Verdict, judged, judged_difference
from analysis.comparing import panels
from analysis.comparing.costs import device_of, on_gpu
from analysis.methods import Method, counted_seeds, group
from analysis.metrics import EXACT, Metric
from analysis.tables import Table, share_over_seeds, whole_number
from trm.errors import shown
from trm_lab.commands.tables import UNKNOWN, duration, p_value, percent, points, points_range, share_with_range
from trm_lab.intervals import over_seeds
from trm_lab.runs.recorded_run import Run

NONE, NOTHING = "not attempted", "no run of ours"
_ALONE = (
    "Each of the {} tests stands alone: p, level and interval are not adjusted for their number. Of 20 true claims one"
    " is rejected at 0.05 on average."
)
CLAIMED, DARK = "#C9C9C9", "#666666"
ROW, NARROW_ROW = 0.145, 0.125  # inches: of a claim, on a page and in a column
TITLE = 1.4  # rows that the name of a dataset takes


@dataclass(frozen=True)
class Comparison:
    """A claim and one method of ours that stands beside it; no method: none does.

    counted: what was achieved of a claim in hours or network calls, which are shown and not tested.
    left_out: the runs of the claim's data and settings that do not stand beside it, and why.
    """

    claim: Claim
    method: Method | None = None
    verdict: Verdict | None = None
    counted: str = ""
    left_out: tuple[str, ...] = ()

    @property
    def achieved(self) -> str:
        """The mean and its interval, to as many decimals as the claim has: what rounding hides decides nothing."""
        one, decimals = self.verdict, max(1, self.claim.decimals)
        if one is None:
            return self.counted
        if self.claim.score == POINTS:
            return f"{points(one.mean, decimals)} points {points_range(one.low, one.high)}"
        return share_with_range(one.mean, one.low, one.high, decimals)


def comparisons(claims: Sequence[Claim], runs: Sequence[Run]) -> list[Comparison]:
    """Every claim in its order, once for each method of ours beside it, or without one."""
    rows: list[Comparison] = []
    for claim in claims:
        methods, left_out = _beside(claim, runs)
        if claim.against is None:
            beside = [_comparison(claim, method) for method in methods]
        else:
            others, _ = _beside(replace(claim, settings=claim.against), runs)
            beside = [_difference(claim, method, other) for method in methods for other in others]
        first, *more = beside or [Comparison(claim)]
        rows += [replace(first, left_out=tuple(left_out)), *more]
    return rows


def _beside(claim: Claim, runs: Sequence[Run]) -> tuple[list[Method], list[str]]:
    """The methods beside a claim, and the runs of its data and settings that were left out."""
    alike = [run for run in runs if same_data(claim.data, run) and other_model(claim, run) is None]
    reasons = {run.path: shortcoming(claim, run) for run in alike}
    methods, doubles = group([_at_length(claim, run) for run in alike if reasons[run.path] is None])
    left_out = [f"left out: {shown(path)}: {reason}" for path, reason in reasons.items() if reason is not None]
    return methods, left_out + doubles


def _at_length(claim: Claim, run: Run) -> Run:
    """The run with its evaluation at the claim's length alone; all get one step, since the length is the same."""
    chosen = replace(at_length(claim, run), step=0)
    return replace(run, evaluation=chosen, evaluations=[chosen])


def _comparison(claim: Claim, method: Method) -> Comparison:
    if claim.score == HOURS:
        hours = fmean(_seconds_to_length(claim, run) for run in method.runs) / 3600
        return Comparison(claim, method, counted=f"{hours:.1f} h")
    last = method.evaluations[0]
    if claim.score == CALLS:
        return Comparison(claim, method, counted=f"{last.network_calls[-1]} calls")
    independent = last.counts.get("tasks", last.examples) if last.is_arc else last.examples
    shares = _shares(claim, method)
    return Comparison(claim, method, judged(shares, independent, claim.claimed, claim.rounding, claim.error))


def _difference(claim: Claim, method: Method, other: Method) -> Comparison:
    """A method of the claim's first model against one of its second, by their means over seeds."""
    shares = _shares(claim, method), _shares(claim, other)
    return Comparison(claim, method, judged_difference(*shares, claim.claimed, claim.rounding))


def _shares(claim: Claim, method: Method) -> list[float]:
    return [claim.metric.of(one) for one in method.evaluations]


def _seconds_to_length(claim: Claim, run: Run) -> float:
    """Seconds of training until the claim's epochs; of a run that stopped a batch short of them, all."""
    epochs, seconds = run.training.epoch, run.training.seconds
    if not claim.epochs:
        return float(seconds.sum())
    before = np.fmax.accumulate(np.concatenate([[0.0], epochs[:-1]])) < claim.epochs
    return float(seconds[before].sum())


def claims_table(rows: Sequence[Comparison]) -> Table:
    """The claims beside which runs of ours stand, and what is to be said of each; all others in one row."""
    sources = {one.claim.source_short: f"{one.claim.author}, {one.claim.source}" for one in rows}
    tested = sum(one.verdict is not None and one.verdict.p is not None for one in rows)
    notes = [
        "Sources: " + "; ".join(f"{short}: {full}" for short, full in sources.items()) + ".",
        RULE,
        EXPLAINED,
        *([_ALONE.format(tested)] if tested > 1 else []),
        *(f"{one.claim.of}, {one.claim.data.title}: {line}" for one in rows for line in one.left_out),
    ]
    others = [one.claim for one in rows if one.method is None]
    which = "claims" if len(others) == len(rows) else "others"
    last = [[f"{len(others)} {which}", "", "", NOTHING, "0", NONE, UNKNOWN, ""]] if others else []
    header = ["claim", "data", "claimed", "ours [95 %]", "n", "verdict", "p", "source"]
    beside = [_row(one) for one in rows if one.method is not None]
    return Table("Claims, and our runs beside them", header, beside + last, [*_listed(others), *notes])


def _listed(claims: Sequence[Claim]) -> list[str]:
    """A line of claims with their scores for each dataset."""
    by_data: dict[str, list[str]] = {}
    for one in claims:
        by_data.setdefault(_data_title(one), []).append(f"{one.of}: {one.printed} ({one.source_short})")
    return [f"{title}, claims without a run: {'; '.join(words)}." for title, words in by_data.items()]


def _data_title(claim: Claim) -> str:
    return claim.data.title + ("" if claim.score in (claim.data.score, POINTS, *COUNTED) else f", {claim.score}")


def _row(one: Comparison) -> list[str]:
    claim, verdict = one.claim, one.verdict
    assert one.method is not None
    if verdict is None:
        ours = [one.achieved, str(len(one.method.runs)), f"{claim.score} are not tested", UNKNOWN]
    else:
        ours = [one.achieved, str(verdict.n), verdict.text, p_value(verdict.p)]
    return [claim.of, _data_title(claim), claim.printed, *ours, claim.source_short]


def own_table(methods: Sequence[Method], metric: Metric, claims: Sequence[Claim]) -> Table:
    """Our methods on one dataset, and beside which claims they stand or why beside none."""
    timed = any(_training_time(method) != UNKNOWN for method in methods)
    rows = [
        [
            method.name,
            share_over_seeds(over_seeds([metric.of(one) for one in method.evaluations])),
            whole_number(method.step),
            f"{max(epochs_of(run, method.step) for run in method.runs):,.0f}",
            *([_training_time(method)] if timed else []),
            ", ".join(sorted({device_of(run) for run in method.runs})),
            nearest(claims, max(method.runs, key=epochs_of)),
        ]
        for method in methods
    ]
    accuracy = f"{metric.title} [95 % t]"
    header = ["method", accuracy, "updates", "epochs", *["training time"] * timed, "device", "published claims"]
    notes = ["Training time: mean over seeds, evaluations within it included; of GPUs alone."] if timed else []
    best = methods[0].evaluations[0].best_exact_match
    if best is not None:
        notes.append(
            f"A question may have several right answers, and its label is one of them: {EXACT.title} can be"
            f" {percent(best)} at best, on average, so it cannot rank good models here; solved can."
        )
    return Table("Methods", header, rows, notes)


def _training_time(method: Method) -> str:
    if not all(on_gpu(device_of(run)) for run in method.runs):
        return UNKNOWN
    return duration(fmean(run.training.seconds[run.training.step <= method.step].sum() for run in method.runs))


def claims_figure(rows: Sequence[Comparison], width: float = panels.PAGE) -> Figure:
    """Claims as grey bars on one scale, by dataset, and what runs of ours achieved beside them with its interval."""
    by_data: dict[str, list[Comparison]] = {}
    for one in rows:
        if one.claim.score not in (POINTS, *COUNTED):
            by_data.setdefault(f"{one.claim.data.title}, {one.claim.metric.title}", []).append(one)
    narrow = width <= panels.COLUMN
    row, size = (NARROW_ROW, 6.0) if narrow else (ROW, 7.0)
    with panels.applied(), matplotlib.rc_context({"font.size": size, "lines.markersize": 3.5}):
        count = sum(map(len, by_data.values())) + TITLE * len(by_data)
        fig = Figure(figsize=(width, row * count + 0.3), layout="constrained")
        axes = fig.subplots()
        names: dict[float, str] = {}
        for title, members in by_data.items():
            at = TITLE + max(names, default=-1.0)
            axes.text(0, at, title, va="center", fontweight="bold")
            for place, one in enumerate(members, start=1):
                names[at + place] = f"{one.claim.of} ({one.claim.source_short})"
                _draw_claim(axes, at + place, one, names[at + place] if narrow else "")
        axes.set_yticks([] if narrow else list(names), [] if narrow else list(names.values()))
        axes.set_ylim(count - 0.4, -TITLE / 2)
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.4g} %"))
        axes.tick_params(labelsize=size, length=0, axis="y")
        axes.tick_params(labelsize=size, axis="x")
        axes.grid(axis="y", visible=False)
        caption = (
            "Grey: published (in brackets: by whom), with its ± where it has one. Coloured: runs of ours with a 95 %",
            "interval (one seed: Wilson or exact; more: t), each tested by itself. No mark: no run of ours has the",
            "claim's data, settings and length.",
        )
        panels.finish(fig, "Published scores, and what runs of ours achieved", caption)
        fig.draw_without_rendering()  # words behind long bars move with the axes' end: the layout takes two rounds
    return fig


def _draw_claim(axes: Axes, place: float, one: Comparison, name: str) -> None:
    """Draw a claim and what is beside it; behind its bar what they scored, or upon it after its name."""
    claim, spread = one.claim, 1.96 * one.claim.error
    axes.barh(place, claim.claimed, height=0.7, color=CLAIMED, zorder=2)
    if claim.error:
        pale = 0.4 if name else 1.0  # below the words
        axes.errorbar([claim.claimed], [place], xerr=[spread], color=DARK, alpha=pale, capsize=2, linewidth=1)
    words, colour, end = claim.printed, style.BLACK, claim.claimed + spread
    if one.method is not None and one.verdict is not None:
        end = max(end, _draw_ours(axes, place, one.method, one.verdict))
        words = f"{percent(one.verdict.mean)}, {counted_seeds(one.verdict.n)}: {one.verdict.text}"
        colour = one.method.colour
    at = (0.0 if name else end), place
    look: dict[str, Any] = {"xytext": (3, 0), "textcoords": "offset points", "va": "center", "color": colour}
    axes.annotate(f"{name} {words}".strip(), at, zorder=5, **look)


def _draw_ours(axes: Axes, place: float, method: Method, verdict: Verdict) -> float:
    """Draw what runs of ours achieved; how far it reaches."""
    above, bar = 0.0, None
    if verdict.low is not None and verdict.high is not None:
        below, above = verdict.mean - max(0.0, verdict.low), min(1.0, verdict.high) - verdict.mean
        bar = [[max(below, 0.0)], [max(above, 0.0)]]
    axes.errorbar(
        [verdict.mean], [place], xerr=bar,
        color=method.colour, marker=method.marker, capsize=2.5, linewidth=1.2, zorder=4,
    )  # fmt: skip
    return verdict.mean + above

"""Claims against achieved: each claim with the runs of ours that stand beside it, as tables and as bars."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

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
from analysis.claims.verdicts import EXPLAINED, Verdict, judged
from analysis.comparing import panels
from analysis.comparing.costs import device_of
from analysis.methods import Method, counted_seeds, group
from analysis.metrics import Metric
from analysis.tables import Table, share_over_seeds, whole_number
from trm.errors import shown
from trm_lab.commands.tables import UNKNOWN, duration, p_value, percent, share_with_range
from trm_lab.intervals import over_seeds
from trm_lab.runs.recorded_run import Run

NONE = "not attempted"
_ALONE = (
    "Each of the {} tests stands alone: p, level and interval are not adjusted for their number. Of 20 true claims one"
    " is rejected at 0.05 on average."
)
CLAIMED, DARK = "#B9B9B9", "#666666"
ROW, PANEL = 0.16, 0.42  # inches: of a bar, and what a panel has beside its bars
WORDS = 1.75  # the axis is this much longer than the longest bar: room for the verdict
NARROW_ROW, NARROW_WORDS = 0.29, 3.0  # a column wide, where a claim's name stands above its bar


@dataclass(frozen=True)
class Standing:
    """A claim and one method of ours that stands beside it; no method: none does.

    untested: what was achieved, where the claim is of hours, network calls or a difference, which are not tested.
    left_out: the runs of the claim's data and settings that do not stand beside it, and why.
    """

    claim: Claim
    method: Method | None
    verdict: Verdict | None
    untested: str = ""
    left_out: tuple[str, ...] = ()

    @property
    def achieved(self) -> str:
        """The mean and its interval, to as many decimals as the claim has: what rounding hides decides nothing."""
        one, decimals = self.verdict, max(1, self.claim.decimals)
        return share_with_range(one.mean, one.low, one.high, decimals) if one else self.untested


def standings(claims: Sequence[Claim], runs: Sequence[Run]) -> list[Standing]:
    """Every claim in its order, once for each method of ours beside it, or without one."""
    rows: list[Standing] = []
    for claim in claims:
        methods, left_out = _beside(claim, runs)
        beside = (
            _differences(claim, methods, runs) if claim.against else [_standing(claim, m) for m in methods]
        )
        first, *others = beside or [Standing(claim, None, None)]
        rows += [replace(first, left_out=tuple(left_out)), *others]
    return rows


def _beside(claim: Claim, runs: Sequence[Run]) -> tuple[list[Method], list[str]]:
    """The methods beside a claim, and the runs of its data and settings that were left out."""
    alike = [run for run in runs if same_data(claim.data, run) and other_model(claim, run) is None]
    reasons = {run.path: shortcoming(claim, run) for run in alike}
    methods, doubles = group([_at_length(claim, run) for run in alike if reasons[run.path] is None])
    short = [f"left out: {shown(path)}: {reason}" for path, reason in reasons.items() if reason is not None]
    return methods, short + doubles


def _at_length(claim: Claim, run: Run) -> Run:
    """The run with its evaluation at the claim's length alone; all get one step, since the length is the same."""
    chosen = replace(at_length(claim, run), step=0)
    return replace(run, evaluation=chosen, evaluations=[chosen])


def _standing(claim: Claim, method: Method) -> Standing:
    if claim.score == HOURS:
        seconds = [_seconds_to_length(claim, run) for run in method.runs]
        return Standing(claim, method, None, f"{sum(seconds) / len(seconds) / 3600:.1f} h")
    if claim.score == CALLS:
        return Standing(claim, method, None, f"{method.runs[0].evaluation.network_calls[-1]} calls")
    shares = [claim.metric.of(one) for one in method.evaluations]
    last = method.evaluations[0]
    independent = last.counts.get("tasks", last.examples) if last.is_arc else last.examples
    return Standing(claim, method, judged(shares, independent, claim.claimed, claim.rounding, claim.error))


def _differences(claim: Claim, methods: Sequence[Method], runs: Sequence[Run]) -> list[Standing]:
    """Each method of the claim's first model against each of its second, by their means over seeds."""
    assert claim.against is not None
    second = replace(claim, settings=claim.against)
    others, _ = _beside(second, runs)
    return [
        Standing(claim, one, None, f"{100 * (_mean(claim, one) - _mean(claim, other)):+.1f} points")
        for one in methods
        for other in others
    ]


def _mean(claim: Claim, method: Method) -> float:
    shares = [claim.metric.of(one) for one in method.evaluations]
    return sum(shares) / len(shares)


def _seconds_to_length(claim: Claim, run: Run) -> float:
    """Seconds of training until the claim's epochs; of a run that stopped a batch short of them, all."""
    epochs, seconds = run.training.epoch, run.training.seconds
    if not claim.epochs:
        return float(seconds.sum())
    before = np.fmax.accumulate(np.concatenate([[0.0], epochs[:-1]])) < claim.epochs
    return float(seconds[before].sum())


def claims_table(found: Sequence[Standing]) -> Table:
    """Every claim, and what is to be said of it."""
    header = ["claim", "data", "claimed", "ours [95 %]", "n", "verdict", "p", "source"]
    sources = {one.claim.source_short: f"{one.claim.author}, {one.claim.source}" for one in found}
    told = "Sources: " + "; ".join(f"{short}: {full}" for short, full in sources.items()) + "."
    title = "Published claims, and our runs beside them"
    left_out = [f"{one.claim.of}, {one.claim.data.title}: {line}" for one in found for line in one.left_out]
    tested = sum(one.verdict is not None and one.verdict.p is not None for one in found)
    notes = [told, RULE, EXPLAINED, *([_ALONE.format(tested)] if tested > 1 else []), *left_out]
    return Table(title, header, [_row(one) for one in found], notes)


def _row(one: Standing) -> list[str]:
    claim, verdict = one.claim, one.verdict
    score = "" if claim.score in (claim.data.score, POINTS, *COUNTED) else f", {claim.score}"
    cells = [claim.of, claim.data.title + score, claim.printed]
    if one.untested and one.method is not None:
        kind = (
            "a difference: test it with analysis.compare"
            if claim.against
            else f"{claim.score} are not tested"
        )
        cells += [one.achieved, str(len(one.method.runs)), kind, UNKNOWN]
    elif verdict is None or one.method is None:
        cells += ["no run of ours", "0", NONE, UNKNOWN]
    else:
        cells += [
            one.achieved,
            str(verdict.n),
            verdict.text,
            p_value(verdict.p),
        ]
    return [*cells, claim.source_short]


def own_table(methods: Sequence[Method], metric: Metric, claims: Sequence[Claim], dataset: str) -> Table:
    """Our methods on one dataset, and beside which claims they stand or why beside none."""
    rows = []
    for method in methods:
        shares = over_seeds([metric.of(one) for one in method.evaluations])
        epochs = max(epochs_of(run, method.step) for run in method.runs)
        spent = [run.training.seconds[run.training.step <= method.step] for run in method.runs]
        seconds = sum(float(one.sum()) for one in spent) / len(spent)
        devices = ", ".join(sorted({device_of(run) for run in method.runs}))
        rows.append(
            [
                method.name,
                share_over_seeds(shares),
                whole_number(method.step),
                f"{epochs:,.0f}",
                duration(seconds),
                devices,
                nearest(claims, max(method.runs, key=epochs_of)),
            ]
        )
    header = [
        "method",
        f"{metric.title} [95 % t]",
        "updates",
        "epochs",
        "training time",
        "device",
        "published claims",
    ]
    notes = ["Training time: mean over seeds, evaluations within it included."]
    best = methods[0].evaluations[0].best_exact_match
    if best is not None:
        notes.append(
            f"Of several right answers to a question one is asked for: whole examples right can be {percent(best)} at"
            " best, on average, so that exact match cannot rank good models here; solved can."
        )
    return Table(f"Our runs on {dataset}", header, rows, notes)


def claims_figure(found: Sequence[Standing], width: float = panels.PAGE) -> Figure:
    """Claims as grey bars, what runs of ours achieved beside them with its interval, a panel for each dataset."""
    by_data: dict[str, list[Standing]] = {}
    for one in found:
        if one.claim.score not in (POINTS, *COUNTED):
            by_data.setdefault(f"{one.claim.data.title}, {one.claim.metric.title}", []).append(one)
    counts = [len(rows) for rows in by_data.values()]
    with panels.applied():
        row = ROW if width > panels.COLUMN else NARROW_ROW
        size = (width, row * sum(counts) + PANEL * len(counts))
        fig = Figure(figsize=size, layout="constrained")
        every = fig.subplots(len(counts), 1, squeeze=False, height_ratios=counts).ravel()
        for axes, (title, rows) in zip(every, by_data.items(), strict=True):
            axes.set_title(title)
            _draw_panel(axes, rows, narrow=width <= panels.COLUMN)
        caption = (
            "Grey: published (in brackets: by whom), with its ± where it has one. Coloured: runs of ours with a 95 %",
            "interval (one seed: Wilson or exact; more: t), each tested by itself. No mark: no run of ours has the",
            "claim's data, settings and length.",
        )
        panels.finish(fig, "Claims against achieved", caption)
    return fig


def _draw_panel(axes: Axes, rows: Sequence[Standing], narrow: bool) -> None:
    highest = 0.0
    for place, one in enumerate(rows):
        claim, spread = one.claim, 1.96 * one.claim.error
        axes.barh(place, claim.claimed, height=0.4 if narrow else 0.7, color=CLAIMED, zorder=2)
        highest = max(highest, claim.claimed, _draw_ours(axes, place, one))
        if claim.error:
            axes.errorbar([claim.claimed], [place], xerr=[spread], color=DARK, capsize=2, linewidth=1)
        if one.verdict is None:
            _write(axes, claim.claimed + spread, place, claim.printed, DARK)
    names = [f"{one.claim.of} ({one.claim.source_short})" for one in rows]
    axes.set_yticks([] if narrow else range(len(rows)), [] if narrow else names)
    for place, name in enumerate(names if narrow else []):
        axes.text(0, place - 0.27, name, va="bottom", fontsize=6.5)
    axes.set_ylim(len(rows) - 0.4, -0.8 if narrow else -0.6)
    axes.grid(axis="y", visible=False)
    axes.set_xlim(0, (NARROW_WORDS if narrow else WORDS) * highest)
    axes.xaxis.set_major_locator(MaxNLocator(7))
    axes.set_xticks([tick for tick in axes.get_xticks() if tick <= min(1.0, 1.1 * highest)])
    axes.tick_params(labelsize=7)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.4g} %"))


def _draw_ours(axes: Axes, place: int, one: Standing) -> float:
    """Draw what runs of ours achieved; how far it reaches."""
    method, verdict = one.method, one.verdict
    if method is None or verdict is None:
        return 0.0
    above, bar = 0.0, None
    if verdict.low is not None and verdict.high is not None:
        below, above = verdict.mean - max(0.0, verdict.low), min(1.0, verdict.high) - verdict.mean
        bar = [[max(below, 0.0)], [max(above, 0.0)]]
    axes.errorbar(
        [verdict.mean], [place], xerr=bar,
        color=method.colour, marker=method.marker, capsize=2.5, linewidth=1.2, zorder=4,
    )  # fmt: skip
    end = max(one.claim.claimed + 1.96 * one.claim.error, verdict.mean + above)
    words = f"{percent(verdict.mean)}, {counted_seeds(verdict.n)}: {verdict.text}"
    _write(axes, end, place, words, method.colour)
    return end


def _write(axes: Axes, end: float, place: int, words: str, colour: str) -> None:
    axes.annotate(
        words, (end, place), xytext=(4, 0), textcoords="offset points", va="center", fontsize=7, color=colour
    )

"""Right answers against network calls when several rollouts are taken: tables and a figure of many runs.

Lays several noisy rollouts beside plain depth and beside the oracle (any rollout right), for each method over its
seeds. For each budget of network calls a setting is chosen on held-out questions (an evaluation of other data than the
test split), never on the test split. Needs evaluations by `python evaluate.py RUN --width 16 --noise 0.3 --steps 24`
and, to choose, the same with `--data-path HELD-OUT`.
"""

import sys
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from math import floor
from pathlib import Path

if not __package__:  # run by its path: our modules are found from the folder above, not from this one
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis import style
from analysis.comparing import panels
from analysis.comparing.comparability import check_same_datasets
from analysis.comparing.search_study import ORACLE, MethodStudy, Setting, study
from analysis.methods import group
from analysis.outputs import TABLE, add_runs_and_figures_dir, marked, runs_and_figures_dir, write_marked
from analysis.tables import Table, percent, share_over_seeds
from trm.errors import UserError
from trm_lab.commands.command_line import COUNT, CommandLine, run_command
from trm_lab.evaluation.search import StopRule
from trm_lab.intervals import over_seeds

EXAMPLE = "  python -m analysis.search runs/queens_dis-* runs/queens_trm-* --budget 18 72 144 336"
BUDGETS = (18, 72, 144, 336)
WITHOUT_RULES = ("confidence", "q_halt", "convergence", "vote")
BY_THE_RULES = ("valid",)
NOTHING = "–"
CEILING = 4  # times as far below 1 as the lowest of the last values, an axis near 1 begins
Row = Sequence[str]


def tables(studies: Sequence[MethodStudy], budgets: Sequence[int]) -> list[Table]:
    """Right answers within each budget, and rollouts in turn until one is right by the rules of the puzzle."""
    rows = [row for each in studies for budget in budgets for row in _budget_rows(each, budget)]
    header = ("method", "at most", "chosen on held-out questions", "test [95 % t over seeds]", "seed by seed", "oracle")
    notes = (
        "A setting is chosen by its mean over the seeds on held-out questions and then read off the test split. "
        "Plain: a single rollout without noise, its last step within the budget. Oracle: any of the rollouts is right.",
    )
    within = Table("Right answers within a budget of network calls", header, rows, notes)
    stops = [row for each in studies for row in in_turn_rows(each)]
    header = ("method", "rollouts", "test [95 % t over seeds]", "seed by seed", "mean network calls", "at most")
    return [within, Table("Rollouts in turn, until an answer keeps the rules of the puzzle", header, stops)]


def _budget_rows(each: MethodStudy, budget: int) -> Iterator[Row]:
    yield from plain_row(each, budget)
    yield from chosen_row(each, budget, WITHOUT_RULES)
    yield from chosen_row(each, budget, BY_THE_RULES, " (which keep the rules)")


def plain_row(each: MethodStudy, budget: int) -> Iterator[Row]:
    """One rollout without noise, after its last step within the budget; nothing where it was not evaluated."""
    place = np.searchsorted(each.plain_calls, budget, side="right") - 1
    if each.plain and place >= 0:
        shares = [seed[place] for seed in each.plain]
        yield (each.method.name, f"{budget:,}", f"plain, {place + 1} steps", *_summary(shares), NOTHING)


def chosen_row(each: MethodStudy, budget: int, selections: Sequence[str], remark: str = "") -> Iterator[Row]:
    """The setting that held-out questions choose within the budget, of these selections; nothing without them."""
    chosen = each.best(budget, selections)
    if chosen is not None:
        best = Setting(chosen.source, ORACLE, chosen.width, chosen.steps, chosen.calls)
        oracle = percent(float(np.mean(each.test[best]))) if best in each.test else NOTHING
        yield (each.method.name, f"{budget:,}", f"{chosen}{remark}", *_summary(each.test[chosen]), oracle)


def in_turn_rows(each: MethodStudy) -> Iterator[Row]:
    """Rollouts in turn until one keeps the rules, by how they differ; nothing for puzzles without rules."""
    for source in each.sources:
        evaluations = [of_run[source] for of_run in each.evaluations]
        if all("valid" in evaluation.selections for evaluation in evaluations):
            results = each.stopped(source, StopRule("valid"), "in-turn")
            width, steps = each.shared_size(source)
            calls = over_seeds([calls for _, calls in results]).mean
            shares = _summary([share for share, _ in results])
            most = evaluations[0].calls * width * steps
            yield (each.method.name, f"{width} × {steps} steps, {source}", *shares, f"{calls:.1f}", f"{most:,}")


def _summary(shares: Sequence[float]) -> tuple[str, str]:
    summary = over_seeds(shares)
    return share_over_seeds(summary), ", ".join(percent(share) for share in shares)


@panels.applied()
def figure(studies: Sequence[MethodStudy], heading: str, width: float = panels.PAGE) -> Figure:
    """A panel for each method: right answers against network calls, by plain depth, by more rollouts, by the oracle."""
    fig, all_axes = panels.sheet(
        [f"{each.method.label}, {_shown_source(each)}" for each in studies], min(2, len(studies)), 2.6, width
    )
    for axes, each in zip(all_axes, studies, strict=True):
        _draw(axes, each)
    low, high = zip(*(axes.get_ylim() for axes in all_axes), strict=True)
    lowest = lowest_shown(all_axes)
    for axes in all_axes:
        axes.set_ylim(lowest or min(low), max(high))  # one scale: methods stand beside each other
    caption = (
        "Means over seeds; a line's points are numbers of steps. Plain depth: one rollout without noise. "
        "Valid: keeps the rules. Star: rollouts in turn until one is valid. Band, bar of the star: range over seeds.",
        *([f"Shares below {100 * lowest:.0f} %, of too few steps, are not shown."] if lowest else ()),
    )
    panels.finish(fig, heading, caption, all_axes[0])
    return fig


def lowest_shown(all_axes: Sequence[Axes]) -> float:
    """Where a vertical axis begins so that the last values of all lines, if near 1, can be told apart; else 0."""
    last = min(float(np.asarray(line.get_ydata())[-1]) for axes in all_axes for line in axes.get_lines())
    return max(0.0, floor(20 * (1 - CEILING * (1 - last))) / 20)


def _shown_source(each: MethodStudy) -> str:
    """The source of the setting chosen for the largest budget, else the first there is."""
    chosen = each.best(10**9, (*WITHOUT_RULES, "valid"))
    return chosen.source if chosen is not None and chosen.source in each.sources else each.sources[0]


def _draw(axes: Axes, each: MethodStudy) -> None:
    if each.plain:
        values = np.array(each.plain)
        look = style.marks("o", len(each.plain_calls)) | {"color": style.BLACK, "linewidth": 1.8}
        axes.plot(each.plain_calls, values.mean(0), label="plain depth", **look)
        axes.fill_between(each.plain_calls, values.min(0), values.max(0), color=style.BLACK, alpha=0.12, linewidth=0)
    source = _shown_source(each)
    selections = {s.select for s in each.test if s.source == source}
    select = "valid" if "valid" in selections else "confidence"
    all_widths = sorted({s.width for s in each.test if s.source == source})
    for width, colour, marker in zip(
        all_widths, style.in_order(len(all_widths)), islice(cycle(style.LINE_MARKERS[1:]), len(all_widths)), strict=True
    ):
        chosen = select if width > 1 else next(s.select for s in each.test if s.source == source and s.width == 1)
        points = sorted((s.calls, np.mean(v)) for s, v in each.test.items() if _is(s, source, chosen, width))
        axes.plot(
            *zip(*points, strict=True),
            color=colour,
            label=f"{width} rollouts, by {select}" if width > 1 else "1 rollout",
            **style.marks(marker, len(points)),
        )
    points = sorted((s.calls, np.mean(v)) for s, v in each.test.items() if _is(s, source, ORACLE, all_widths[-1]))
    if points:
        axes.plot(*zip(*points, strict=True), **style.BASELINE, label=f"oracle of {all_widths[-1]}")
    if select == "valid":
        shares, calls = np.transpose(each.stopped(source, StopRule("valid"), "in-turn"))
        reach = [[shares.mean() - shares.min()], [shares.max() - shares.mean()]]
        look = {"color": style.VERMILION, "markersize": 9, "capsize": panels.CAP, "linewidth": 1.1}
        axes.errorbar([calls.mean()], [shares.mean()], reach, fmt="*", label="in turn, until one is valid", **look)
    panels.logarithmic(axes, lambda value: f"{value:g}")
    axes.set_xlabel("network calls of an answer")
    axes.set_ylabel("right answers")
    style.shares_as_percent(axes)


def _is(setting: Setting, source: str, select: str, width: int) -> bool:
    return (setting.source, setting.select, setting.width) == (source, select, width)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Raises:
        UserError: no run can be read, they were tested on other questions, or none has an evaluation by a search.
    """
    parser = CommandLine("python -m analysis.search", __doc__, EXAMPLE)
    add_runs_and_figures_dir(parser)
    parser.add_argument("--budget", type=COUNT, nargs="+", default=list(BUDGETS), help="network calls of an answer")
    options = parser.parse(arguments)
    read, folder = runs_and_figures_dir(options)
    check_same_datasets(read.runs)
    methods, remarks = group(read.runs)
    every_study = [study(method) for method in methods]
    studies = [each for each in every_study if each.sources]
    if not studies:
        raise UserError(
            "no run with an evaluation by several rollouts",
            "runs that evaluate.py searched with, all seeds of a method alike",
            f"python evaluate.py {read.runs[0].in_command} --width 16 --noise 0.3",
        )
    without = [f"{each.method.name}: no search that all its runs have" for each in every_study if not each.sources]
    without += [
        f"{each.method.name}: no setting is chosen, for want of the same search on held-out questions"
        for each in studies
        if not each.held_out
    ]
    lines = ["# Search", *(table.markdown() for table in tables(studies, options.budget))]
    left_out = "\n".join(f"- {remark}" for remark in [*read.remarks(), *remarks, *without])
    text = marked("\n\n".join([*lines, *([left_out] if left_out else [])]) + "\n", ".md", TABLE)
    write_marked(folder / "search.md", text, TABLE, "--figures-dir")
    print(text)
    paths = [folder / "search.md"]
    for name, width in (("search", panels.PAGE), ("search_column", panels.COLUMN)):
        drawn = figure(studies, "Right answers against network calls, with more rollouts", width)
        paths += style.save(drawn, folder / name)
    print("\n".join(map(str, paths)))


if __name__ == "__main__":
    run_command(main, interrupted="interrupted")

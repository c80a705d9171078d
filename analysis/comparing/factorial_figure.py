"""The figure of a factorial design: what each setting does, and beside it the cells that this is computed from."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from analysis import style
from analysis.comparing import panels
from analysis.comparing.factorial_design import METHOD, Factorial
from analysis.comparing.pairwise_tests import LEVEL, Tested
from analysis.metrics import Metric
from trm_lab.commands.tables import signed
from trm_lab.intervals import over_seeds

ROW, LINE, EDGES = 0.2, 0.12, 0.9  # inches: of a row, of each further line of its name, of a panel's title and axis
NAME_LETTER, PLOT = 0.06, 1.6  # inches: of a letter, and what a name leaves of a panel's width at least


def factorial_figure(study: Factorial, metric: Metric, heading: str, width: float = panels.PAGE) -> Figure:
    """Effects with their intervals, and the mean of each cell with its seeds.

    The two panels stand one below the other where a name is too long for half of a page.
    """
    names = [
        [one.name.removeprefix(f"{METHOD}: ") for one in study.effects],
        [", ".join(levels) for levels in study.cells],
    ]
    columns = 2 if max(map(len, [*names[0], *names[1]])) <= _letters(width / 2) else 1
    rows = [_Rows.of(some, _letters(width / columns)) for some in names]
    heights = [each.height + EDGES for each in rows] if columns == 1 else [max(each.height for each in rows) + EDGES]
    with panels.applied():
        titles = ["effects, in points", metric.title]
        fig, (effects, cells) = panels.sheet(titles, columns, width=width, heights=heights)
        _draw_effects(effects, study.effects, rows[0].places)
        _draw_cells(cells, study, metric, rows[1].places)
        for axes, each in zip((effects, cells), rows, strict=True):
            axes.set_yticks(each.places, each.names)
            axes.set_ylim(each.height, 0)
        caption = [
            f"Effects: each with its own 95 % interval; filled: p < {LEVEL:g}, adjusted (Holm). ×: interactions.",
            "Combinations: a dot for each seed; bar: mean with its 95 % t-interval over seeds.",
        ]
        panels.finish(fig, heading, caption)
    return fig


@dataclass(frozen=True)
class _Rows:
    """A row a name, the first on top.  names: in lines.  places: inches below the top, as is the height of all."""

    names: list[str]
    places: list[float]
    height: float

    @staticmethod
    def of(names: Sequence[str], letters: int) -> "_Rows":
        """Rows as high as their names, with so many letters in a line."""
        broken = [textwrap.fill(name, letters) for name in names]
        heights = np.array([ROW + LINE * name.count("\n") for name in broken])
        return _Rows(broken, (np.cumsum(heights) - heights / 2).tolist(), float(heights.sum()))


def _letters(width: float) -> int:
    """Of a line of a name in a panel so wide."""
    return int((width - PLOT) / NAME_LETTER)


def _draw_effects(axes: Axes, effects: Sequence[Tested], places: Sequence[float]) -> None:
    for place, one in zip(places, effects, strict=True):
        sure = one.p_holm is not None and one.p_holm < LEVEL
        axes.plot(
            one.difference.mean, place, "o", color=style.BLUE, markerfacecolor=None if sure else "white", zorder=3
        )
        if one.difference.low is not None and one.difference.high is not None:
            axes.plot([one.difference.low, one.difference.high], [place, place], color=style.BLUE)
    axes.axvline(0, **style.BASELINE)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: signed(100 * share, ".4g")))


def _draw_cells(axes: Axes, study: Factorial, metric: Metric, places: Sequence[float]) -> None:
    for place, evaluations in zip(places, study.evaluations.values(), strict=True):
        _draw_cell(axes, place, [metric.of(one) for one in evaluations])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.4g} %"))


def _draw_cell(axes: Axes, place: float, shares: Sequence[float]) -> None:
    summary = over_seeds(shares)
    axes.plot(shares, [place] * len(shares), "o", color=style.BLUE, alpha=0.45, markeredgewidth=0)
    axes.plot(summary.mean, place, "|", color=style.BLACK, markersize=9, markeredgewidth=1.6)
    if summary.low is not None and summary.high is not None:
        axes.plot([max(0, summary.low), min(1, summary.high)], [place, place], color=style.BLACK, linewidth=0.9)

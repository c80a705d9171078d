"""The figure of a factorial design: what each setting does, and beside it the cells that this is computed from."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from analysis import style
from analysis.comparing import panels
from analysis.comparing.factorial_design import Factorial
from analysis.comparing.pairwise_tests import LEVEL, Tested
from analysis.metrics import Metric
from trm_lab.commands.tables import signed
from trm_lab.intervals import over_seeds

ROW, EDGES = 0.2, 0.9  # inches: of an effect or a cell, and of a panel's title and axis


def factorial_figure(study: Factorial, metric: Metric, heading: str, width: float = panels.PAGE) -> Figure:
    """Effects with their intervals, and the mean of each cell with its seeds."""
    rows = max(len(study.effects), len(study.cells))
    with panels.applied():
        fig, (effects, cells) = panels.sheet(["effects, in points", metric.title], 2, ROW * rows + EDGES, width)
        _draw_effects(effects, study.effects)
        _draw_cells(cells, study, metric)
        caption = [
            f"Effects: each with its own 95 % interval; filled: p < {LEVEL:g}, adjusted (Holm). ×: interactions.",
            "Combinations: a dot for each seed; bar: mean with its 95 % t-interval over seeds.",
        ]
        panels.finish(fig, heading, caption)
    return fig


def _draw_effects(axes: Axes, effects: Sequence[Tested]) -> None:
    for place, one in enumerate(effects):
        sure = one.p_holm is not None and one.p_holm < LEVEL
        axes.plot(
            one.difference.mean, place, "o", color=style.BLUE, markerfacecolor=None if sure else "white", zorder=3
        )
        if one.difference.low is not None and one.difference.high is not None:
            axes.plot([one.difference.low, one.difference.high], [place, place], color=style.BLUE)
    axes.axvline(0, **style.BASELINE)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: signed(100 * share, ".4g")))
    _name_rows(axes, [one.name for one in effects])


def _draw_cells(axes: Axes, study: Factorial, metric: Metric) -> None:
    for place, evaluations in enumerate(study.evaluations.values()):
        _draw_cell(axes, place, [metric.of(one) for one in evaluations])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.4g} %"))
    _name_rows(axes, [", ".join(levels) for levels in study.cells])


def _draw_cell(axes: Axes, place: int, shares: Sequence[float]) -> None:
    summary = over_seeds(shares)
    axes.plot(shares, [place] * len(shares), "o", color=style.BLUE, alpha=0.45, markeredgewidth=0)
    axes.plot(summary.mean, place, "|", color=style.BLACK, markersize=9, markeredgewidth=1.6)
    if summary.low is not None and summary.high is not None:
        axes.plot([max(0, summary.low), min(1, summary.high)], [place, place], color=style.BLACK, linewidth=0.9)


def _name_rows(axes: Axes, names: Sequence[str]) -> None:
    """One row a name, the first on top."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)

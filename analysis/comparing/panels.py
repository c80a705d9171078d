"""Panels for print: a column or a page wide, small type, methods as mean lines with what the seeds do around them.

n seeds, X places on the horizontal axis. Sizes are in inches.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, NullFormatter

from analysis import style
from analysis.methods import Method
from trm.evaluation.intervals import over_seeds

COLUMN, PAGE = 3.3, 6.9
MARKED = 24  # places up to which each has a mark
CAPTION_LINE, LEGEND_ROW = 0.125, 0.16
DODGE = 1.03  # between error bars of methods that stand at one place of a logarithmic axis
_SMALL = matplotlib.RcParams(
    {
        "font.size": 8,
        "axes.titlesize": 8.5,
        "axes.labelsize": 8,
        "legend.fontsize": 7.5,
        "xtick.labelsize": 7.5,
        "ytick.labelsize": 7.5,
        "figure.titlesize": 9,
        "lines.linewidth": 1.4,
        "lines.markersize": 4,
    }
)


@contextmanager
def applied() -> Iterator[None]:
    """The house's style in small type."""
    with style.applied(), matplotlib.rc_context(_SMALL):
        yield


def sheet(
    titles: Sequence[str], columns: int, height: float = 2.3, width: float = PAGE
) -> tuple[Figure, list[Axes]]:
    """A figure with a panel for each title, in rows; call within `applied`, and `finish` it."""
    rows = -(-len(titles) // columns)
    fig = Figure(figsize=(width, height * rows), layout="constrained")
    every = fig.subplots(rows, columns, squeeze=False).ravel().tolist()
    for axes, title in zip(every, titles, strict=False):
        axes.set_title(title)
        axes.tick_params(labelsize=_SMALL["xtick.labelsize"])  # ticks may be made after `applied` has ended
    for axes in every[len(titles) :]:
        axes.remove()
    return fig, every[: len(titles)]


def finish(
    fig: Figure, heading: str, caption: Sequence[str], legend_of: Axes | None = None, columns: int = 4
) -> None:
    """Heading on top; below the panels a legend, and a caption that says what lines, bands and bars are."""
    fig.suptitle(heading, x=0.01, ha="left", fontweight="bold", parse_math=False)
    handles, labels = legend_of.get_legend_handles_labels() if legend_of is not None else ([], [])
    rows = -(-len(labels) // columns)
    below = CAPTION_LINE * len(caption) + LEGEND_ROW * rows + 0.06
    width, height = fig.get_size_inches()
    fig.set_size_inches(width, height + below)
    share = below / (height + below)
    fig.get_layout_engine().set(rect=(0, share, 1, 1 - share))  # type: ignore[union-attr, call-arg]
    edge, foot = 0.04 / width, 0.03 / (height + below)
    fig.text(edge, foot, "\n".join(caption), va="bottom", fontsize=6.5, color="#444444", linespacing=1.3,
             parse_math=False)  # fmt: skip
    above = foot + CAPTION_LINE * len(caption) / (height + below)
    if labels:
        fig.legend(
            handles, labels, loc="lower left", ncols=columns, borderpad=0.1, borderaxespad=0, handlelength=1.6,
            columnspacing=1.0, fontsize=7 if width <= COLUMN else None, labelspacing=0.3, bbox_to_anchor=(edge, above),
        )  # fmt: skip


def draw_seeds(
    axes: Axes,
    method: Method,
    places: Sequence[float],
    values: Sequence[Sequence[float]],
    shift: int | None = None,
    label: str | None = None,
) -> None:
    """The mean of values `[n, X]` as a line, their range as a band, and at the end the t-interval of the mean.

    shift: how many places the interval is moved aside; None for no interval. From one seed there is none.
    """
    numbers = np.asarray(values, dtype=np.float64)
    name = method.label if label is None else label
    few = len(places) <= MARKED
    axes.plot(
        places, numbers.mean(0), color=method.colour, linestyle=method.dashes, label=name,
        marker=method.marker if few else None, markersize=None if len(places) <= MARKED / 3 else 3,
    )  # fmt: skip
    if len(numbers) > 1:
        axes.fill_between(
            places, numbers.min(0), numbers.max(0), color=method.colour, alpha=0.15, linewidth=0
        )
        if shift is not None:
            error_bar(axes, method, places[-1] * DODGE**shift, numbers[:, -1].tolist())


def error_bar(axes: Axes, method: Method, place: float, values: Sequence[float]) -> None:
    """The 95 % t-interval of a mean share over seeds, within [0, 1]."""
    found = over_seeds(values)
    if found.low is None or found.high is None:
        return
    below, above = found.mean - max(0.0, found.low), min(1.0, found.high) - found.mean
    axes.errorbar(
        [place], [found.mean], [[max(below, 0.0)], [max(above, 0.0)]],
        color=method.colour, capsize=2.5, linewidth=1.1, marker=None, zorder=3,
    )  # fmt: skip


def logarithmic(axes: Axes, written: Callable[[float], str] | None = None) -> None:
    """A logarithmic horizontal axis with 1, 2 and 5 of each power, or fewer where it spans many."""
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    decades = np.log10(high / low)
    axes.xaxis.set_major_locator(LogLocator(subs=_subs(decades)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(
        EngFormatter(sep="") if written is None else FuncFormatter(lambda value, _: written(value))
    )


def staircase(axes: Axes, points: Sequence[tuple[float, float]], label: str) -> None:
    """A Pareto front, cheapest first, as the best accuracy for at most a cost."""
    costs, shares = zip(*points, strict=True)
    axes.step(
        costs,
        shares,
        where="post",
        color="#777777",
        linewidth=0.9,
        linestyle=(0, (3, 2)),
        label=label,
        zorder=1,
    )


def _subs(decades: float) -> tuple[int, ...]:
    """Which multiples of a power are labelled."""
    if decades < 0.7:
        return (1, 2, 3, 4, 5, 7)
    return (1, 2, 5) if decades < 1.6 else (1, 3) if decades < 3 else (1,)

"""Panels for print: a column or a page wide, small type, methods as mean lines with what the seeds do around them.

n seeds, X places on the horizontal axis. Sizes are in inches.
"""

import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, NullFormatter
from matplotlib.transforms import ScaledTranslation

from analysis import style
from analysis.methods import Method
from trm_lab.intervals import over_seeds

COLUMN, PAGE = 3.3, 6.9
CAPTION_SIZE, LEGEND_SIZE = 6.5, 7  # points
CAPTION_LETTER, LEGEND_LETTER, TITLE_LETTER, HEADING_LETTER = 0.051, 0.056, 0.068, 0.085  # inches, usually
LOW = 1.9  # of a panel a column wide
BESIDE, SPREAD = 2.0, 10.0  # points on the page from one interval at a place to the next, and from first to last
ONE_PLACE = 0.03  # of its distance from 0: intervals nearer than this would be drawn on top of each other
ASIDE = " (of methods at one place, side by side around it)"
CAP = 1.5  # points, half the width of an error bar's ends
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
        "axes.xmargin": 0.07,  # room for intervals around the last place
    }
)


@contextmanager
def applied() -> Iterator[None]:
    """The house's style in small type."""
    with style.applied(), matplotlib.rc_context(_SMALL):
        yield


def columns_for(count: int) -> int:
    """In how many columns so many panels leave no room empty, on a page."""
    return 3 if count == 3 else min(2, count)


def sheet(
    titles: Sequence[str], columns: int, height: float = 2.3, width: float = PAGE, heights: Sequence[float] = ()
) -> tuple[Figure, list[Axes]]:
    """A figure with a panel for each title, in rows; call within `applied`, and `finish` it.

    A column wide there is one panel in a row. heights: of each row, where they are not all `height`.
    """
    if width <= COLUMN:
        columns, height = 1, height if len(titles) == 1 else min(height, LOW)
    heights = heights or [height] * -(-len(titles) // columns)
    fig = Figure(figsize=(width, sum(heights)), layout="constrained")
    fig.get_layout_engine().set(w_pad=0.07)  # type: ignore[union-attr, call-arg]
    all_axes = fig.subplots(len(heights), columns, squeeze=False, height_ratios=heights).ravel().tolist()
    for axes, title in zip(all_axes, titles, strict=False):
        axes.set_title(textwrap.fill(title, int((width / columns - 0.65) / TITLE_LETTER)))
        axes.tick_params(labelsize=_SMALL["xtick.labelsize"])  # ticks may be made after `applied` has ended
    for axes in all_axes[len(titles) :]:
        axes.remove()
    return fig, all_axes[: len(titles)]


def finish(fig: Figure, heading: str, caption: Sequence[str], legend_of: Axes | None = None) -> None:
    """Heading on top; below the panels a caption that says what lines, bands and bars are, and a legend.

    legend_of: the panel whose lines come first in the legend, before those that other panels alone have; None: no
    legend. The figure grows by what is put below the panels.
    """
    width, height = fig.get_size_inches()
    title = textwrap.fill(heading, int(width / HEADING_LETTER))
    fig.suptitle(title, x=0.01, ha="left", fontweight="bold", parse_math=False)
    labels: dict[str, Any] = {}
    for axes in (legend_of, *fig.axes) if legend_of is not None else ():
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            labels.setdefault(label, handle)
    letters = int((min(width, COLUMN) - 0.55) / LEGEND_LETTER)
    whole = [label.replace(" seeds)", "\N{NO-BREAK SPACE}seeds)") for label in labels]
    broken = [textwrap.fill(label, letters, break_on_hyphens=False) for label in whole]
    longest = max((len(line) for label in broken for line in label.splitlines()), default=1)
    legend = fig.legend(
        list(labels.values()), broken, loc="outside lower left", handlelength=4, columnspacing=1.0, labelspacing=0.3,
        ncols=max(1, min(len(labels), int((width - 0.1) / (0.56 + LEGEND_LETTER * longest)))), fontsize=LEGEND_SIZE,
        title=textwrap.fill(" ".join(caption), int(width / CAPTION_LETTER)), title_fontsize=CAPTION_SIZE,
        alignment="left", borderpad=0.3, borderaxespad=0.4,
    )  # fmt: skip
    legend.get_title().set(color="#444444", parse_math=False)
    below = legend.get_window_extent(FigureCanvasAgg(fig).get_renderer()).height / fig.dpi
    fig.set_size_inches(width, height + below)


def draw_seeds(
    axes: Axes,
    method: Method,
    places: Sequence[float],
    values: Sequence[Sequence[float]],
    interval: bool = False,
    label: str | None = None,
) -> None:
    """The mean of values `[n, X]` as a line, their range as a band, and at the end the t-interval of the mean.

    interval: whether it is drawn. One seed has none.
    """
    numbers = np.asarray(values, dtype=np.float64)
    name = method.label if label is None else label
    axes.plot(
        places, numbers.mean(0), color=method.colour, linestyle=method.dashes, label=name,
        **style.marks(method.marker, len(places)),
    )  # fmt: skip
    if len(numbers) > 1:
        axes.fill_between(places, numbers.min(0), numbers.max(0), color=method.colour, alpha=0.15, linewidth=0)
        if interval:
            error_bar(axes, method, places[-1], numbers[:, -1].tolist())


def error_bar(axes: Axes, method: Method, place: float, values: Sequence[float]) -> None:
    """The 95 % t-interval of the mean share over seeds, within [0, 1]; without a mark of its own at the mean.

    Those of methods at one `place` stand side by side around it.
    """
    summary = over_seeds(values)
    if summary.low is None or summary.high is None:
        return
    low, high = max(0.0, summary.low), min(1.0, summary.high)
    axes.errorbar(
        [place], [summary.mean], [[max(summary.mean - low, 0.0)], [max(high - summary.mean, 0.0)]],
        fmt="none", ecolor=method.colour, capsize=CAP, elinewidth=1.1, capthick=0.8, zorder=3,
    )  # fmt: skip
    _stand_side_by_side(axes, place)


def _stand_side_by_side(axes: Axes, place: float) -> None:
    """Move the intervals at this place on the page, in their order, so that they are around it."""
    bars = [bar for bar in axes.containers if isinstance(bar, ErrorbarContainer)]
    here = [bar for bar in bars if np.isclose(bar.lines[1][0].get_xdata(), place, rtol=ONE_PLACE).all()]
    step = min(BESIDE, SPREAD / max(1, len(here) - 1))
    for number, bar in enumerate(here):
        points = step * (number - (len(here) - 1) / 2)
        moved = axes.transData + ScaledTranslation(points / 72, 0, axes.figure.dpi_scale_trans)
        for part in (*bar.lines[1], *bar.lines[2]):
            part.set_transform(moved)


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


def symmetric_logarithmic(axes: Axes, label: str) -> None:
    """A vertical axis on which flat lines can be read beside values that go more than ten times as far.

    It is logarithmic beyond about the largest value of the flattest, and its label says so. How flat a line is its
    values after the first say, where it has any: the first supervision step does nearly all.
    """
    lines = [np.abs(line.get_ydata()) for line in axes.get_lines()]
    flat = [reach for values in lines if (reach := float(values[min(1, len(values) - 1) :].max())) > 0]
    if not flat or max(values.max() for values in lines) <= 10 * min(flat):
        axes.set_ylabel(label)
        return
    power = float(np.floor(np.log10(min(flat))))
    axes.set_yscale("symlog", linthresh=10**power)
    axes.autoscale_view(scalex=False)  # its margin is of this scale
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}".replace("-", "−")))
    axes.set_ylabel(f"{label},\nlogarithmic beyond ±{10**power:g}")


def staircase(axes: Axes, points: Sequence[tuple[float, float]], label: str) -> None:
    """A Pareto front, cheapest first, as the best accuracy for at most a cost."""
    costs, shares = zip(*points, strict=True)
    axes.step(
        costs,
        shares,
        where="post",
        color="#C4C4C4",
        linewidth=5,  # to be seen on both sides of a method's line that it runs along
        label=label,
        zorder=1,
    )


def _subs(decades: float) -> tuple[float, ...]:
    """Which multiples of a power are labelled."""
    if decades < 0.7:
        return (1, 1.5, 2, 3, 4, 5, 7)
    return (1, 2, 5) if decades < 1.6 else (1, 3) if decades < 3 else (1,)

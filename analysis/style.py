"""One look for every figure, and ARC's colours.

Figures are built from `matplotlib.figure.Figure`, never through pyplot: they need no display and no backend.
Lines take the Okabe-Ito colours, which stay apart under the common kinds of colour blindness; dashes and marks tell
them apart in grey as well.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from trm_lab.files.whole_files import mark, write_output
from trm_lab.puzzles.drawing import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION
from trm_lab.runs.evaluation_folder import BASELINES

LINE_COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
LINE_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
Dashes = str | tuple[int, tuple[float, ...]]
LINE_DASHES: tuple[Dashes, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1)), (0, (5, 1, 1, 1)), (0, (8, 1, 2, 1)))
MARKED = 12  # places of a line up to which each has a mark
BASELINE: dict[str, Any] = {"color": "#555555", "linestyle": (0, (5, 3)), "linewidth": 1.2}
BASELINE_DASHES: tuple[Dashes, ...] = ((0, (5, 3)), (0, (6, 2, 1, 2)), (0, (2, 3)))  # of BASELINES, in their order

_RC = matplotlib.RcParams(
    {
        "font.family": "DejaVu Sans",
        "font.size": 9.5,
        "axes.titlesize": 10.5,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.labelsize": 9.5,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.linewidth": 0.8,
        "axes.axisbelow": True,
        "axes.grid": True,
        "grid.color": "#E3E3E3",
        "grid.linewidth": 0.7,
        "legend.framealpha": 0.85,
        "legend.edgecolor": "none",
        "legend.fontsize": 8.5,
        "lines.linewidth": 1.6,
        "lines.markersize": 4.5,
        "xtick.labelsize": 8.5,
        "ytick.labelsize": 8.5,
        "figure.titlesize": 11.5,
        "savefig.dpi": 200,
        "savefig.facecolor": "white",
        "text.parse_math": False,  # names are a stranger's
        "svg.hashsalt": "figure",
        "pdf.fonttype": 42,  # embed outlines that editors and journals can read
    }
)


def applied() -> AbstractContextManager[None]:
    """The style, for as long as the `with` block (or decorated function) lasts."""
    return matplotlib.rc_context(_RC)


def in_order(count: int) -> list[tuple[float, float, float, float]]:
    """Return `count` colours from light to dark for things that come one after another, such as steps."""
    palette = matplotlib.colormaps["viridis_r"]
    return [palette(position) for position in np.linspace(1.0, 0.15, count)[::-1]]


def draw_baselines(axes: Axes, shares: Iterable[tuple[str, float]]) -> None:
    """A line at each share of answers that need no learning, dashed as its name is; of equal shares the first."""
    names = list(BASELINES.values())
    drawn: set[float] = set()
    for name, share in sorted(set(shares), key=lambda one: names.index(one[0])):
        if share not in drawn:
            axes.axhline(share, label=name, **{**BASELINE, "linestyle": BASELINE_DASHES[names.index(name)]})
        drawn.add(share)


def marks(marker: str, places: int) -> dict[str, Any]:
    """The look of a line's marks: at each of few places, else spread over its length, so that no line is without."""
    return {"marker": marker} if places <= MARKED else {"marker": marker, "markevery": 0.1, "markersize": 3.5}


def evenly_chosen(count: int, at_most: int) -> list[int]:
    """Return at most `at_most` of 0..count-1, evenly spaced, always with the first and the last."""
    return sorted({round(position) for position in np.linspace(0, count - 1, min(count, at_most))})


def shares_as_percent(axes: Axes) -> None:
    """Label the vertical axis, which holds shares in [0, 1], in percent with as few decimals as it takes.

    It ends where shares do: equal ones of 0 or 1 would put them in the middle.
    """
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, -0.02 * high), min(high, 1.02), auto=None)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.4g} %"))


def from_zero_if_near(axes: Axes) -> None:
    """Let the vertical axis begin just below 0, so that lines at 0 and at the top can be seen.

    Where all that is drawn lies in its upper half, it begins below the lowest of that, and the rest is not drawn empty.
    """
    low, high = axes.dataLim.y0, axes.dataLim.y1
    if low > high / 2:
        return
    top = max(1.04 * high, axes.get_ylim()[1])
    axes.set_ylim(-0.02 * top, top)


def percent_from_zero_if_near(axes: Axes) -> None:
    """Percent as above, from 0 as above."""
    from_zero_if_near(axes)
    shares_as_percent(axes)


def svg(fig: Figure) -> bytes:
    """The figure as SVG with its text as outlines; the same figure gives the same bytes."""
    stream = BytesIO()
    with applied():
        fig.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()


def save(fig: Figure, path_without_suffix: Path, flag: str = "--figures-dir") -> list[Path]:
    """Write the figure as PNG and PDF and return both paths; the same figure gives the same bytes.

    flag: of the command line, which chooses the place.

    Raises:
        UserError: a file is there that is no figure of ours.
    """
    path_without_suffix.parent.mkdir(parents=True, exist_ok=True)
    drawn = BytesIO(), BytesIO()
    png = path_without_suffix.with_name(path_without_suffix.name + ".png")
    pdf = path_without_suffix.with_name(path_without_suffix.name + ".pdf")
    with applied():
        fig.savefig(drawn[0], format="png", metadata={"Software": mark("figure")})
        fig.savefig(drawn[1], format="pdf", metadata={"CreationDate": None, "Creator": mark("figure")})
    for file, stream in zip((png, pdf), drawn, strict=True):
        write_output(file, stream.getvalue(), "figure", flag)
    return [png, pdf]

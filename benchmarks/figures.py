"""The benchmarks' figures: a roofline of training steps, what they should take, and where an evaluation's time goes.

The look is that of the runs' figures (Okabe-Ito colours, light grid, PNG and PDF), kept apart because benchmarks know
the methods and not the analysis.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from benchmarks.outputs import save_figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
ROOF_DASHES = {"float32": "-", "bfloat16": (0, (5, 2)), "float64": ":"}
PART_COLOURS = {
    "network": "#0072B2",
    "transfer": "#E69F00",
    "waiting": "#CC79A7",
    "voting": "#009E73",
    "reading": "#56B4E9",
}
REST = "#BBBBBB"
STEP_PARTS = {  # of a modelled step
    "attention": ("attention", "#0072B2"),
    "products": ("products with weights", "#E69F00"),
    "between": ("between products", "#009E73"),
    "update": ("update", "#000000"),
    "launches": ("launches", "#CC79A7"),
}
LEVELS = {"floor": "floor", "good": "expected, at best", "poor": "expected, at worst"}
LOOK: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "savefig.dpi": 200,
    "savefig.facecolor": "white",
    "pdf.fonttype": 42,
}


def save(figure: Figure, path_without_suffix: Path) -> list[Path]:
    """Write PNG and PDF; the same figure gives the same bytes."""
    with matplotlib.rc_context(LOOK):
        return save_figure(figure, path_without_suffix)


def roofline(report: Mapping[str, Any]) -> Figure:
    """Operations a second over operations for each byte; a roof for each dtype, measured in the same run.

    A filled point is our step, the hollow one of its colour the reference step of the same configuration; the bar
    through a point spans the turns.
    """
    results = report["results"]
    with matplotlib.rc_context(LOOK):
        figure = Figure(figsize=(9.2, 2.6 + max(2.4, 0.2 * len(results))), layout="constrained")
        axes = figure.subplots()
        intensities = [one["intensity"] for one in results]
        left, right = min(1.0, *intensities), 2.5 * max(intensities)
        copied = max(one["limit"]["copied"] for one in results) / 1e9
        for dtype in dict.fromkeys(one["dtype"] for one in results):
            best = max(one["limit"]["best"] for one in results if one["dtype"] == dtype) / 1e9
            _roof(axes, f"{dtype} products", ROOF_DASHES[dtype], best, copied, (left, right))
        axes.annotate(
            f"copies {copied:,.0f} GB/s",
            (left, left * copied),
            xytext=(26, 4),
            textcoords="offset points",
            fontsize=8,
            color="#444444",
        )
        axes.set(xscale="log", yscale="log", xlim=(left, right))
        keys = [_points(axes, one, place) for place, one in enumerate(results)]
        rates = [one[side]["operations_per_second"] / 1e9 for one in results for side in ("ours", "reference")]
        best = max(one["limit"]["best"] for one in results) / 1e9
        axes.set_ylim(min(best / 10, min(rates) / 2), 1.6 * best)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.set_minor_locator(NullLocator())
        axes.grid(True, color="#E3E3E3", linewidth=0.7)
        axes.set_xlabel("operations for each byte that must move (FLOP/byte)")
        axes.set_ylabel("GFLOP/s")
        axes.set_title("Training steps under the machine's own roofs")
        sides = [_mark("#555555", "o", True, "ours"), _mark("#555555", "o", False, "reference")]
        figure.legend(handles=[*sides, *keys], loc="outside right upper")
        on = report["machine"]
        figure.supxlabel(
            f"{on.get('gpu') or on['processor']}, {on['threads']} threads, torch {on['torch']}, {report['date'][:10]}; "
            f"medians and range of {report['repeats']} turns",
            fontsize=7.5,
            color="#555555",
        )
    return figure


def _roof(axes: Axes, name: str, dashes: Any, best: float, copied: float, ends: tuple[float, float]) -> None:
    """min(best, intensity · copied), each the highest that was measured."""
    left, right = ends
    at = np.array([left, max(left, best / copied), right])
    axes.plot(at, np.minimum(best, at * copied), color="#444444", linestyle=dashes, linewidth=1.4)
    axes.annotate(
        f"{name} {best:,.0f} GFLOP/s",
        (right, best),
        xytext=(-4, 4),
        textcoords="offset points",
        fontsize=8,
        ha="right",
        color="#444444",
    )


def _points(axes: Axes, one: Mapping[str, Any], place: int) -> Line2D:
    """Ours and the reference at one intensity, with their number; the key of the legend."""
    colour, marker = COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]
    intensity = one["intensity"]
    for name in ("reference", "ours"):
        part = one[name]
        rate = part["operations_per_second"] / 1e9
        work = rate * part["seconds"]["median"]
        low, high = work / part["seconds"]["high"], work / part["seconds"]["low"]
        axes.errorbar(
            intensity * (1.0 if name == "ours" else 0.965),
            rate,
            yerr=[[rate - low], [high - rate]],
            marker=marker,
            markersize=7,
            color=colour,
            markerfacecolor=colour if name == "ours" else "white",
            capsize=2,
            linewidth=1,
        )
    axes.annotate(
        str(place + 1),
        (intensity, one["ours"]["operations_per_second"] / 1e9),
        xytext=(10, 0),
        textcoords="offset points",
        fontsize=8,
        ha="center",
        va="center",
        color=colour,
    )
    share = f"{100 * one['ours']['share_of_limit']:.0f} % (reference {100 * one['reference']['share_of_limit']:.0f} %)"
    return _mark(colour, marker, True, f"{place + 1}  {one['name']}\n    {share} of the limit")


def _mark(colour: str, marker: str, filled: bool, label: str) -> Line2D:
    face = colour if filled else "white"
    return Line2D([], [], color=colour, marker=marker, markerfacecolor=face, markersize=6, linestyle="", label=label)


def shares(report: Mapping[str, Any]) -> Figure:
    """One bar for each evaluation: its seconds per 1000 answers, by what they were spent on."""
    results = report["results"]
    with matplotlib.rc_context(LOOK):
        figure = Figure(figsize=(8.2, 1.9 + 0.42 * len(results)), layout="constrained")
        axes = figure.subplots()
        starts = np.zeros(len(results))
        total = np.array([1000 * one["seconds"]["median"] / one["examples"] for one in results])
        for part in results[0]["shares"]:
            widths = total * np.array([one["shares"][part] for one in results])
            axes.barh(range(len(results)), widths, left=starts, label=part, color=PART_COLOURS.get(part, REST))
            starts += widths
        axes.set_yticks(range(len(results)), [one["name"] for one in results])
        axes.invert_yaxis()
        axes.grid(True, axis="x", color="#E3E3E3", linewidth=0.7)
        axes.set_xlabel("seconds for 1000 answers")
        axes.set_title("Where an evaluation's time goes")
        figure.legend(loc="outside lower center", ncols=len(results[0]["shares"]))
    return figure


def step_model(estimates: Sequence[Mapping[str, Any]]) -> Figure:
    """Milliseconds of a modelled step by part: a panel for each configuration, three bars for each card.

    estimates: `Estimate.as_dict` of each.
    """
    names = list(dict.fromkeys(one["configuration"] for one in estimates))
    with matplotlib.rc_context(LOOK):
        figure = Figure(figsize=(9.6, 0.9 + 0.3 * 3 * len(estimates) / 2), layout="constrained")
        panels = figure.subplots(-(-len(names) // 2), min(2, len(names)), squeeze=False).ravel()
        for axes, name in zip(panels, names, strict=False):
            _parts_by_card(axes, name, [one for one in estimates if one["configuration"] == name])
        for axes in panels[len(names) :]:
            axes.set_axis_off()
        keys = [Rectangle((0, 0), 1, 1, color=colour, label=title) for part, (title, colour) in STEP_PARTS.items()]
        figure.legend(handles=keys, loc="outside lower center", ncols=len(keys))
        figure.suptitle("Modelled from counts and datasheets; no GPU has run these steps", fontsize=9, color="#555555")
    return figure


def _parts_by_card(axes: Axes, name: str, estimates: Sequence[Mapping[str, Any]]) -> None:
    labels = [f"{one['card']}, {title}" for one in estimates for title in LEVELS.values()]
    bars = [one[level] for one in estimates for level in LEVELS]
    places = [row + 0.6 * (row // len(LEVELS)) for row in range(len(bars))]  # a gap between cards
    starts = np.zeros(len(bars))
    for part, (_, colour) in STEP_PARTS.items():
        widths = 1000 * np.array([bar[part] for bar in bars])
        axes.barh(places, widths, left=starts, color=colour, height=0.8)
        starts += widths
    for place, end in zip(places, starts, strict=True):
        axes.annotate(f"{end:.0f}", (end, place), xytext=(3, 0), textcoords="offset points", va="center", fontsize=7)
    axes.set_yticks(places, labels, fontsize=7)
    axes.set_xlim(0, 1.08 * max(starts))
    axes.invert_yaxis()
    axes.grid(True, axis="x", color="#E3E3E3", linewidth=0.7)
    axes.set_xlabel("milliseconds a step")
    axes.set_title(name)

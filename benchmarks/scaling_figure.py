"""The modelled time of a step, and the efficiency, against the number of ranks."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullLocator

from benchmarks.figures import COLOURS, LOOK, MARKERS, save
from benchmarks.scaling_jobs import JOBS, MODELLED_RANKS, activation_bytes
from benchmarks.scaling_model import Cluster, Scaled, scaled

GRID: Any = {
    **LOOK,
    "axes.grid": True,
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.7,
    "legend.fontsize": 9.5,
}


def draw(report: Mapping[str, Any], path_without_suffix: Path, cluster: Cluster) -> list[Path]:
    """Write PNG and PDF; the same figures give the same bytes."""
    path_without_suffix.parent.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(GRID):
        figure = Figure(figsize=(9.2, 4.3), layout="constrained")
        times, efficiencies = figure.subplots(1, 2)
        for modelled, colour, marker in zip(JOBS, COLOURS[: len(JOBS)], MARKERS[: len(JOBS)], strict=True):
            job, active = modelled.job(), activation_bytes(report, modelled)
            rows = [row for ranks in MODELLED_RANKS if (row := scaled(job, ranks, cluster, active))]
            _lines(times, efficiencies, rows, colour, marker)
        _axes(times, efficiencies)
        named = [
            Line2D([], [], color=colour, marker=marker, label=modelled.name)
            for modelled, colour, marker in zip(JOBS, COLOURS[: len(JOBS)], MARKERS[: len(JOBS)], strict=True)
        ]
        dashed = Line2D([], [], color="#555555", linestyle=(0, (4, 2)), label="of it in messages")
        figure.legend(handles=[*named, dashed], loc="outside lower center", ncols=3, frameon=False)
    return save(figure, path_without_suffix)


def _lines(times: Axes, efficiencies: Axes, rows: list[Scaled], colour: str, marker: str) -> None:
    ranks = [row.ranks for row in rows]
    style: dict[str, Any] = {"color": colour, "marker": marker, "markersize": 4.5, "linewidth": 1.6}
    times.plot(ranks, [1000 * row.step for row in rows], **style)
    talking = [(row.ranks, 1000 * row.communication) for row in rows if row.communication]
    times.plot(*zip(*talking, strict=True), color=colour, linestyle=(0, (4, 2)), linewidth=1.1)
    efficiencies.plot(ranks, [100 * row.efficiency for row in rows], **style)


def _axes(times: Axes, efficiencies: Axes) -> None:
    for axes in (times, efficiencies):
        axes.set(xscale="log", xlabel="ranks (8 in a node)", xticks=MODELLED_RANKS)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.tick_params(axis="x", labelsize=8)
    times.set(yscale="log", ylabel="milliseconds", title="Modelled time of a training step")
    times.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    efficiencies.set(
        ylim=(0, 105), ylabel="% of W times one rank's speed", title="Efficiency, same global batch"
    )

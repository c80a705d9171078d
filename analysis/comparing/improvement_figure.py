"""Does a supervision step improve the answer? Measured cross-entropies, with the advantage margin beside them.

Evaluations of earlier versions have margins alone; they are drawn, without what was not measured. S supervision steps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis import style
from analysis.comparing import panels
from analysis.comparing.scored_runs import Probed
from analysis.methods import Method, counted_seeds
from trm_lab.runs.recorded_scores import Improved, Improvement, Margin, Scored

Series = Sequence[float]  # a number for each step
TRAINED, MARGIN_UNIT = "loss before − after", "mean over examples"
DOTTED = (0, (1, 1.5))


@dataclass(frozen=True)
class Panel:
    """One panel: a measured series of each evaluation, and dotted the margin's that belongs to it.

    measured, margin: None where there is nothing to show.  first: the step at which series begin.
    without: the title where only margins are there.  unit: of the vertical axis; "" for shares.
    baseline: a line across.
    """

    title: str
    measured: Callable[[Improvement], Series | None]
    margin: Callable[[Margin], Series | None] = lambda _: None
    without: str = ""
    first: int = 1
    unit: str = ""
    baseline: float | None = None


def _fell_by(improved: Improved | None) -> Series | None:
    return None if improved is None else improved.fell_by


PANELS = (
    Panel(
        "cross-entropy to the answer",
        lambda one: [*one.answer.before[:1], *one.answer.after],
        first=0,
        unit="nats, mean over examples",
    ),
    Panel(
        "cells that a step improves",
        lambda one: one.answer.cells_improved,
        lambda margin: margin.share_positive,
        without="cells with a positive margin",
        baseline=0.5,
    ),
    Panel(
        "improvement of the answer",
        lambda one: one.answer.fell_by,
        lambda margin: margin.mean,
        without="advantage margin of a step",
        unit="cross-entropy before − after",
        baseline=0,
    ),
    Panel("the same in the trained loss", lambda one: _fell_by(one.trained_answer), unit=TRAINED, baseline=0),
    Panel(
        "improvement to the step's target",
        lambda one: _fell_by(one.target),
        unit="cross-entropy before − after",
        baseline=0,
    ),
    Panel("to its target in the trained loss", lambda one: _fell_by(one.trained_target), unit=TRAINED, baseline=0),
)
MEASURED_CAPTION = (
    "Lines: mean over the seeds that evaluate.py scored; bands: their range. Softmax cross-entropy over tokens with a "
    "label; at step 0, of the initial latents. TRM's target is the answer at every step."
)
MARGIN_CAPTION = (
    "Dotted: the advantage margin, mean over seeds, a lower bound of the improvement at each cell, and the share of "
    "cells where it is positive. Grey: worse than before."
)


def improvement_figure(probes: Sequence[Probed], heading: str, width: float = panels.PAGE) -> Figure | None:
    """The panels of which at least one method has something; None without any method."""
    all_scored = [one for _, scored in probes for one in scored]
    drawn = [panel for panel in PANELS if _measured(panel, all_scored) or _margins(panel, all_scored)]
    if not drawn:
        return None
    with panels.applied():
        titles = [panel.title if _measured(panel, all_scored) else panel.without for panel in drawn]
        fig, all_axes = panels.sheet(titles, columns=2, width=width)
        for panel, axes in zip(drawn, all_axes, strict=True):
            for method, scored in probes:
                _draw(axes, panel, method, scored)
            _finish(axes, panel, panel.unit if _measured(panel, all_scored) else panel.unit and MARGIN_UNIT)
        measured = any(one.improvement is not None for one in all_scored)
        panels.finish(fig, heading, (*[MEASURED_CAPTION] * measured, MARGIN_CAPTION), all_axes[0])
    return fig


def _measured(panel: Panel, scored: Sequence[Scored]) -> list[Series]:
    by_seed = [panel.measured(one.improvement) for one in scored if one.improvement is not None]
    return [series for series in by_seed if series is not None]


def _margins(panel: Panel, scored: Sequence[Scored]) -> list[Series]:
    by_seed = [panel.margin(one.margin) for one in scored if one.margin is not None]
    return [series for series in by_seed if series is not None]


def _draw(axes: Axes, panel: Panel, method: Method, scored: Sequence[Scored]) -> None:
    measured, margins = _measured(panel, scored), _margins(panel, scored)
    if measured:
        label = f"{method.name} ({counted_seeds(len(measured))})"
        panels.draw_seeds(axes, method, _steps(panel, measured), measured, label=label)
    if margins:
        label = "_" if measured else f"{method.name} ({counted_seeds(len(margins))}), margin"
        means = np.asarray(margins, np.float64).mean(0)
        look = {"color": method.colour, "linestyle": DOTTED, "linewidth": 1.2, "markersize": 3}
        steps = _steps(panel, margins)
        axes.plot(steps, means, label=label, **(style.marks(method.marker, len(steps)) | look))


def _steps(panel: Panel, values: Sequence[Series]) -> list[int]:
    return list(range(panel.first, panel.first + len(values[0])))


def _finish(axes: Axes, panel: Panel, unit: str) -> None:
    axes.set_xlabel("supervision step")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if panel.baseline is not None:
        axes.axhline(panel.baseline, **style.BASELINE)
    if not unit:
        style.shares_as_percent(axes)
        axes.set_ylabel("share of cells")
    elif panel.baseline is None:
        axes.set_ylabel(unit)
    else:
        panels.symmetric_logarithmic(axes, unit)
        low = axes.get_ylim()[0]
        axes.axhspan(low, 0, color=style.BLACK, alpha=0.06, linewidth=0, zorder=0)
        axes.set_ylim(bottom=low)

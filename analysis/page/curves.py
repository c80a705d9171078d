"""The curves of a page, as SVG of the figures that `analysis.summary` and `analysis.compare` draw as well.

They are embedded as images: no markup of theirs becomes part of the page.
"""

from collections.abc import Sequence
from dataclasses import replace

from matplotlib.figure import Figure

from analysis import style
from analysis.category_bars import category_bars
from analysis.comparing import panels
from analysis.comparing.curves import steps_figure
from analysis.comparing.improvement_figure import improvement_figure
from analysis.comparing.probe_figures import guidance_figure, halting_figure
from analysis.comparing.scored_runs import Probed
from analysis.learning_curves import learning_curves
from analysis.methods import group
from analysis.self_contained import picture
from trm_lab.runs.recorded_evaluations import Evaluation
from trm_lab.runs.recorded_run import Run
from trm_lab.runs.recorded_scores import Scored


def training_figures(run: Run, width: float = panels.PAGE) -> list[Figure]:
    """How the run learned, where that is recorded."""
    drawn = bool(len(run.training.step) or run.evaluations)
    return [learning_curves(run, narrow=width <= panels.COLUMN)] if drawn else []


def step_figures(run: Run, evaluation: Evaluation, scored: Scored | None, width: float = panels.PAGE) -> list[Figure]:
    """What supervision steps do in one evaluation, and what evaluate.py measured beside it."""
    alone = replace(run, evaluation=evaluation, evaluations=[evaluation], scored=[])
    (method,), _ = group([alone])
    figures = [
        steps_figure([method], "Accuracy by the network calls spent", width),
        category_bars(evaluation, "By category", width),
    ]
    if scored is not None:
        probes: list[Probed] = [(replace(method, runs=[run]), [scored])]  # with its evaluation of held-out questions
        if scored.margin is not None:
            figures.append(improvement_figure(probes, "Does a step improve the answer?", width))
        if scored.halting:
            figures.append(halting_figure(probes, "Stopping early, example by example", width))
        if len(scored.guidance) > 1:
            figures.append(guidance_figure(probes, "Guidance: decoded from (1 − w)·before + w·after", width))
    return [fig for fig in figures if fig is not None]


def images(figures: Sequence[Figure], columns: Sequence[Figure]) -> str:
    """The figures as image elements, each named by its heading.  columns: for narrow windows."""
    return "\n".join(
        picture(" ".join(fig.get_suptitle().split()), "image/svg+xml", style.svg(fig), style.svg(column))
        for fig, column in zip(figures, columns, strict=True)
    )

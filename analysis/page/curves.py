"""The curves of a page, as SVG of the figures that `analysis.summary` and `analysis.compare` draw as well.

They are embedded as images: no markup of theirs becomes part of the page.
"""

from base64 import b64encode
from dataclasses import replace
from html import escape

from matplotlib.figure import Figure

from analysis import style
from analysis.category_bars import category_bars
from analysis.comparing.curves import steps_figure
from analysis.comparing.improvement_figure import improvement_figure
from analysis.comparing.probe_figures import guidance_figure, halting_figure
from analysis.comparing.scored_runs import Probed
from analysis.learning_curves import learning_curves
from analysis.methods import group
from trm_lab.runs.recorded_evaluations import Evaluation
from trm_lab.runs.recorded_run import Run
from trm_lab.runs.recorded_scores import Scored


def training_figures(run: Run) -> list[Figure]:
    """How the run learned, where that is recorded."""
    return [learning_curves(run)] if len(run.training.step) or run.evaluations else []


def step_figures(run: Run, evaluation: Evaluation, scored: Scored | None) -> list[Figure]:
    """What supervision steps do in one evaluation, and what evaluate.py measured beside it."""
    alone = replace(run, evaluation=evaluation, evaluations=[evaluation], scored=[])
    (method,), _ = group([alone])
    figures = [steps_figure([method], "Accuracy by the network calls spent"), category_bars(evaluation, "By category")]
    if scored is not None:
        probes: list[Probed] = [(replace(method, runs=[run]), [scored])]  # with its evaluation of held-out questions
        if scored.margin is not None:
            figures.append(improvement_figure(probes, "Does a step improve the answer?"))
        if scored.halting:
            figures.append(halting_figure(probes, "Stopping early, example by example"))
        if len(scored.guidance) > 1:
            figures.append(guidance_figure(probes, "Guidance: decoded from (1 − w)·before + w·after"))
    return [fig for fig in figures if fig is not None]


def images(figures: list[Figure]) -> str:
    """The figures as image elements, each named by its heading."""
    named = [(escape(fig.get_suptitle()), b64encode(style.svg(fig)).decode()) for fig in figures]
    return "\n".join(f'<img alt="{name}" src="data:image/svg+xml;base64,{svg}">' for name, svg in named)

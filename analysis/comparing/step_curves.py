"""Methods after each supervision step: what is right, and the Hamming distance, by the network calls spent until then.

n seeds, S supervision steps.
"""

from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis import style
from analysis.comparing import panels
from analysis.comparing.run_table import shared_tasks
from analysis.comparing.scored_runs import plain_scored
from analysis.methods import Method
from trm_lab.puzzles.scorer import SOLVED
from trm_lab.runs.recorded_evaluations import Evaluation

CAPTION = (
    "Lines: mean over seeds after each supervision step; bands: range of the seeds; bars: 95 % t-interval.",
    "Dashed: what handing the question back unchanged would score.",
)
Shares = Callable[[Evaluation], list[float]]


def steps_figure(methods: Sequence[Method], heading: str, width: float = panels.PAGE) -> Figure:
    """Cells, whole examples and, where all have a scorer, solved ones; and wrong cells where they are recorded."""
    every_run = [run for method in methods for run in method.runs]
    tasks = shared_tasks(every_run)
    kinds: list[tuple[str, Shares]] = [
        ("cells right", lambda one: one.cell_accuracy),
        ("whole examples right", lambda one: one.exact_accuracy),
        *((f"{SOLVED}, {task.dataset}", _solved(place)) for place, task in enumerate(tasks)),
    ]
    distances = {method.name: hamming(method) for method in methods}
    with panels.applied():
        titles = [title for title, _ in kinds] + (
            ["wrong cells (Hamming)"] if any(distances.values()) else []
        )
        fig, every = panels.sheet(titles, columns=2, width=width)
        for axes, (_, shares) in zip(every, kinds, strict=False):
            for shift, method in enumerate(methods, start=1):
                values = [shares(one) for one in method.evaluations]
                panels.draw_seeds(axes, method, _calls(method), values, shift)
            style.shares_as_percent(axes)
        if any(distances.values()):
            for method in methods:
                if distances[method.name]:
                    panels.draw_seeds(every[-1], method, _calls(method), distances[method.name], None)
        for axes, score in zip(every, ("cell_accuracy", "exact_accuracy"), strict=False):
            _draw_baselines(axes, score, methods)
        _draw_best(every[1], methods)
        for axes in every:
            panels.logarithmic(axes)
            axes.set_xlabel("network calls of an answer")
        for axes in every[1:]:
            style.from_zero(axes)
        panels.finish(fig, heading, CAPTION, every[1])
    return fig


def hamming(method: Method) -> list[list[float]]:
    """`[n, S]` wrong cells of an example, as the runs or evaluate.py recorded them; empty unless of all seeds."""
    found = []
    for run, evaluation in zip(method.runs, method.evaluations, strict=True):
        scored = plain_scored(run, method.step)
        distance = evaluation.hamming or (scored.evaluation.hamming if scored else [])
        if len(distance) != len(evaluation.network_calls):
            return []
        found.append(distance)
    return found


def _calls(method: Method) -> list[int]:
    return method.evaluations[0].network_calls


def _solved(place: int) -> Shares:
    return lambda evaluation: evaluation.scored_tasks[place].solved_shares


def _draw_best(axes: Axes, methods: Sequence[Method]) -> None:
    """The best to expect of exact match, where the dataset knows that one of several right answers is asked for."""
    best = {one.best_exact_match for method in methods for one in method.evaluations}
    for share in sorted(share for share in best if share is not None):
        axes.axhline(share, label="best possible exact match", **{**style.BASELINE, "linestyle": ":"})


def _draw_baselines(axes: Axes, score: str, methods: Sequence[Method]) -> None:
    """The best of what needs no learning, of each test data once."""
    best = {one.best_baseline(score) for method in methods for one in method.evaluations}
    labelled: set[str] = set()
    for name, share in sorted(best):
        axes.axhline(share, label="" if name in labelled else name, **style.BASELINE)
        labelled.add(name)

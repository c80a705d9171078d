"""What counts as accuracy: a share in [0, 1] that an evaluation gives, after its last supervision step and after each.

Solved is what the dataset's own scorer calls so; exact is equal to the label.

S supervision steps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trm.errors import UserError
from trm_lab.puzzles.scorer import SOLVED as VERDICT
from trm_lab.runs.recorded_evaluations import COPIED, Evaluation


@dataclass(frozen=True)
class Metric:
    """name: on the command line.  title: in words.

    share: of an evaluation, None where it has none.  after_steps: `[S]`, None where only the last step is known.
    baselines: of answers that need no learning, by name, as far as they are known.
    """

    name: str
    title: str
    share: Callable[[Evaluation], float | None]
    after_steps: Callable[[Evaluation], list[float] | None]
    baselines: Callable[[Evaluation], dict[str, float]]

    def of(self, evaluation: Evaluation) -> float:
        """The share of an evaluation that has one."""
        share = self.share(evaluation)
        assert share is not None, self.name
        return share


def _solved(evaluation: Evaluation) -> list[float] | None:
    """Over the examples of all datasets, which must all have a scorer."""
    tasks = evaluation.tasks
    if not tasks or len(evaluation.scored_tasks) < len(tasks):
        return None
    examples = sum(task.examples for task in tasks)
    return [sum(counts) / examples for counts in zip(*(task.solved_per_step for task in tasks), strict=True)]


def _last(after_steps: Callable[[Evaluation], list[float] | None]) -> Callable[[Evaluation], float | None]:
    def share(evaluation: Evaluation) -> float | None:
        shares = after_steps(evaluation)
        return shares[-1] if shares else None

    return share


def _solved_by_baselines(evaluation: Evaluation) -> dict[str, float]:
    """Of the baselines of which every task knows it."""
    examples = sum(task.examples for task in evaluation.tasks)
    counts = {name: [task.baselines.get(name, {}) for task in evaluation.tasks] for name in evaluation.baselines}
    known = {name: rows for name, rows in counts.items() if rows and all(VERDICT in row for row in rows)}
    return {name: sum(row[VERDICT] for row in rows) / examples for name, rows in known.items()}


def _scores_of_baselines(score: str) -> Callable[[Evaluation], dict[str, float]]:
    return lambda evaluation: {name: float(getattr(one, score)) for name, one in evaluation.baselines.items()}


def _metric(
    name: str,
    title: str,
    after_steps: Callable[[Evaluation], list[float] | None],
    baselines: Callable[[Evaluation], dict[str, float]],
) -> Metric:
    return Metric(name, title, _last(after_steps), after_steps, baselines)


CELL = _metric("cell", "cell accuracy", lambda one: one.cell_accuracy, _scores_of_baselines("cell_accuracy"))
EXACT = _metric("exact", "exact match", lambda one: one.exact_accuracy, _scores_of_baselines("exact_accuracy"))
SOLVED = _metric("solved", "solved", _solved, _solved_by_baselines)


def arc_metric(name: str) -> Metric:
    """One of the ARC scores, such as ARC/pass@2."""
    title = f"{name.removeprefix('ARC/')}, mean over tasks" if "pass@" in name else name
    return Metric(
        name,
        title,
        lambda evaluation: evaluation.arc_scores.get(name),
        lambda evaluation: None,
        lambda evaluation: {COPIED: evaluation.copy_arc_scores[name]} if name in evaluation.copy_arc_scores else {},
    )


def metric_for(evaluations: Sequence[Evaluation], name: str | None = None) -> Metric:
    """The metric of this name, or the one that counts for these evaluations: pass@2, else solved, else exact.

    Raises:
        UserError: an evaluation has no such score.
    """
    metrics = [EXACT, CELL, SOLVED, *(arc_metric(score) for score in _arc_names(evaluations))]
    usable = [one for one in metrics if all(one.share(evaluation) is not None for evaluation in evaluations)]
    by_name = {one.name: one for one in usable}
    if name is None:
        name = next(one for one in ("ARC/pass@2", "solved", "exact") if one in by_name)
    if name not in by_name:
        raise UserError(
            f"the metric {name!r}, which not every evaluation of these runs has",
            " | ".join(by_name),
            "choose one of these",
        )
    return by_name[name]


def _arc_names(evaluations: Sequence[Evaluation]) -> list[str]:
    names = [list(evaluation.arc_scores) for evaluation in evaluations]
    return names[0] if names else []

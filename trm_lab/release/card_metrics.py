"""The scores of an evaluation as a model card shows them: each with its interval, where one can be honestly given."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from trm.errors import shown
from trm.randomness import numpy_generator
from trm_lab.commands.choices import PASS_KS
from trm_lab.commands.tables import NOT_ESTIMABLE, percent, percent_range
from trm_lab.intervals import bootstrap_interval, wilson_interval
from trm_lab.release.recorded_scores import RecordedScores
from trm_lab.runs.arc_outputs import task_shares
from trm_lab.runs.recorded_evaluations import COPIED, Evaluation

UNKNOWN = "not known"
DEPENDENT = "none: augmentations of a task are not independent"


@dataclass(frozen=True)
class Metric:
    """A share in [0, 1].

    kind: for the hub's index.  name: in words.  interval: 95 %, or why there is none.
    baselines: scores of answers that need no learning, in words; "" where they are not known.
    """

    kind: str
    name: str
    value: float
    interval: str
    baselines: str = ""

    def row(self) -> str:
        """The row of a table."""
        return f"| {self.name} | {percent(self.value)} | {self.interval} | {self.baselines or UNKNOWN} |"


def metrics(scores: RecordedScores) -> list[Metric]:
    """The metrics of an evaluation; shares outside of 0..1, as a stranger's file may have them, are left out."""
    evaluation = scores.evaluation
    every = [*_arc(scores), *_steps(evaluation), *_verdicts(evaluation)]
    return [metric for metric in every if 0 <= metric.value <= 1]


def _arc(scores: RecordedScores) -> Iterator[Metric]:
    evaluation = scores.evaluation
    for k in PASS_KS:
        name = f"ARC/pass@{k}"
        if name in evaluation.arc_scores:
            interval = _over_tasks(task_shares(scores.outputs, k), k)
            baselines = _baselines({COPIED: evaluation.copy_arc_scores.get(name)})
            words = f"pass@{k}, mean over tasks"
            yield Metric(f"pass@{k}", words, evaluation.arc_scores[name], interval, baselines)
    outputs, right = (evaluation.counts.get(key, 0) for key in ("outputs", "outputs_correct@2"))
    if outputs:
        copied = evaluation.copy_counts.get("outputs_correct@2")
        baselines = _baselines({COPIED: None if copied is None else copied / outputs})
        name = "ARC Prize score: outputs right in two attempts"
        yield from _proportion("prize_score", name, right, outputs, baselines)


def _steps(evaluation: Evaluation) -> Iterator[Metric]:
    """Exact match and cell accuracy after the last supervision step."""
    exact, cells = evaluation.exact_accuracy[-1], evaluation.cell_accuracy[-1]
    exact_baselines, cell_baselines = (
        _baselines({title: getattr(scores, score) for title, scores in evaluation.baselines.items()})
        for score in ("exact_accuracy", "cell_accuracy")
    )
    if evaluation.is_arc:
        yield Metric("exact_accuracy", "augmented inputs wholly right", exact, DEPENDENT, exact_baselines)
    else:
        right, examples = round(exact * evaluation.examples), evaluation.examples
        yield from _proportion("exact_accuracy", "examples wholly right", right, examples, exact_baselines)
    interval = "none: cells of an example are not independent"
    yield Metric("cell_accuracy", "cell accuracy", cells, interval, cell_baselines)


def _verdicts(evaluation: Evaluation) -> Iterator[Metric]:
    """What the datasets' own scorers say."""
    for task in evaluation.tasks:
        for name, right in task.verdicts.items() if task.examples else ():
            title = shown(f"{task.dataset}: {name}", 80).replace("|", "/")
            baselines = _baselines({title: task.baseline_share(title, name) for title in task.baselines})
            yield from _proportion(title.replace(": ", "_"), title, right, task.examples, baselines)


def _baselines(shares: Mapping[str, float | None]) -> str:
    return ", ".join(f"{title} {percent(share)}" for title, share in shares.items() if share is not None)


def _over_tasks(shares: list[float], k: int) -> str:
    if not shares:
        return "not recorded"
    low_high = bootstrap_interval(shares, numpy_generator(0, f"card pass@{k}"))
    if low_high is not None:
        return f"{percent_range(*low_high)}, bootstrap over {len(shares)} tasks"
    alike = min(shares) == max(shares)
    return f"{NOT_ESTIMABLE}: " + (f"all {len(shares)} tasks score alike" if alike else f"{len(shares)} tasks")


def _proportion(kind: str, name: str, right: int, of: int, baselines: str) -> Iterator[Metric]:
    if 0 <= right <= of:
        interval = f"{percent_range(*wilson_interval(right, of))}, Wilson; {right} of {of}"
        yield Metric(kind, name, right / of, interval, baselines)

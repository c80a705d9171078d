"""The scores of an evaluation as a model card shows them: each with its interval, where one can be honestly given."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from trm.errors import shown
from trm.randomness import numpy_generator
from trm_lab.commands.tables import NOT_ESTIMABLE, percent, percent_range
from trm_lab.intervals import bootstrap_interval, wilson_interval
from trm_lab.release.recorded_scores import RecordedScores
from trm_lab.runs.arc_outputs import task_shares
from trm_lab.runs.evaluation_folder import ANSWER, BASELINES, COPY, TOKENS

PASS_KS = (1, 2, 5, 10, 100, 1000)
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
    """The metrics of an evaluation; what its file does not say, or says in another form, is left out."""
    content = scores.content
    arc = _share(content, "scores", "ARC/pass@1") is not None
    return [*_arc(scores), *_steps(content, arc), *_verdicts(content)]


def _arc(scores: RecordedScores) -> Iterator[Metric]:
    content = scores.content
    for k in PASS_KS:
        name = f"ARC/pass@{k}"
        value = _share(content, "scores", name)
        if value is not None:
            interval = _over_tasks(task_shares(scores.outputs, k), k)
            baselines = _baselines({COPY: _share(content, "copy", "scores", name)})
            yield Metric(f"pass@{k}", f"pass@{k}, mean over tasks", value, interval, baselines)
    outputs, right = (_count(content, "counts", key) for key in ("outputs", "outputs_correct@2"))
    if outputs and right is not None and right <= outputs:
        copied = _count(content, "copy", "counts", "outputs_correct@2")
        baselines = _baselines({COPY: None if copied is None else copied / outputs})
        name = "ARC Prize score: outputs right in two attempts"
        yield _proportion("prize_score", name, right, outputs, baselines)


def _steps(content: Mapping[str, Any], arc: bool) -> Iterator[Metric]:
    """Exact match and cell accuracy after the last supervision step."""
    examples = _count(content, "examples")
    exact = _share(content, "per_step", "exact_accuracy", -1)
    cells = _share(content, "per_step", "cell_accuracy", -1)
    places = {COPY: ("copy",), ANSWER: ("baselines", ANSWER), TOKENS: ("baselines", TOKENS)}
    exact_baselines, cell_baselines = (
        _baselines({name: _share(content, *place, score) for name, place in places.items()})
        for score in ("exact_accuracy", "cell_accuracy")
    )
    if exact is not None and examples and arc:
        yield Metric("exact_accuracy", "augmented inputs wholly right", exact, DEPENDENT, exact_baselines)
    elif exact is not None and examples:
        right = round(exact * examples)
        yield _proportion("exact_accuracy", "examples wholly right", right, examples, exact_baselines)
    if cells is not None:
        interval = "none: cells of an example are not independent"
        yield Metric("cell_accuracy", "cells right", cells, interval, cell_baselines)


def _verdicts(content: Mapping[str, Any]) -> Iterator[Metric]:
    """What the datasets' own scorers say."""
    tasks = content.get("tasks")
    for task in tasks if isinstance(tasks, list) else []:
        verdicts, examples = _at(task, "verdicts"), _count(task, "examples")
        for name in verdicts if isinstance(verdicts, dict) and examples else ():
            right = _count(verdicts, name)
            if examples and right is not None and right <= examples:
                title = shown(f"{task.get('dataset')}: {name}", 80).replace("|", "/")
                counts = {key: _count(task, "baselines", key, name) for key in BASELINES}
                shares = {key: None if count is None else count / examples for key, count in counts.items()}
                yield _proportion(title.replace(": ", "_"), title, right, examples, _baselines(shares))


def _baselines(shares: Mapping[str, float | None]) -> str:
    known = {name: share for name, share in shares.items() if share is not None}
    return ", ".join(f"{BASELINES[name]} {percent(share)}" for name, share in known.items())


def _over_tasks(shares: list[float], k: int) -> str:
    if not shares:
        return "not recorded"
    low_high = bootstrap_interval(shares, numpy_generator(0, f"card pass@{k}"))
    if low_high is not None:
        return f"{percent_range(*low_high)}, bootstrap over {len(shares)} tasks"
    alike = min(shares) == max(shares)
    return f"{NOT_ESTIMABLE}: " + (
        f"all {len(shares)} tasks score alike" if alike else f"{len(shares)} tasks"
    )


def _proportion(kind: str, name: str, right: int, of: int, baselines: str) -> Metric:
    interval = f"{percent_range(*wilson_interval(right, of))}, Wilson; {right} of {of}"
    return Metric(kind, name, right / of, interval, baselines)


def _at(content: Any, *path: str | int) -> Any:
    """What lies at the end of a path through mappings and lists; None where it leads nowhere."""
    for key in path:
        try:
            content = content[key]
        except (TypeError, LookupError):
            return None
    return content


def _share(content: Any, *path: str | int) -> float | None:
    value = _at(content, *path)
    usable = type(value) in (int, float) and math.isfinite(value) and 0 <= value <= 1
    return float(value) if usable else None


def _count(content: Any, *path: str | int) -> int | None:
    value = _at(content, *path)
    return value if type(value) is int and value >= 0 else None

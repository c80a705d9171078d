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
from trm_lab.runs.evaluation_folder import ANSWER, BASELINES, COPY, TOKENS

PASS_KS = (1, 2, 5, 10, 100, 1000)
NOT_KNOWN = "not known"
DEPENDENT = "none: augmentations of a task are not independent"


@dataclass(frozen=True)
class Metric:
    """A share in [0, 1].

    kind: for the hub's index.  name: in words.  interval: 95 %, or why there is none.
    beside: what answers score that need no learning, in words; "" where it is not known.
    """

    kind: str
    name: str
    value: float
    interval: str
    beside: str = ""

    def row(self) -> str:
        """Of a table."""
        return f"| {self.name} | {percent(self.value)} | {self.interval} | {self.beside or NOT_KNOWN} |"


def metrics(scores: RecordedScores) -> list[Metric]:
    """What an evaluation found; what its file does not say, or says in another form, is left out."""
    content = scores.content
    arc = _share(content, "scores", "ARC/pass@1") is not None
    return [*_arc(scores), *_steps(content, arc), *_verdicts(content)]


def _arc(scores: RecordedScores) -> Iterator[Metric]:
    content = scores.content
    for k in PASS_KS:
        value, shares = _share(content, "scores", f"ARC/pass@{k}"), scores.task_shares(k)
        if value is not None:
            copied = _share(content, "copy", "scores", f"ARC/pass@{k}")
            beside = "" if copied is None else f"{BASELINES[COPY]} {percent(copied)}"
            yield Metric(f"pass@{k}", f"pass@{k}, mean over tasks", value, _over_tasks(shares, k), beside)
    outputs, right = (_count(content, "counts", key) for key in ("outputs", "outputs_correct@2"))
    if outputs and right is not None and right <= outputs:
        copied = _count(content, "copy", "counts", "outputs_correct@2")
        beside = "" if copied is None else f"{BASELINES[COPY]} {percent(copied / outputs)}"
        name = "ARC Prize score: outputs right in two attempts"
        yield _proportion("prize_score", name, right, outputs, beside)


def _steps(content: Mapping[str, Any], arc: bool) -> Iterator[Metric]:
    examples = _count(content, "examples")
    exact = _share(content, "per_step", "exact_accuracy", -1)
    cells = _share(content, "per_step", "cell_accuracy", -1)
    if exact is not None and examples:
        if arc:
            beside = _without_learning(content, "exact_accuracy")
            yield Metric("exact_accuracy", "augmented inputs wholly right", exact, DEPENDENT, beside)
        else:
            right, beside = round(exact * examples), _without_learning(content, "exact_accuracy")
            yield _proportion("exact_accuracy", "examples wholly right", right, examples, beside)
    if cells is not None:
        interval = "none: cells of an example are not independent"
        beside = _without_learning(content, "cell_accuracy")
        yield Metric("cell_accuracy", "cells right", cells, interval, beside)


def _without_learning(content: Mapping[str, Any], score: str) -> str:
    places = {COPY: ("copy",), ANSWER: ("baselines", ANSWER), TOKENS: ("baselines", TOKENS)}
    shares = {BASELINES[name]: _share(content, *place, score) for name, place in places.items()}
    return ", ".join(f"{said} {percent(share)}" for said, share in shares.items() if share is not None)


def _verdicts(content: Mapping[str, Any]) -> Iterator[Metric]:
    tasks = content.get("tasks")
    for task in tasks if isinstance(tasks, list) else []:
        verdicts, examples = _at(task, "verdicts"), _count(task, "examples")
        for name in verdicts if isinstance(verdicts, dict) and examples else ():
            right = _count(verdicts, name)
            if right is not None and right <= (examples or 0):
                said = shown(f"{task.get('dataset')}: {name}", 80).replace("|", "/")
                counts = {s: _count(task, "baselines", b, name) for b, s in BASELINES.items()}
                beside = ", ".join(
                    f"{s} {percent(count / (examples or 1))}"
                    for s, count in counts.items()
                    if count is not None
                )
                yield _proportion(said.replace(": ", "_"), said, right, examples or 1, beside)


def _over_tasks(shares: list[float], k: int) -> str:
    if not shares:
        return "not recorded"
    low_high = bootstrap_interval(shares, numpy_generator(0, f"card pass@{k}"))
    if low_high is None:
        alike = min(shares) == max(shares)
        return (
            f"{NOT_ESTIMABLE}: {f'all {len(shares)} tasks score alike' if alike else f'{len(shares)} tasks'}"
        )
    return f"{percent_range(*low_high)}, bootstrap over {len(shares)} tasks"


def _proportion(kind: str, name: str, right: int, of: int, beside: str = "") -> Metric:
    interval = f"{percent_range(*wilson_interval(right, of))}, Wilson; {right} of {of}"
    return Metric(kind, name, right / of, interval, beside)


def _at(content: Any, *path: str | int) -> Any:
    """What lies there; None where the path leads nowhere."""
    for key in path:
        if isinstance(key, int):
            content = content[key] if isinstance(content, list) and content else None
        else:
            content = content.get(key) if isinstance(content, dict) else None
    return content


def _share(content: Any, *path: str | int) -> float | None:
    value = _at(content, *path)
    usable = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if usable and 0 <= value <= 1 else None


def _count(content: Any, *path: str | int) -> int | None:
    value = _at(content, *path)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None

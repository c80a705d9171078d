"""The curves of a page as numbers, for its own drawing (charts.js). R training records, S supervision steps."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from analysis import style
from analysis.learning_curves import running_mean
from analysis.page.puzzle_data import finite
from trm_lab.intervals import wilson_interval
from trm_lab.puzzles.scorer import SOLVED
from trm_lab.runs.recorded_evaluations import Evaluation, TaskScores
from trm_lab.runs.recorded_run import Run
from trm_lab.runs.recorded_scores import HaltingPoint, Scored

Json = dict[str, Any]
DIGITS = 5
MOST_POINTS = 300  # of a line
SMOOTHED = 40  # a running mean spans one part in so many of the records
MOST_STEPS = 6  # of which training accuracy is drawn
POLICIES = {
    "fixed": "a fixed number of steps",
    "q_halt": "halting logit above a threshold",
    "confidence": "confidence above a threshold",
    "agreement": "prediction unchanged for k steps",
}
ORACLE = "oracle"


def training_charts(run: Run) -> list[Json]:
    """How the run learned."""
    charts = []
    if len(run.training.step):
        charts += [_loss(run), _training_accuracy(run)]
    if run.evaluations:
        charts += [_test_cells(run), _test_solved(run)]
    return charts


def step_charts(evaluation: Evaluation, scored: Scored | None) -> list[Json]:
    """What supervision steps do in one evaluation."""
    charts = [_accuracy_by_calls(evaluation)]
    if scored is None:
        return charts
    if scored.margin is not None:
        charts.append(_margin(scored))
    if scored.halting:
        charts.append(_halting(scored))
    if len(scored.guidance) > 1:
        charts.append(_guidance(scored))
    return charts


def line(name: str, x: Sequence[float], y: Sequence[float], **more: Any) -> Json:
    """A line; nan is a gap.

    more: `look`, a number of a colour or a share of the way from light to dark; `low`, `high`; `faint`; `dots`.
    """
    numbers = {"x": x, "y": y} | {key: more.pop(key) for key in ("low", "high") if key in more}
    return {"name": name} | {k: [finite(one, DIGITS) for one in v] for k, v in numbers.items()} | more


def _loss(run: Run) -> Json:
    training = run.training
    kept = style.evenly_chosen(len(training.step), MOST_POINTS)
    window = _window(len(training.step))
    steps = training.step[kept].tolist()
    name = "smoothed" if window > 1 else "each record"
    lines = [line(name, steps, running_mean(training.loss, window)[kept].tolist(), look=0)]
    if window > 1:
        lines.insert(0, line("each record", steps, training.loss[kept].tolist(), look=0, faint=True))
    return _by_training("Training loss", "loss of an example", lines)


def _training_accuracy(run: Run) -> Json:
    training = run.training
    kept = style.evenly_chosen(len(training.step), MOST_POINTS)
    steps = training.step_accuracy.shape[1]
    shown = style.evenly_chosen(steps, MOST_STEPS) if steps else []
    lines = []
    for place, step in enumerate(shown):
        smooth = running_mean(training.step_accuracy[:, step], _window(len(training.step)))
        there = [record for record in kept if not np.isnan(smooth[record])]
        accuracy = training.step[there].tolist(), smooth[there].tolist()
        lines.append(line(f"step {step + 1}", *accuracy, order=(place + 1) / len(shown)))
    return _by_training("Training: cells right after each supervision step", "cells right", lines, share=True)


def _window(records: int) -> int:
    return 2 * (records // (2 * SMOOTHED)) + 1


def _test_cells(run: Run) -> Json:
    steps = [one.step for one in run.evaluations]
    last = [one.cell_accuracy[-1] for one in run.evaluations]
    first = [one.cell_accuracy[0] for one in run.evaluations]
    lines = [
        line("after the last step", steps, last, look=0, dots=True),
        line("after step 1", steps, first, look=1, dots=True),
    ]
    name, share = run.evaluation.best_baseline("cell_accuracy")
    level = {"name": name, "y": finite(share, DIGITS)}
    return _by_training("Test: cells right", "cells right", lines, share=True, level=level)


def _test_solved(run: Run) -> Json:
    steps = [one.step for one in run.evaluations]
    name = "augmented inputs" if run.evaluation.is_arc else "whole examples"
    exact = [one.exact_accuracy[-1] for one in run.evaluations]
    lines = [line(f"{name} right", steps, exact, look=0, dots=True)]
    lines += [_solved_line(run, task, look) for look, task in enumerate(run.evaluation.scored_tasks, start=1)]
    if run.evaluation.is_arc:
        lines += [_outputs_line(run, attempts) for attempts in (1, 2)]
    return _by_training("Test: solved, with Wilson 95 % intervals", "share", lines, share=True, zero=True)


def _solved_line(run: Run, task: TaskScores, look: int) -> Json:
    found = [
        (one.step, other.solved_per_step[-1], other.examples)
        for one in run.evaluations
        for other in one.scored_tasks
        if other.title == task.title
    ]
    name = SOLVED if len(run.evaluation.scored_tasks) == 1 else f"{SOLVED}, {task.dataset}"
    return _counted_line(name, found, look)


def _outputs_line(run: Run, attempts: int) -> Json:
    key = f"outputs_correct@{attempts}"
    found = [
        (one.step, one.counts[key], one.counts["outputs"]) for one in run.evaluations if key in one.counts
    ]
    return _counted_line(f"outputs, {attempts} attempt{'s' * (attempts > 1)}", found, attempts)


def _counted_line(name: str, found: Sequence[tuple[float, int, int]], look: int) -> Json:
    """Shares with their intervals; found: (x, right, of)."""
    found = [(x, right, of) for x, right, of in found if 0 <= right <= of and of]
    intervals = [wilson_interval(right, of) for _, right, of in found]
    return line(
        name,
        [x for x, _, _ in found],
        [right / of for _, right, of in found],
        low=[low for low, _ in intervals],
        high=[high for _, high in intervals],
        look=look,
        dots=True,
    )


def _accuracy_by_calls(evaluation: Evaluation) -> Json:
    calls = evaluation.network_calls
    lines = [
        line("cells right", calls, evaluation.cell_accuracy, look=2, dots=True),
        line("whole examples right", calls, evaluation.exact_accuracy, look=0, dots=True),
    ]
    for look, task in zip((1, 3, 4, 5), evaluation.scored_tasks, strict=False):
        found = [(x, right, task.examples) for x, right in zip(calls, task.solved_per_step, strict=False)]
        name = SOLVED if len(evaluation.scored_tasks) == 1 else f"{SOLVED}, {task.dataset}"
        lines.append(_counted_line(name, found, look))
    name, share = evaluation.best_baseline("cell_accuracy")
    level = {"name": f"cells, {name}", "y": finite(share, DIGITS)}
    return {
        "title": "Accuracy by the network calls spent",
        "x": "network calls",
        "y": "share",
        "lines": lines,
        "share": True,
        "zero": True,
        "level": level,
    }


def _margin(scored: Scored) -> Json:
    assert scored.margin is not None
    mean = scored.margin.mean
    return {
        "title": "Advantage margin of each step",
        "x": "supervision step",
        "y": "mean over tokens",
        "lines": [line("mean", list(range(1, len(mean) + 1)), mean, look=0, dots=True)],
        "level": {"name": "no improvement", "y": 0},
        "whole": True,
    }


def _halting(scored: Scored) -> Json:
    lines = [
        line(name, *_of_policy(scored.halting, policy), look=look, dots=True)
        for look, (policy, name) in enumerate(POLICIES.items())
        if any(point.policy == policy for point in scored.halting)
    ]
    found = [point for point in scored.halting if point.policy == ORACLE]
    for point in found[:1]:
        at = [point.network_calls], [point.exact_accuracy]
        lines.append(line("the first right step (oracle)", *at, look=5, dots=True))
    return {
        "title": "Stopping early, example by example",
        "x": "mean network calls",
        "y": "whole examples right",
        "lines": lines,
        "share": True,
        "zero": True,
    }


def _of_policy(points: Sequence[HaltingPoint], policy: str) -> tuple[list[float], list[float]]:
    """Network calls and accuracy of a policy's points, cheap ones first."""
    found = sorted((one.network_calls, one.exact_accuracy) for one in points if one.policy == policy)
    return [calls for calls, _ in found], [share for _, share in found]


def _guidance(scored: Scored) -> Json:
    scales = list(scored.guidance)
    return {
        "title": "Guidance: decoded from (1 − w)·before + w·after",
        "x": "guidance w (1: plain decoding)",
        "y": "share, after the last step",
        "lines": list(_guided_lines(scored, scales)),
        "share": True,
    }


def _guided_lines(scored: Scored, scales: Sequence[float]) -> Iterator[Json]:
    cells = [scored.guidance[w].cell_accuracy[-1] for w in scales]
    exact = [scored.guidance[w].exact_accuracy[-1] for w in scales]
    yield line("cells right", scales, cells, look=2, dots=True)
    yield line("whole examples right", scales, exact, look=0, dots=True)


def _by_training(title: str, y: str, lines: Sequence[Json], **more: Any) -> Json:
    return {"title": title, "x": "training step (optimizer updates)", "y": y, "lines": lines} | more

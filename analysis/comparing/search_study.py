"""Evaluations by several rollouts, read from runs: right answers against network calls, and settings chosen elsewhere.

E examples, S supervision steps, K rollouts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.methods import Method
from trm_lab.commands.choices import SELECTIONS
from trm_lab.evaluation.search import StopRule
from trm_lab.evaluation.search_scores import ORACLE, SIGNALS, RolloutTable, widths
from trm_lab.files.untrusted_arrays import load_arrays
from trm_lab.runs.evaluation_folder import SCORES_FILE
from trm_lab.runs.recorded_files import LARGEST_ARRAY, unreadable
from trm_lab.runs.recorded_run import Run
from trm_lab.runs.recorded_scores import Scored

ROLLOUTS_FILE = "rollouts.npz"
LARGEST_ROLLOUTS = 256 << 20  # bytes
COLUMNS = {name: "u" if name in ("right", "equal") else "f" for name in SIGNALS}


@dataclass(frozen=True)
class Searched:
    """An evaluation by a search that stopped nothing.

    source: how its rollouts differ, in words.  calls: network calls of one step of one rollout.
    questions: `[E]` digests.
    """

    scored: Scored
    table: RolloutTable
    questions: NDArray[np.uint64]
    source: str
    calls: int

    @property
    def selections(self) -> list[str]:
        """The choices that its method and kind of puzzle have."""
        names = {point.select for point in self.scored.search_points}
        return [name for name in SELECTIONS if name in names]


def searched(run: Run, other_data: bool) -> dict[str, Searched]:
    """A run's evaluations by a search, by how their rollouts differ; of its test split or a sample, or of other data.

    Of several, that of the newest checkpoint with the most questions, rollouts and steps.

    Raises:
        UserError: a damaged file.
    """
    by_source: dict[str, Searched] = {}
    for scored in run.scored:
        is_of_these = scored.other_data if other_data else _is_of_test_split(scored)
        if scored.search and scored.is_of_usual_model and is_of_these and (scored.folder / ROLLOUTS_FILE).is_file():
            read = _read(scored)
            by_source[read.source] = max(by_source.get(read.source, read), read, key=_rank)
    return by_source


def _is_of_test_split(scored: Scored) -> bool:
    return scored.is_of_all_or_a_sample and not scored.other_data


def _rank(each: Searched) -> tuple[int, int, int]:
    return each.scored.evaluation.step, len(each.questions), each.table.width * each.table.steps


def _read(scored: Scored) -> Searched:
    file = scored.folder / ROLLOUTS_FILE
    try:
        columns = load_arrays(file, {**COLUMNS, "question": "u"}, LARGEST_ROLLOUTS, LARGEST_ARRAY)
    except ValueError as error:
        raise unreadable(f"{file}: {error}") from None
    shapes = {columns[name].shape for name in COLUMNS if name in columns}
    fit = columns.keys() == {*COLUMNS, "question"} and len(shapes) == 1 and len(*shapes) == 3
    if not fit or 0 in columns["right"].shape or columns["question"].shape != columns["right"].shape[:1]:
        raise unreadable(f"{file} has arrays that do not belong together")
    if not isinstance(scored.search, dict) or not scored.search_points:
        raise unreadable(f"{scored.folder / SCORES_FILE} does not say how its rollouts were chosen")
    table = RolloutTable.read(columns)
    calls = scored.evaluation.calls_per_answer / (table.width * table.steps)
    return Searched(scored, table, columns["question"], source_in_words(scored.search), int(calls))


def source_in_words(search: Mapping[str, Any]) -> str:
    """How rollouts differ: `noise 0.3`, `random start`, `symmetries`, or several of them."""
    noise = search.get("noise")
    parts = [
        f"noise {noise:g}" if isinstance(noise, int | float) and noise else "",
        "random start" if search.get("start") == "random" else "",
        "symmetries" if search.get("symmetries") is True else "",
    ]
    return ", ".join(filter(None, parts))


@dataclass(frozen=True)
class Setting:
    """A way to answer: K rollouts of S steps that differ by `source`, of which `select` chooses; its network calls."""

    source: str
    select: str
    width: int
    steps: int
    calls: int

    def __str__(self) -> str:
        choice = f", by {self.select}" if self.width > 1 else ""
        return f"{self.width} × {self.steps} steps, {self.source}{choice}"


Shares = dict[Setting, list[float]]  # right answers of each seed


@dataclass(frozen=True)
class MethodStudy:
    """A method's right answers under every setting, over its runs.

    held_out: on the questions by which settings are chosen; {} where there are none.  test: on the test split.
    plain: `[seeds][S]` right after each step of a single rollout without noise, and `plain_calls` `[S]`.
    """

    method: Method
    held_out: Shares
    test: Shares
    plain: list[list[float]]
    plain_calls: list[float]
    evaluations: list[dict[str, Searched]]

    def best(self, budget: int, selections: Sequence[str]) -> Setting | None:
        """The setting with at most so many network calls that has most right on held-out questions; of equals the
        cheapest. None without held-out questions."""
        fitting = [
            setting
            for setting in self.held_out
            if setting.calls <= budget and setting in self.test and (setting.width == 1 or setting.select in selections)
        ]
        return max(fitting, key=lambda s: (round(float(np.mean(self.held_out[s])), 9), -s.calls), default=None)

    @cached_property
    def sources(self) -> list[str]:
        """How rollouts differ in evaluations of the same test questions that every run has."""
        of_runs = [{(name, each.questions.tobytes()) for name, each in one.items()} for one in self.evaluations]
        return sorted(name for name, _ in set.intersection(*of_runs)) if of_runs else []

    def shared_size(self, source: str) -> tuple[int, int]:
        """The most rollouts and steps that every run has."""
        tables = [of_run[source].table for of_run in self.evaluations]
        return min(table.width for table in tables), min(table.steps for table in tables)

    def stopped(self, source: str, rule: StopRule, order: str) -> list[tuple[float, float]]:
        """For each seed the share right and the mean network calls, if a rule stopped the rollouts that all have."""
        results = []
        for of_run in self.evaluations:
            table = of_run[source].table.first(*self.shared_size(source))
            right, steps = table.stopped(rule, "confidence", order)
            results.append((float(right.mean()), float(steps.mean()) * of_run[source].calls))
        return results


def study(method: Method) -> MethodStudy:
    """Read a method's evaluations by a search.

    Raises:
        UserError: a damaged file.
    """
    test = [searched(run, other_data=False) for run in method.runs]
    held_out = [searched(run, other_data=True) for run in method.runs]
    plain = [each for each in map(_plain, method.runs, test) if each is not None]
    has_plain = len(plain) == len(method.runs)
    depth = min((len(each.evaluation.network_calls) for each in plain), default=0)
    digests = [{digest for each in of_run.values() for digest in each.questions} for of_run in test]
    return MethodStudy(
        method,
        _over_seeds([_shares(of_run, tested) for of_run, tested in zip(held_out, digests, strict=True)]),
        _over_seeds([_shares(of_run, set()) for of_run in test]),
        [_right_by_step(each)[:depth] for each in plain] if has_plain else [],
        [float(calls) for calls in plain[0].evaluation.network_calls[:depth]] if has_plain else [],
        test,
    )


def _shares(evaluations: Mapping[str, Searched], left_out: set[Any]) -> dict[Setting, float]:
    """Right answers under every setting; without the questions of these digests."""
    shares: dict[Setting, float] = {}
    for source, each in evaluations.items():
        table = each.table.questions(np.array([digest not in left_out for digest in each.questions]))
        if not table.right.size:
            continue
        for width in widths(table.width):
            part = table.first(width)
            for select in (*each.selections, ORACLE) if width > 1 else each.selections[:1]:
                for step, share in enumerate(part.right_by(select).mean(0).tolist(), start=1):
                    shares[Setting(source, select, width, step, each.calls * width * step)] = share
    return shares


def _over_seeds(of_runs: Sequence[dict[Setting, float]]) -> Shares:
    """The settings that every run has."""
    shared = set.intersection(*(set(shares) for shares in of_runs)) if of_runs else set()
    return {setting: [shares[setting] for shares in of_runs] for setting in of_runs[0] if setting in shared}


def _plain(run: Run, test: Mapping[str, Searched]) -> Scored | None:
    """The newest checkpoint's evaluation of a single rollout without noise, on the same questions, with most steps."""
    part = next((each.scored.evaluation.part for each in test.values()), None)
    chosen = [
        each
        for each in run.scored
        if each.is_of_usual_model and _is_of_test_split(each) and not each.search and each.evaluation.part == part
    ]
    return max(chosen, key=lambda each: (each.evaluation.step, len(each.evaluation.network_calls)), default=None)


def _right_by_step(scored: Scored) -> list[float]:
    """Solved where the dataset has a scorer of its own, else exact matches."""
    tasks = scored.evaluation.scored_tasks
    return tasks[0].solved_shares if len(tasks) == 1 else scored.evaluation.exact_accuracy

"""Two evaluations of the same tasks, side by side: is one better, or is it chance?"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError, shown
from trm.randomness import numpy_generator
from trm_lab.commands.tables import p_value, percent, points, points_range, share_range, table
from trm_lab.intervals import PairedDifference, bootstrap_interval, paired_bootstrap, sign_test
from trm_lab.runs.questions import Questions, check_same_questions, read_questions
from trm_lab.runs.scored_items import METRICS, ScoredItems, read_items

LEVEL = 0.95
ONE_NETWORK_EACH = (
    "  one network on each side: this tells of other questions, not of other seeds; for those train each method with\n"
    "  several seeds, and: python -m analysis.compare RUN RUN …"
)
_NAMED = 3  # of the tasks that only one has


@dataclass(frozen=True)
class Side:
    """Mean score of one of two evaluations, its bootstrap interval, and its tasks that the other does not have.

    low, high: None where they cannot be estimated: fewer than six tasks, or all score the same.
    """

    title: str
    mean: float
    low: float | None
    high: float | None
    left_out: int


@dataclass(frozen=True)
class Comparison:
    """Difference between two evaluations of the same tasks, its interval and tests.

    metric: what is compared.  tasks: on how many.  difference: first − second.
    wins, losses, ties: tasks on which the first scores more, less, the same.
    p_sign_test: of so uneven wins and losses between two that are equally good.
    """

    metric: str
    tasks: int
    first: Side
    second: Side
    difference: PairedDifference
    wins: int
    losses: int
    ties: int
    p_sign_test: float

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def compare_evaluations(first: Path, second: Path, rng: np.random.Generator, common: bool = False) -> Comparison:
    """Compare two evaluations' folders, if they answered the same questions; see `compare`.

    Raises:
        UserError: a folder that is no evaluation, or two that cannot be compared.
    """
    questions = [read_questions(folder) for folder in (first, second)]
    check_same_questions(questions, same_selection=False)
    items = [read_items(folder) for folder in (first, second)]
    if any(side.metric != METRICS["task"] and side.questions is None for side in items):
        check_same_questions(questions)  # a row's number is all that its question is known by
    return compare(items[0], items[1], rng, common)


def compare(
    first: ScoredItems, second: ScoredItems, rng: np.random.Generator, common: bool = False, resamples: int = 10_000
) -> Comparison:
    """Means with their intervals, the paired difference (first − second), and wins and losses with the sign test.

    Tasks are taken in the order of their keys, so that the order in which they were evaluated changes nothing.

    Args:
        rng: the source of the resamples; seed it to get the same result again.
        common: compare the tasks that both have, where one has more; the result says how many were left out.

    Raises:
        UserError: the scores are of different kinds or, unless `common`, of different tasks; or none is shared.
    """
    if first.metric != second.metric:
        raise UserError(
            f"{first.title} has scores of '{first.metric}', {second.title} of '{second.metric}'",
            "two evaluations whose scores mean the same",
            "compare evaluations of the same dataset, both judged by its scorer or neither",
        )
    _check_tasks(first, second, common)
    _check_questions(first, second)
    shared = sorted(first.scores.keys() & second.scores.keys())
    a, b = (np.array([items.scores[key] for key in shared]) for items in (first, second))
    sides = [_side(items, scores, rng, resamples) for items, scores in ((first, a), (second, b))]
    wins, losses = int((a > b).sum()), int((a < b).sum())
    return Comparison(
        metric=first.metric,
        tasks=len(shared),
        first=sides[0],
        second=sides[1],
        difference=paired_bootstrap(a, b, rng, resamples, LEVEL),
        wins=wins,
        losses=losses,
        ties=len(shared) - wins - losses,
        p_sign_test=sign_test(wins, losses),
    )


def _side(items: ScoredItems, scores: NDArray[np.float64], rng: np.random.Generator, resamples: int) -> Side:
    low, high = bootstrap_interval(scores.tolist(), rng, resamples, LEVEL) or (None, None)
    return Side(items.title, float(scores.mean()), low, high, len(items.scores) - len(scores))


def _check_tasks(first: ScoredItems, second: ScoredItems, common: bool) -> None:
    if not first.scores.keys() & second.scores.keys():
        raise UserError(
            f"{first.title} ({len(first.scores):,} tasks) and {second.title} ({len(second.scores):,}) share no task",
            "two evaluations of the same test split",
            "evaluate both checkpoints on the same data",
        )
    only_first, only_second = (sorted(a.scores.keys() - b.scores.keys()) for a, b in ((first, second), (second, first)))
    if (only_first or only_second) and not common:
        extra = ((first.title, only_first), (second.title, only_second))
        raise UserError(
            "; ".join(f"only {title} has {_named(keys)}" for title, keys in extra if keys),
            "two evaluations of the same tasks",
            "evaluate both on the same data, or ask to compare only the tasks that both have",
        )


def _check_questions(first: ScoredItems, second: ScoredItems) -> None:
    if first.questions is None or second.questions is None:
        return
    shared = first.questions.keys() & second.questions.keys()
    different = sorted(key for key in shared if first.questions[key] != second.questions[key])
    if different:
        raise UserError(
            f"{first.title} and {second.title} have different questions in {_named(different)}",
            "two evaluations that asked the same questions in the same rows",
            "evaluate both on the same data, with the same --tasks, --first-tasks and --examples",
        )


def _named(keys: Sequence[str]) -> str:
    names = ", ".join(shown(key, 60) for key in keys[:_NAMED])
    return f"{len(keys):,} tasks: {names}{', …' if len(keys) > _NAMED else ''}"


def comparison_table(comparison: Comparison) -> str:
    """The comparison as text."""
    sides, difference = (comparison.first, comparison.second), comparison.difference
    rows = [
        ("", "mean", f"{100 * LEVEL:g} % interval"),
        *((side.title, percent(side.mean), share_range(side.low, side.high)) for side in sides),
        ("first − second", points(difference.mean), points_range(difference.low, difference.high)),
    ]
    lines = [
        f"{comparison.metric}, {comparison.tasks:,} tasks; differences in percentage points",
        table(rows, "  "),
        f"  p of the difference (paired bootstrap over tasks): {p_value(difference.p_two_sided)}",
        f"  first better on {comparison.wins:,} tasks, second on {comparison.losses:,}, equal on"
        f" {comparison.ties:,}; p (exact sign test): {p_value(comparison.p_sign_test)}",
        *(f"  left out, as the other has not: {s.left_out:,} tasks of {s.title}" for s in sides if s.left_out),
    ]
    return "\n".join(lines)


def compare_folders(first: Path, second: Path, common: bool = False) -> None:
    """Print the comparison of two evaluations' folders; the same folders give the same numbers.

    common: on the tasks that both have, where one evaluation has more.

    Raises:
        UserError: a folder that is no evaluation, or two that cannot be compared.
    """
    print(comparison_table(compare_evaluations(first, second, numpy_generator(0, "comparison"), common)))
    print(ONE_NETWORK_EACH)
    questions = [read_questions(folder) for folder in (first, second)]
    if questions[0].augmentations != questions[1].augmentations:
        print(f"  augmentations that vote are not as many: {'; '.join(map(_number_of_augmentations, questions))}")


def _number_of_augmentations(questions: Questions) -> str:
    number = "all of the dataset" if questions.augmentations is None else str(questions.augmentations)
    return f"{questions.title}: {number}"

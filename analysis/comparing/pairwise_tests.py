"""Is one method better, or is it chance? Every two methods on the questions that both answered.

n seeds of a method, Q questions.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from analysis.comparing.comparability import unlike
from analysis.comparing.question_scores import aligned, items_of
from analysis.comparing.significance import POWER, MeanDifference, Scores, contrast, holm
from analysis.methods import Method
from analysis.metrics import CELL, Metric
from analysis.tables import Table, share_over_seeds
from trm.errors import UserError
from trm_lab.commands.tables import UNKNOWN, p_value, points, points_range, table
from trm_lab.intervals import over_seeds
from trm_lab.runs.recorded_evaluations import Evaluation
from trm_lab.runs.scored_items import ScoredItems

LEVEL = 0.05
BOTH, SEEDS, QUESTIONS = "seeds, questions", "seeds", "questions"
EXPLAINED = {
    BOTH: "the difference for other seeds and other questions of this kind",
    SEEDS: "for other seeds on these very questions (python evaluate.py RUN makes the scores of each question)",
    QUESTIONS: "for these very networks, one seed of each, on other questions; nothing is said of another seed",
}


@dataclass(frozen=True)
class Tested:
    """A difference of a table of them.  name: such as "A − B".  over: what it is tested over, a key of EXPLAINED.

    seeds: of each method.  questions: 1 where their scores are not at hand.
    p_holm: adjusted for all tests of the table.  detectable: the true difference that would have been found with the
    probability POWER.
    """

    name: str
    over: str
    seeds: list[int]
    questions: int
    difference: MeanDifference
    p_holm: float | None
    detectable: float | None


def pair_tests(methods: Sequence[Method], metric: Metric, unseen: bool = False) -> list[Tested]:
    """Every two methods that a test can be made between, in their order; see `unlike` and `contrast`.

    unseen: on the questions that do not stand in training.

    Raises:
        UserError: see `items_of`; or, with `unseen`, fewer than two such questions were answered by two methods.
    """
    pairs = _comparable(methods)
    items = {method.name: items_of(method, metric, unseen) for method in methods}
    both = [scores_of([one.evaluations for one in pair], metric, [items[one.name] for one in pair]) for pair in pairs]
    if unseen and any(one[0].shape[1] < 2 for one in both):
        raise UserError(
            "fewer than two questions that are not in training and that all runs answered",
            "test questions of which some are not in training",
            "compare without --unseen, or evaluate on other questions: python evaluate.py RUN --data-path DATASET",
        )
    return tested([f"{a.name} − {b.name}" for a, b in pairs], both, [(1, -1)] * len(pairs))


def _comparable(methods: Sequence[Method]) -> list[tuple[Method, Method]]:
    return [pair for pair in combinations(methods, 2) if not unlike(*pair)]


def scores_of(
    evaluations: Sequence[Sequence[Evaluation]], metric: Metric, items: Sequence[Sequence[ScoredItems]]
) -> list[Scores]:
    """Of each method, on the questions that all answered; where these are not at hand, of each run as a whole `[n, 1]`.

    evaluations, items: of each method, by run; see `items_of`.
    """
    return aligned(items) or [np.array([[metric.of(one)] for one in of_method]) for of_method in evaluations]


def tested(names: Sequence[str], scores: Sequence[list[Scores]], weights: Sequence[Sequence[float]]) -> list[Tested]:
    """A test for each name: of these weights of these methods' scores; all are adjusted together."""
    differences = [contrast(*one) for one in zip(scores, weights, strict=True)]
    adjusted, level = holm([one.p_two_sided for one in differences]), adjusted_level(differences)
    return [
        Tested(
            name=name,
            over=_over(of_methods),
            seeds=[len(one) for one in of_methods],
            questions=of_methods[0].shape[1],
            difference=difference,
            p_holm=p,
            detectable=difference.detectable(level),
        )
        for name, of_methods, difference, p in zip(names, scores, differences, adjusted, strict=True)
    ]


def adjusted_level(tests: Iterable[MeanDifference]) -> float:
    """The level of the smallest p among these in Holm's adjustment."""
    return LEVEL / max(1, sum(one.p_two_sided is not None for one in tests))


def _over(scores: Sequence[Scores]) -> str:
    if scores[0].shape[1] == 1:
        return SEEDS
    return QUESTIONS if all(len(one) == 1 for one in scores) else BOTH


def tests_table(tests: Sequence[Tested], title: str) -> Table:
    """Which differences are more than chance."""
    rows = [
        [
            one.name,
            points(one.difference.mean),
            _interval(one.difference),
            p_value(one.difference.p_two_sided),
            p_value(one.p_holm),
            detectable_points(one),
            one.over,
        ]
        for one in tests
    ]
    header = ["difference", "points", "95 % interval", "p", "p (Holm)", "detectable", "over"]
    used = [f"{kind}: {EXPLAINED[kind]}" for kind in EXPLAINED if any(one.over == kind for one in tests)]
    notes = [
        f"Two-sided t-tests; over {'; '.join(used)}. p (Holm): adjusted for all rows of the table; p and interval: of"
        " each row by itself. – where it cannot be told: one seed beside several, or no spread."
    ]
    return Table(title, header, rows, notes + _detectable_note(tests))


def _detectable_note(tests: Sequence[Tested]) -> list[str]:
    level = adjusted_level(one.difference for one in tests)
    testable = [one for one in tests if one.detectable is not None]
    if not testable:
        return []
    return [
        f"Detectable: the true difference, in points, that {_size(testable)} show with {100 * POWER:.0f} % probability"
        f" (p (Holm) below {LEVEL:g}, at its strictest level {level:.2g}). That none"
        " was found does not say that there is no smaller one."
    ]


def _interval(difference: MeanDifference) -> str:
    """In points, within what a difference of shares can be."""
    if difference.low is None or difference.high is None:
        return UNKNOWN
    return points_range(max(-1.0, difference.low), min(1.0, difference.high))


def detectable_points(test: Tested) -> str:
    """The true difference that would have been found, in points."""
    if test.detectable is None:
        return UNKNOWN
    return f"{100 * test.detectable:.1f}" if test.detectable <= 1 else "> 100"


def _size(tests: Sequence[Tested]) -> str:
    """Such as "3 seeds of each and 200 questions"."""
    seeds, questions = {n for one in tests for n in one.seeds}, {one.questions for one in tests} - {1}
    counted = [(seeds, "seeds of each" if max(seeds) > 1 else "seed of each"), (questions, "questions")]
    return " and ".join(
        f"{' to '.join(f'{n:,}' for n in sorted({min(of), max(of)}))} {what}" for of, what in counted if of
    )


def significance_tests(methods: Sequence[Method], metric: Metric, unseen: bool = False) -> str:
    """The tests between methods as text; "" where none can be made.

    unseen: see `pair_tests`.

    Raises:
        UserError: see `pair_tests`.
    """
    tests = pair_tests(methods, metric, unseen)
    if all(one.difference.p_two_sided is None for one in tests):
        return ""
    part = ", on the questions that are not in training" if unseen else ""
    differences = tests_table(tests, f"Differences in {metric.title}{part}")
    shown = [verdict(*pair, test) for pair, test in zip(_comparable(methods), tests, strict=True)]
    return "\n".join([differences.title, differences.text(), *filter(None, shown)])


def verdict(first: Method, second: Method, test: Tested) -> str:
    """What a test of first − second has shown, in a sentence; "" where none could be made."""
    difference = test.difference
    if test.p_holm is None or difference.low is None or difference.high is None:
        return ""
    low, high = (points(max(-1.0, min(1.0, bound))) for bound in (difference.low, difference.high))
    told = f"95 % interval {low} to {high} points, p (Holm) {p_value(test.p_holm)}"
    if test.p_holm >= LEVEL:
        return f"No difference shown between {first.name} and {second.name}: {told}."
    better, worse = (first, second) if difference.mean > 0 else (second, first)
    only = " (these very networks, on other questions)" if test.over == QUESTIONS else ""
    return f"{better.name} is {100 * abs(difference.mean):.1f} points above {worse.name}{only}: {told}."


def methods_table(methods: Sequence[Method], metric: Metric) -> str:
    """Each method's metric and cell accuracy over its seeds."""
    rows = [("method", "network calls", "updates", metric.title, CELL.title)]
    for method in methods:
        of_metric, cells = (over_seeds([one.of(scores) for scores in method.evaluations]) for one in (metric, CELL))
        calls = f"{method.evaluations[0].calls_per_answer:,}"
        rows.append((method.name, calls, f"{method.step:,}", share_over_seeds(of_metric), share_over_seeds(cells)))
    note = "Intervals: 95 %, Student's t over n seeds; not estimable from seeds without spread."
    return "\n".join([table(rows), note, *in_full(methods)])


def untested(methods: Sequence[Method]) -> list[str]:
    """A line for every two methods that no test is made between, and why."""
    return [
        f"not comparable, so not tested: {first.name} against {second.name}: {reason}"
        for first, second in combinations(methods, 2)
        if (reason := unlike(first, second))
    ]


def in_full(methods: Sequence[Method]) -> list[str]:
    """A line for every method whose name does not say all that tells it apart."""
    return [f"{method.name}: {method.unsaid}" for method in methods if method.unsaid]

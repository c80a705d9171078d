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
from trm_lab.commands.tables import UNKNOWN, p_value, points, points_range, table
from trm_lab.intervals import over_seeds

LEVEL = 0.05
BOTH, SEEDS, QUESTIONS = "seeds, questions", "seeds", "questions"
EXPLAINED = {
    BOTH: "the difference for other seeds and other questions of this kind",
    SEEDS: "for other seeds on these very questions (python evaluate.py RUN makes the scores of each question)",
    QUESTIONS: "for these very networks, one seed of each, on other questions; nothing is said of another seed",
}


@dataclass(frozen=True)
class PairTest:
    """Two methods' accuracies: first − second.

    over: what the test is over, a key of EXPLAINED.  p_holm: adjusted for all pairs of the table.
    detectable: the true difference that would have been found with the probability POWER.
    """

    first: str
    second: str
    over: str
    difference: MeanDifference
    p_holm: float | None
    detectable: float | None


def pair_tests(methods: Sequence[Method], metric: Metric) -> list[PairTest]:
    """Every two methods that a test can be made between, in their order; see `unlike` and `contrast`."""
    pairs = [(a, b) for a, b in combinations(methods, 2) if not unlike(a, b)]
    items = {
        method.name: items_of(method, metric) for method in {one.name: one for pair in pairs for one in pair}.values()
    }
    scores = [aligned([items[one.name] for one in pair]) or [_shares(one, metric) for one in pair] for pair in pairs]
    found = [contrast(both, (1, -1)) for both in scores]
    adjusted = holm([one.p_two_sided for one in found])
    return [
        PairTest(a.name, b.name, _over(both), difference, p, difference.detectable(adjusted_level(found)))
        for (a, b), both, difference, p in zip(pairs, scores, found, adjusted, strict=True)
    ]


def adjusted_level(tests: Iterable[MeanDifference]) -> float:
    """The level of the smallest p among these in Holm's adjustment."""
    return LEVEL / max(1, sum(one.p_two_sided is not None for one in tests))


def _shares(method: Method, metric: Metric) -> Scores:
    """One column: of each run its score as a whole `[n, 1]`."""
    return np.array([[metric.of(one)] for one in method.evaluations])


def _over(scores: Sequence[Scores]) -> str:
    if scores[0].shape[1] == 1:
        return SEEDS
    return QUESTIONS if all(len(one) == 1 for one in scores) else BOTH


def tests_table(tests: Sequence[PairTest], metric: str) -> Table:
    """Which difference between two methods is more than chance."""
    rows = [
        [
            f"{one.first} − {one.second}",
            points(one.difference.mean),
            UNKNOWN if one.difference.low is None else points_range(one.difference.low, one.difference.high),
            p_value(one.difference.p_two_sided),
            p_value(one.p_holm),
            UNKNOWN if one.detectable is None else f"{100 * one.detectable:.1f}",
            one.over,
        ]
        for one in tests
    ]
    header = ["difference", "points", "95 % interval", "p", "p (Holm)", "seen at 80 %", "over"]
    used = [f"{kind}: {EXPLAINED[kind]}" for kind in EXPLAINED if any(one.over == kind for one in tests)]
    level = adjusted_level(one.difference for one in tests)
    notes = [
        f"Two-sided t-tests; over {'; '.join(used)}. p (Holm): adjusted for all pairs of the table; p and interval: of"
        " each pair by itself. – where it cannot be told: one seed of one of the two, or no spread.",
        f"Seen at {100 * POWER:.0f} %: how many points apart the two must be in truth for p (Holm) below {LEVEL:g} with"
        f" {100 * POWER:.0f} % probability (at the strictest level, {level:.2g}). That none was found does not say that"
        " there is no smaller one.",
    ]
    return Table(f"Differences in {metric}", header, rows, notes)


def significance_tests(methods: Sequence[Method], metric: Metric) -> str:
    """The tests between methods as text; "" where none can be made."""
    tests = pair_tests(methods, metric)
    differences = tests_table(tests, metric.title)
    told = any(one.difference.p_two_sided is not None for one in tests)
    return f"{differences.title}\n{differences.text()}" if told else ""


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

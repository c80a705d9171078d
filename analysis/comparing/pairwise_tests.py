"""Is one better, or is it chance? Between methods over seeds; between two single runs over their examples."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from analysis.comparing.comparability import unlike
from analysis.comparing.scored_runs import plain_scored
from analysis.comparing.significance import MeanDifference, holm, paired, welch
from analysis.methods import Method
from analysis.metrics import CELL, Metric
from analysis.tables import Table, share_over_seeds
from trm.errors import UserError, shown
from trm.randomness import numpy_generator
from trm_lab.commands.tables import UNKNOWN, p_value, points, points_range, table
from trm_lab.evaluation.comparison import Comparison, compare_evaluations, comparison_table
from trm_lab.intervals import over_seeds


@dataclass(frozen=True)
class PairTest:
    """Two methods' accuracies over seeds: first − second.

    by_seed: the paired test; None where they were not run with the same seeds.  p_holm: of Welch's test, adjusted for
    all pairs.
    """

    first: str
    second: str
    welch: MeanDifference
    by_seed: MeanDifference | None
    p_holm: float | None


def pair_tests(methods: Sequence[Method], metric: Metric) -> list[PairTest]:
    """Every two methods that a test can be made between, in their order; see `unlike`."""
    shares = {method.name: [metric.of(one) for one in method.evaluations] for method in methods}
    pairs = [(a, b) for a, b in combinations(methods, 2) if not unlike(a, b)]
    unpaired = [welch(shares[a.name], shares[b.name], cautious=True) for a, b in pairs]
    adjusted = holm([test.p_two_sided for test in unpaired])
    by_seed = [paired(shares[a.name], shares[b.name]) if a.seeds == b.seeds else None for a, b in pairs]
    return [
        PairTest(a.name, b.name, test, of_seeds, p)
        for (a, b), test, of_seeds, p in zip(pairs, unpaired, by_seed, adjusted, strict=True)
    ]


def tests_table(tests: Sequence[PairTest], metric: str) -> Table:
    """Which difference between two methods is more than chance between seeds."""
    rows = [
        [
            f"{one.first} − {one.second}",
            points(one.welch.mean),
            UNKNOWN if one.welch.low is None else points_range(one.welch.low, one.welch.high),
            p_value(one.welch.p_two_sided),
            p_value(one.p_holm),
            p_value(one.by_seed.p_two_sided if one.by_seed else None),
        ]
        for one in tests
    ]
    header = ["difference", "points", "95 % interval", "p (Welch)", "p (Holm)", "p (paired by seed)"]
    notes = [
        "Two-sided t-tests over seeds. Holm: Welch's p adjusted for all pairs of the table; intervals and the other p"
        " are of each pair by itself. Of two seeds, or three against more, Welch's test has the degrees of freedom"
        " of the smaller number. – where it cannot be told: one seed, or no spread between seeds. Few seeds"
        " find large differences only: a large p proves no equality."
    ]
    return Table(f"Differences in {metric}", header, rows, notes)


def significance_tests(methods: Sequence[Method], metric: Metric) -> str:
    """The tests between methods over seeds, as text; "" where no two have several seeds."""
    tests = pair_tests(methods, metric) if sum(len(method.runs) > 1 for method in methods) > 1 else []
    differences = tests_table(tests, metric.title)
    return f"{differences.title}\n{differences.text()}" if tests else ""


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


def example_tests(methods: Sequence[Method]) -> list[str]:
    """For every two methods of one seed each the paired tests over examples, or what is missing for them."""
    texts: list[str] = []
    tested: dict[int, Comparison] = {}  # by place in `texts`
    for first, second in combinations([method for method in methods if len(method.runs) == 1], 2):
        if unlike(first, second):
            continue
        title = f"{first.name} against {second.name}, over examples"
        comparison = _over_examples(first, second)
        if isinstance(comparison, str):
            texts.append(f"{title}: {comparison}")
        else:
            tested[len(texts)] = comparison
            texts.append(f"{title}\n{comparison_table(comparison)}")
    if len(tested) > 1:
        bootstrap = holm([one.difference.p_two_sided for one in tested.values()])
        sign = holm([one.p_sign_test for one in tested.values()])
        for place, *p in zip(tested, bootstrap, sign, strict=True):
            texts[place] += (
                f"\n  of {len(tested)} pairs, p after Holm's adjustment: paired bootstrap {p_value(p[0])},"
                f" sign test {p_value(p[1])}; the intervals are of each pair by itself"
            )
    return texts


def _over_examples(first: Method, second: Method) -> Comparison | str:
    """The comparison of two methods' single runs, or why there is none."""
    scored = [plain_scored(method.runs[0], method.step) for method in (first, second)]
    lacking = [method.runs[0] for method, one in zip((first, second), scored, strict=True) if one is None]
    if any(plain_scored(run) for run in lacking):
        return f"not possible: evaluate.py scored other steps than {first.step:,}"
    if lacking:
        commands = "; ".join(f"python evaluate.py {run.in_command}" for run in lacking)
        return f"missing; make it with: {commands}"
    folders = [one.folder for one in scored if one is not None]
    try:
        rng = numpy_generator(0, "compared runs", 0)
        comparison = compare_evaluations(folders[0], folders[1], rng, common=True)
    except UserError as error:
        return f"not possible: {shown(error.given, 400)}"
    named = replace(comparison.first, title=first.name), replace(comparison.second, title=second.name)
    return replace(comparison, first=named[0], second=named[1])

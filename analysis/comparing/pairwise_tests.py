"""Is one better, or is it chance? Between methods over seeds; between two single runs over their examples."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

from analysis.comparing.ablation import pair_tests
from analysis.comparing.ablation_tables import tests_table
from analysis.comparing.comparability import unlike
from analysis.comparing.scored_runs import plain_scored
from analysis.comparing.significance import holm
from analysis.methods import Method
from analysis.metrics import CELL, Metric
from analysis.tables import share_over_seeds
from trm.errors import UserError, shown
from trm.randomness import numpy_generator
from trm_lab.commands.tables import p_value, table
from trm_lab.evaluation.comparison import Comparison, compare_evaluations, comparison_table
from trm_lab.intervals import over_seeds


def methods_table(methods: Sequence[Method], metric: Metric) -> str:
    """Each method's metric and cells right over its seeds."""
    rows = [("method", "network calls", "updates", metric.title, "cells right")]
    for method in methods:
        shares = [over_seeds([one.of(scores) for scores in method.evaluations]) for one in (metric, CELL)]
        calls = method.evaluations[0].calls_per_answer
        rows.append((method.name, f"{calls:,}", f"{method.step:,}", *map(share_over_seeds, shares)))  # type: ignore[arg-type]
    note = "Intervals: 95 %, Student's t over n seeds; not estimable from seeds without spread."
    return "\n".join([table(rows), note, *in_full(methods)])


def untested(methods: Sequence[Method]) -> list[str]:
    """A line for every two methods that no test is made between, and why."""
    return [
        f"not like for like, so not tested: {first.name} against {second.name}: {reason}"
        for first, second in combinations(methods, 2)
        if (reason := unlike(first, second))
    ]


def in_full(methods: Sequence[Method]) -> list[str]:
    """A line for every method whose name does not say all that tells it apart."""
    return [f"{method.name}: {method.unsaid}" for method in methods if method.unsaid]


def seed_tests(methods: Sequence[Method], metric: Metric) -> str:
    """The tests between methods over seeds, as text; "" where no two have several seeds."""
    if sum(len(method.runs) > 1 for method in methods) < 2:
        return ""
    tests = pair_tests(methods, metric)
    if not tests:
        return ""
    made = tests_table(tests, metric.title)
    return "\n".join(
        [made.title, table([made.header, *made.rows], "  "), *(f"  {note}" for note in made.notes)]
    )


def example_tests(methods: Sequence[Method]) -> list[str]:
    """For every two methods of one seed each the paired tests over examples, or what is missing for them."""
    texts: list[str] = []
    tested: dict[int, Comparison] = {}  # by place in `texts`
    for first, second in combinations([method for method in methods if len(method.runs) == 1], 2):
        if unlike(first, second):
            continue
        title = f"{first.name} against {second.name}, over examples"
        found = _over_examples(first, second)
        if isinstance(found, str):
            texts.append(f"{title}: {found}")
        else:
            tested[len(texts)] = found
            texts.append(f"{title}\n{comparison_table(found)}")
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
    lacking = [method.runs[0] for method, found in zip((first, second), scored, strict=True) if found is None]
    if any(plain_scored(run) for run in lacking):
        return f"not possible: evaluate.py scored other steps than {first.step:,}"
    if lacking:
        commands = "; ".join(f"python evaluate.py {run.in_command}" for run in lacking)
        return f"missing; make it with: {commands}"
    folders = [found.folder for found in scored if found is not None]
    try:
        made = compare_evaluations(
            folders[0], folders[1], numpy_generator(0, "compared runs", 0), common=True
        )
    except UserError as error:
        return f"not possible: {shown(error.given, 400)}"
    return replace(
        made, first=replace(made.first, title=first.name), second=replace(made.second, title=second.name)
    )

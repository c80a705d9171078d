"""Write analysis/RESULTS.md: the text of RESULTS.template.md with every number computed from the recorded runs.

The template is Jinja's. In it {{ score("queens", "DIS (paper)") }} stands for a number and {{ methods("queens") }} for
a table; a study is a folder of analysis/recorded, and methods have the names that figures give them. WORDS has all that
can be asked for.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from statistics import fmean

if not __package__:  # run by its path: our modules are found from the folder above, not from this one
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from jinja2 import Environment, StrictUndefined

from analysis import search
from analysis.comparing.costs import training_cost
from analysis.comparing.factorial_design import factorial
from analysis.comparing.pairwise_tests import Tested, detectable_points, pair_tests
from analysis.comparing.question_scores import aligned, items_in, items_of
from analysis.comparing.scored_runs import probed, with_steps
from analysis.comparing.search_study import study as search_study
from analysis.comparing.significance import contrast
from analysis.methods import Method, method_name
from analysis.metrics import Metric
from analysis.recorded_studies import after_each_step, evaluations, means, overlaps, study
from analysis.tables import Table, amount
from trm_lab.commands.command_line import CommandLine, run_command
from trm_lab.commands.tables import p_value, percent, points, points_range, share_with_range, signed
from trm_lab.intervals import over_seeds

HERE = Path(__file__).resolve().parent
TEMPLATE, RESULTS = HERE / "RESULTS.template.md", HERE / "RESULTS.md"
EXAMPLE = "  python -m analysis.results"
NOT_RUN = "–"


def _score(method: Method, metric: Metric) -> str:
    summary = over_seeds([metric.of(one) for one in evaluations(method)])
    return share_with_range(summary.mean, summary.low, summary.high)


def score(folder: str, name: str) -> str:
    """A method's mean over seeds with its 95 % t-interval."""
    return _score(study(folder).method(name), study(folder).metric)


def mean(folder: str, name: str) -> str:
    """A method's mean over seeds."""
    one = study(folder)
    return percent(fmean(map(one.metric.of, evaluations(one.method(name)))))


def mean_after(folder: str, name: str, step: int) -> str:
    """A method's mean over seeds after a supervision step, from 1."""
    one = study(folder)
    return percent(after_each_step(one.method(name), one.metric)[step])


def after_updates(folder: str, name: str, step: int) -> str:
    """A method's mean over seeds at an evaluation during training."""
    one = study(folder)
    return percent(fmean(map(one.metric.of, one.method(name).evaluations_at(step))))


def seeds_after(folder: str, name: str, steps: int) -> str:
    """What each seed of a method solves with a number of supervision steps."""
    metric = study(folder).metric
    scored = with_steps(study(folder).method(name), steps)
    return ", ".join(_bare(metric.of(one.evaluation)) for one in scored)


def calls_within(folder: str, name: str, short: float) -> str:
    """After how many network calls a method is within so many points of its mean over seeds."""
    one = study(folder)
    method = one.method(name)
    after = means([one.metric.after_steps(each) or [] for each in method.evaluations])
    near = next(step for step, share in enumerate(after) if 100 * (after[-1] - share) <= short)
    return f"{method.evaluations[0].network_calls[near]:,}"


def training_ratio(folder: str, first: str, second: str) -> str:
    """How many times as many operations as the second method the first one takes in training."""
    spent = [training_cost(one.runs[0], one.step).operations for one in map(study(folder).method, (first, second))]
    return f"{(spent[0] or 0) / (spent[1] or 1):.1f}"


def spread(folder: str, name: str) -> str:
    """The difference in points between the best and the worst setting of a method, as its papers call it."""
    one = study(folder)
    named = [method for method in one.methods.values() if method.name.startswith(name)]
    scores = [fmean(map(one.metric.of, method.evaluations)) for method in named]
    return f"{100 * (max(scores) - min(scores)):.1f}"


def in_category(folder: str, category: str) -> str:
    """How many test questions of a study are of a category."""
    categories = study(folder).first.evaluations[0].tasks[0].categories
    assert categories is not None, f"{folder} has no categories"
    return f"{categories.examples[categories.names.index(category)]:,}"


def counted(folder: str, what: str) -> str:
    """A count of a study's evaluations, such as of ARC's "tasks" and "outputs"."""
    return f"{study(folder).first.evaluations[0].counts[what]:,}"


def updates(folder: str) -> str:
    """After how many updates the methods of a study are compared."""
    return f"{study(folder).first.step:,}"


def baseline(folder: str, name: str) -> str:
    """What an answer that needs no learning solves."""
    evaluation = study(folder).first.evaluations[0]
    return percent(study(folder).metric.baselines(evaluation)[name])


def methods(folder: str, beside: str, *steps: int) -> str:
    """A row for each method: its score, seed by seed, its difference from one of them, and what it costs.

    beside: the method that the others are tested against; p is adjusted for all pairs of the study.
    steps: supervision steps, from 1, after which the score is shown as well.
    """
    one, cells = study(folder), []
    for method in one.methods.values():
        after = after_each_step(method, one.metric)
        cells.append(
            [
                method.name,
                _score(method, one.metric),
                ", ".join(map(_bare, map(one.metric.of, evaluations(method)))),
                "" if method.name == beside else difference(folder, method.name, beside),
                *(_bare(after[step]) if step in after else "" for step in steps),
                amount(training_cost(method.runs[0], method.step).operations, "FLOP"),
                f"{method.evaluations[0].calls_per_answer:,}",
            ]
        )
    after_these = [f"after step {step}" for step in steps]
    scores = [f"{one.metric.title} [95 %]", "seed by seed", f"minus {beside}", *after_these]
    return _rows(Table("", ["method", *scores, "training", "calls an answer"], cells))


def after_steps(folder: str, *steps: int) -> str:
    """A column for each method and a row for each number of supervision steps: what they solve, means over seeds."""
    one = study(folder)
    by_method = {name: after_each_step(method, one.metric) for name, method in one.methods.items()}
    rows = [
        [f"after {step} steps", *(_bare(after[step]) if step in after else "" for after in by_method.values())]
        for step in steps
    ]
    return _rows(Table("", [f"{one.metric.title}, %", *by_method], rows))


@cache
def _tests(folder: str) -> dict[str, Tested]:
    """Every two methods of a study, by "A − B"; adjusted together."""
    one = study(folder)
    return {test.name: test for test in pair_tests(list(one.methods.values()), one.metric)}


def _test(folder: str, first: str, second: str) -> tuple[Tested, int]:
    """The test between two methods, and −1 where it is of the second less the first."""
    for one in (first, second):
        study(folder).method(one)
    tests = _tests(folder)
    forwards = tests.get(f"{first} − {second}")
    return (forwards, 1) if forwards else (tests[f"{second} − {first}"], -1)


def difference(folder: str, first: str, second: str) -> str:
    """The first method less the second in points, with interval and p, adjusted for all pairs of the study."""
    return _told(*_test(folder, first, second))


def _told(test: Tested, sign: int = 1) -> str:
    low, high = test.difference.low, test.difference.high
    between = points_range(low, high) if sign > 0 or low is None or high is None else points_range(-high, -low)
    return f"{points(sign * test.difference.mean)} points {between}, adjusted {_p(test.p_holm)}"


def detectable(folder: str, first: str, second: str) -> str:
    """The true difference, in points, that would have been found with a probability of 80 %."""
    return detectable_points(_test(folder, first, second)[0])


def steps_difference(
    folder: str, first: str, first_steps: int, second: str, second_steps: int, second_folder: str | None = None
) -> str:
    """One method with a number of supervision steps less another with its own, in points; p is of this test alone.

    second_folder: of the other method, in another study on the same questions.
    """
    compared = (folder, first, first_steps), (second_folder or folder, second, second_steps)
    items = [
        items_in([one.folder for one in with_steps(study(where).method(name), steps)], study(where).metric)
        for where, name, steps in compared
    ]
    test = contrast(aligned(items), (1, -1))
    return f"{points(test.mean)} points {points_range(test.low, test.high)}, {_p(test.p_two_sided)}"


def improvements(folder: str, *steps: int) -> str:
    """By how much steps lower the cross-entropy to the answer, and of how many examples, means over seeds.

    In nats, softmax over the tokens with a label, mean over examples.
    """
    rows = []
    for name, (falls, shares) in _improvements(folder).items():
        cells = [f"{signed(fall, '.2f')} ({100 * share:.0f} %)" for fall, share in zip(falls, shares, strict=True)]
        rows.append([name, *(cells[step - 1] if step <= len(cells) else "" for step in steps)])
    return _rows(Table("", ["cross-entropy falls by, at step", *map(str, steps)], rows))


def improved(folder: str, name: str, first: int, last: int) -> str:
    """To what shares of the examples the steps from the first to the last improve the answer, means over seeds."""
    shares = _improvements(folder)[study(folder).method(name).name][1][first - 1 : last]
    return f"{100 * min(shares):.0f} to {100 * max(shares):.0f} %"


@cache
def _improvements(folder: str) -> dict[str, tuple[list[float], list[float]]]:
    """By method: the fall at each step, and of what share of the examples."""
    found = {}
    for one, scored in probed(list(study(folder).methods.values()), lambda each: each.improvement is not None):
        to_answer = [each.improvement.answer for each in scored if each.improvement is not None]
        found[one.name] = means([each.fell_by for each in to_answer]), means([e.examples_improved for e in to_answer])
    return found


def by_setting(folder: str, key: str, *values: object, steps: int | None = None) -> str:
    """A row for each method as its papers call it, but for N_sup, and a column for each value of a setting.

    Means over seeds.
    key: dotted, such as "arch.halt_max_steps".  steps: in further rows, after so many.
    """
    one = study(folder)
    rows: dict[str, dict[str, str]] = {}
    for method in one.methods.values():
        cell = _bare(fmean(map(one.metric.of, method.evaluations)))
        name, value = method_name(method.runs[0]).partition(", N_sup=")[0], str(method.settings.get(key))
        rows.setdefault(name, {})[value] = cell
        if steps in (after := after_each_step(method, one.metric)):
            rows.setdefault(f"{name}, after {steps} steps", {})[value] = _bare(after[steps])
    columns = [str(value) for value in values]
    header = [f"{one.metric.title}, % at {key.removeprefix('arch.')}", *columns]
    return _rows(
        Table("", header, [[name, *(row.get(column, NOT_RUN) for column in columns)] for name, row in rows.items()])
    )


def in_training(folder: str) -> str:
    """How many test questions of a study stand in training, too."""
    return f"{overlaps(study(folder).first)[0].questions:,}"


def different(folder: str) -> str:
    """How many different test questions a study has."""
    items = items_of(study(folder).first, study(folder).metric)[0]
    return f"{len(set((items.questions or {}).values())):,}"


def unseen(folder: str, name: str, steps: int | None = None) -> str:
    """What a method solves of the test questions that do not stand in training, mean over seeds.

    steps: of the answers; None: as many as in training.
    """
    known = overlaps(study(folder).method(name), steps)
    return percent(fmean(one.without_questions["solved"] / (one.examples - one.questions) for one in known))


def searches(folder: str, *budgets: int) -> str:
    """What several noisy rollouts solve within budgets of network calls, and rollouts in turn; methods that searched.

    Of several the most confident is chosen; in turn: until one keeps the rules. Settings come from held-out questions.
    """
    rows: list[Sequence[str]] = []
    every = map(search_study, study(folder).methods.values())
    for each in (one for one in every if one.sources):
        for budget in budgets:
            chosen = search.chosen_row(each, budget, search.WITHOUT_RULES)
            rows += [(row[0], f"at most {row[1]}", *row[2:4]) for row in chosen]
        rows += [(row[0], f"{row[4]} in the mean", f"in turn, {row[1]}", row[2]) for row in search.in_turn_rows(each)]
    return _rows(Table("", ["method", "network calls", "answer", "solved [95 %]"], rows))


def in_turn(folder: str, name: str) -> str:
    """What rollouts in turn solve, until one keeps the rules."""
    row = next(iter(search.in_turn_rows(search_study(study(folder).method(name)))))
    return row[2].partition(" [")[0]


def effect(folder: str, name: str, sign: int = 1, steps: int | None = None) -> str:
    """One effect of a factorial design, or −1 times it, in points with interval and p, adjusted for all of them.

    steps: of the answers; None: as many as in training.
    """
    return _told(_effects(folder, steps)[name], sign)


@cache
def _effects(folder: str, steps: int | None) -> dict[str, Tested]:
    one = study(folder)
    return {test.name: test for test in factorial(list(one.methods.values()), one.metric, steps).effects}


def _p(p: float | None) -> str:
    text = p_value(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def _bare(share: float) -> str:
    return percent(share).removesuffix(" %")


def _rows(table: Table) -> str:
    """A table in Markdown without its title and notes."""
    return "\n".join(line for line in replace(table, notes=[]).markdown().splitlines() if line.startswith("|"))


WORDS: Mapping[str, Callable[..., str]] = {
    word.__name__: word
    for word in (
        score, mean, mean_after, seeds_after, calls_within, training_ratio, spread, in_category, counted, updates,
        baseline, unseen, in_training, difference, detectable, steps_difference, methods, improvements, improved,
        by_setting, after_steps, effect, searches, in_turn, different, after_updates,
    )
}  # fmt: skip


def rendered(template: str) -> str:
    """The template's text with a number or a table for each place.

    Raises:
        jinja2.TemplateError: it is no template, or asks for a word that there is not.
        UserError: it names a study or a method that there is not.
    """
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True)
    return environment.from_string(template).render(WORDS)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    CommandLine("python -m analysis.results", __doc__, EXAMPLE).parse(arguments)
    RESULTS.write_text(rendered(TEMPLATE.read_text(encoding="utf-8")), encoding="utf-8")
    print(RESULTS)


if __name__ == "__main__":
    run_command(main, interrupted="interrupted")

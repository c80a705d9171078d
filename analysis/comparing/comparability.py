"""What may stand in one table with tests: answers to the same questions, after the same number of updates."""

from collections.abc import Callable, Sequence
from dataclasses import fields, replace

from analysis.methods import Method, differing, fingerprints_of_test, short_mark
from trm_lab.methods import METHODS
from trm_lab.runs.recorded_run import Run

OF_A_METHOD = frozenset(
    f"arch.{name}"
    for name in (
        *("supervision", "H_cycles", "L_cycles"),
        *(key.name for method in METHODS.values() for key in fields(method.config_class)),
    )
)
"""Settings that make a method; another difference is one between experiments."""


def by_dataset(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """The runs that answered the same questions, by what their evaluations call the data: name and protocol.

    Data of one name get the number of their examples, their fingerprint and what copying gets, as far as it takes.
    """
    found: dict[tuple[object, ...], list[Run]] = {}
    for run in runs:
        found.setdefault(tested_on(run), []).append(run)
    titles: dict[tuple[object, ...], str] = {key: _named(group[0]) for key, group in found.items()}
    for more in (_examples, _mark, lambda run: f"copying gets {100 * run.evaluation.copy_cell:.4g} %"):
        every = list(titles.values())
        titles = {
            key: ", ".join(filter(None, [title, more(found[key][0]) if every.count(title) > 1 else ""]))
            for key, title in titles.items()
        }
    made: dict[str, list[Run]] = {}
    for key, title in titles.items():
        made.setdefault(title, []).extend(found[key])
    return made


def tested_on(run: Run) -> tuple[object, ...]:
    """Equal for runs that answered the same questions, as far as their records tell."""
    last = run.evaluation
    return (_named(run), fingerprints_of_test(run), last.examples, round(last.copy_cell, 9))


def _named(run: Run) -> str:
    names = [f"{task.dataset} ({task.protocol})" for task in run.evaluation.tasks]
    return " and ".join(names) or "unnamed data"


def _examples(run: Run) -> str:
    return f"{run.evaluation.examples:,} examples"


def _mark(run: Run) -> str:
    marks = fingerprints_of_test(run)
    return f"data {', '.join(map(short_mark, marks))}" if marks else ""


def at_same_updates(methods: Sequence[Method]) -> tuple[list[Method], list[str]]:
    """The methods at the last step that all of them have evaluated, and what is to be said of it.

    Where there is none they stay as they are, which is not like for like.
    """
    if len({method.step for method in methods}) < 2:
        return list(methods), []
    stand = ", ".join(f"{method.name} {method.step:,}" for method in methods)
    common = set.intersection(*(set(method.common_steps) for method in methods))
    if not common:
        return list(methods), [
            f"not like for like: the methods stand at different numbers of updates and share no evaluation: {stand}"
        ]
    step = max(common)
    return [replace(method, step=step) for method in methods], [
        f"still going, stopped early or trained for longer: methods stand at different numbers of updates ({stand});"
        f" all are compared at {step:,}, the last that all of them have evaluated"
    ]


def unlike(first: Method, second: Method) -> str:
    """Why no test between two methods can be made; "" where it can."""
    reasons: tuple[tuple[str, Callable[[Method], object]], ...] = (
        ("other test data", lambda method: tested_on(method.runs[0])),
        ("other numbers of updates", lambda method: method.step),
    )
    return " and ".join(reason for reason, value in reasons if value(first) != value(second))


def other_settings(methods: Sequence[Method]) -> str:
    """Whether the methods differ in themselves alone, in words."""
    more = [key.removeprefix("arch.") for key in differing(methods) if key not in OF_A_METHOD]
    if not more:
        return "All other settings are the same."
    return (
        f"Not like for like: the runs differ in more than the method: {', '.join(more)}. Settings that are not named"
        " are the same."
    )

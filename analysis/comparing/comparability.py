"""Which runs may stand in one table with tests: answers to the same questions, after the same number of updates."""

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from statistics import median_low

from analysis.methods import Method, as_long, differing, fingerprints_of_test, matched_steps, short_mark
from trm.errors import UserError
from trm_lab.runs.recorded_run import Run


def of_a_method() -> set[str]:
    """Settings that make a method; another difference is one between experiments."""
    from trm_lab.methods import METHODS  # here: with the methods comes torch

    own = {key.name for method in METHODS.values() for key in fields(method.config_class)}
    return {f"arch.{key}" for key in ("supervision", "recursion", "H_cycles", "L_cycles", "H_layers", *own)}


def by_dataset(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """The runs that answered the same questions, by what their evaluations call the data: name and protocol.

    Data of one name get the number of their examples, their fingerprint and what copying gets, as far as it takes.
    """
    groups: dict[tuple[object, ...], list[Run]] = {}
    for run in runs:
        groups.setdefault(tested_on(run), []).append(run)
    titles = {key: _data_name(members[0]) for key, members in groups.items()}
    for detail in (_examples, _mark, lambda run: f"copying gets {100 * run.evaluation.copy_cell:.4g} %"):
        before = list(titles.values())
        for key, title in titles.items():
            if before.count(title) > 1 and detail(groups[key][0]):
                titles[key] = f"{title}, {detail(groups[key][0])}"
    by_title: dict[str, list[Run]] = {}
    for key, title in titles.items():
        by_title.setdefault(title, []).extend(groups[key])
    return by_title


def tested_on(run: Run) -> tuple[object, ...]:
    """Equal for runs that answered the same questions, as far as their records tell."""
    last = run.evaluation
    return (_data_name(run), fingerprints_of_test(run), last.examples, round(last.copy_cell, 9))


def _data_name(run: Run) -> str:
    return " and ".join(f"{task.dataset} ({task.protocol} protocol)" for task in run.evaluation.tasks) or "unnamed data"


def _examples(run: Run) -> str:
    return f"{run.evaluation.examples:,} examples"


def _mark(run: Run) -> str:
    marks = fingerprints_of_test(run)
    return f"data {', '.join(map(short_mark, marks))}" if marks else ""


def check_same_datasets(runs: Sequence[Run]) -> None:
    """Refuse to compare runs on different data. Datasets and runs that do not say what they are pass.

    Raises:
        UserError: two runs name different datasets, or different protocols of one.
    """
    named = [run for run in runs if run.evaluation.tasks and all(t.version for t in run.evaluation.tasks)]
    for run in named[1:]:
        if _data_name(run) != _data_name(named[0]):
            raise UserError(
                given=f"{named[0].path} is a run on {_data_name(named[0])}, {run.path} on {_data_name(run)}",
                allowed="runs evaluated on the same dataset, split by the same protocol",
                remedy="compare runs on one dataset, or train both with the same data_paths",
            )


def differences(runs: Sequence[Run], over_seeds: bool = False) -> list[str]:
    """What keeps the runs from being compared as they stand: other test examples, seeds or lengths.

    over_seeds: methods are compared over seeds, so that these may differ.
    """
    usual = median_low(run.evaluation.step for run in runs)
    compared: dict[str, Callable[[Run], object]] = {
        "test examples": lambda run: (run.evaluation.examples, run.evaluation.counts.get("outputs")),
        "scores of copying the input, so other test data": lambda run: run.evaluation.copy_cell,
        "fingerprints of the test data": lambda run: fingerprints_of_test(run) or None,
        "versions of the dataset": lambda run: [task.version for task in run.evaluation.tasks] or None,
        "settings of the dataset": lambda run: [task.facts for task in run.evaluation.tasks] or None,
        **({} if over_seeds else {"seeds": lambda run: run.evaluation.seed}),
        "numbers of training steps": lambda run: as_long(run.evaluation.step, usual) or run.evaluation.step,
        "global batch sizes": lambda run: run.config.get("global_batch_size"),
    }
    names = []
    for name, value in compared.items():
        values = [entry for run in runs if (entry := value(run)) is not None]
        if any(entry != values[0] for entry in values):
            names.append(name)
    return [f"Not comparable: the runs have different {'; different '.join(names)}."] if names else []


def at_same_updates(methods: Sequence[Method]) -> tuple[list[Method], list[str]]:
    """The methods at the last step that all of them have evaluated, and what is to be said of it.

    Where there is none they stay as they are, and are not comparable.
    """
    if as_long(*(method.step for method in methods)):
        return list(methods), []
    updates = ", ".join(f"{method.name} {method.step:,}" for method in methods)
    rows = matched_steps([method.common_steps for method in methods])
    common = [step for step, row in rows.items() if as_long(*row)]
    if not common:
        return list(methods), [
            f"not comparable: the methods stand at different numbers of updates and share no evaluation: {updates}"
        ]
    step = max(common)
    return [replace(method, step=own) for method, own in zip(methods, rows[step], strict=True)], [
        f"still going, stopped early or trained for longer: methods stand at different numbers of updates ({updates});"
        f" all are compared at {step:,}, the last that all of them have evaluated"
    ]


def unlike(first: Method, second: Method) -> str:
    """Why no test between two methods can be made; "" where it can."""
    reasons = ["other test data"] * (tested_on(first.runs[0]) != tested_on(second.runs[0]))
    reasons += ["other numbers of updates"] * (not as_long(first.step, second.step))
    return " and ".join(reasons)


def other_settings(methods: Sequence[Method]) -> str:
    """Whether the methods differ in themselves alone, in words."""
    own = of_a_method()
    more = [key.removeprefix("arch.") for key in differing(methods) if key not in own]
    if not more:
        return "All other settings are the same."
    return (
        f"Not comparable: the runs differ in more than the method: {', '.join(more)}. Settings that are not named"
        " are the same."
    )

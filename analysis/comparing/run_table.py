"""Runs as columns of one table, and what keeps them from being compared as they stand."""

from collections.abc import Callable, Sequence

from analysis.methods import fingerprints_of_test
from trm.errors import UserError
from trm_lab.commands.tables import counted, duration, percent, table
from trm_lab.puzzles.scorer import SOLVED
from trm_lab.runs.recorded_evaluations import Evaluation, TaskScores
from trm_lab.runs.recorded_run import Run


def comparison(runs: Sequence[Run]) -> str:
    """Return the table of the runs' latest evaluations, one column for each run."""
    rows: list[tuple[str, Callable[[Run], str]]] = [
        ("method", lambda run: run.evaluation.method),
        ("seed", lambda run: str(run.evaluation.seed)),
        ("training steps", lambda run: f"{run.evaluation.step:,}"),
        (
            "training time",
            lambda run: duration(run.training.seconds[run.training.step <= run.evaluation.step].sum()),
        ),
        ("network calls per answer", lambda run: f"{run.evaluation.calls_per_answer:,}"),
        ("answers a second", lambda run: f"{run.evaluation.examples_per_second:,.0f}"),
        ("test examples", lambda run: f"{run.evaluation.examples:,}"),
    ]
    if all(run.evaluation.is_arc for run in runs):
        rows += _arc_rows()
    rows += [_solved_row(runs, place) for place in range(len(shared_tasks(runs)))]
    rows += [
        ("cells right", lambda run: percent(run.evaluation.cell_accuracy[-1])),
        *_baseline_rows(runs, "cells right", "cell_accuracy"),
        ("whole examples right", lambda run: percent(run.evaluation.exact_accuracy[-1])),
        *_baseline_rows(runs, "whole examples right", "exact_accuracy"),
    ]
    cells = [["", *(run.name for run in runs)], *([name, *map(value, runs)] for name, value in rows)]
    return "\n\n".join([table(cells), *differences(runs)])


def _baseline_rows(runs: Sequence[Run], title: str, score: str) -> list[tuple[str, Callable[[Run], str]]]:
    """What needs no learning, as far as a run knows."""

    def share(name: str) -> Callable[[Run], str]:
        return lambda run: (
            percent(getattr(run.evaluation.baselines[name], score))
            if name in run.evaluation.baselines
            else "–"
        )

    names = dict.fromkeys(name for run in runs for name in run.evaluation.baselines)
    return [(f"{title}, {name}", share(name)) for name in names]


def _arc_rows() -> list[tuple[str, Callable[[Run], str]]]:
    return [
        ("pass@1, mean over tasks", lambda run: percent(run.evaluation.arc_scores["ARC/pass@1"])),
        ("pass@2, mean over tasks", lambda run: percent(run.evaluation.arc_scores["ARC/pass@2"])),
        ("outputs right, 1 attempt", lambda run: _outputs_right(run.evaluation, 1)),
        ("outputs right, 2 attempts", lambda run: _outputs_right(run.evaluation, 2)),
        ("votes ranked by", lambda run: run.evaluation.votes_ranked_by),
    ]


def _solved_row(runs: Sequence[Run], place: int) -> tuple[str, Callable[[Run], str]]:
    task = runs[0].evaluation.scored_tasks[place]

    def counts(run: Run) -> str:
        own = run.evaluation.scored_tasks[place]
        return counted(own.solved_per_step[-1], own.examples)

    return f"{SOLVED}, {task.dataset}", counts


def shared_tasks(runs: Sequence[Run]) -> list[TaskScores]:
    """The first run's scored tasks, if all runs have the same, in the same order."""
    judged = [[(task.dataset, task.scorer) for task in run.evaluation.scored_tasks] for run in runs]
    return runs[0].evaluation.scored_tasks if all(one == judged[0] for one in judged) else []


def check_same_datasets(runs: Sequence[Run]) -> None:
    """Refuse to compare runs on different data. Datasets and runs that do not say what they are pass.

    Raises:
        UserError: two runs name different datasets, or different protocols of one.
    """
    named = [run for run in runs if run.evaluation.tasks and all(t.version for t in run.evaluation.tasks)]
    for run in named[1:]:
        if _datasets(run) != _datasets(named[0]):
            raise UserError(
                given=f"{named[0].path} is a run on {_datasets(named[0])}, {run.path} on {_datasets(run)}",
                allowed="runs evaluated on the same dataset, split by the same protocol",
                remedy="compare runs on one dataset, or train both with the same data_paths",
            )


def _datasets(run: Run) -> str:
    return " and ".join(f"{task.dataset} (protocol {task.protocol})" for task in run.evaluation.tasks)


def _outputs_right(scores: Evaluation, attempts: int) -> str:
    return counted(scores.counts[f"outputs_correct@{attempts}"], scores.counts["outputs"])


def differences(runs: Sequence[Run], beside_seeds: bool = False) -> list[str]:
    """Return what keeps the runs from being compared as they stand: other test examples, seeds or lengths.

    beside_seeds: methods are compared over seeds, so that these may differ.
    """
    compared: dict[str, Callable[[Run], object]] = {
        "test examples": lambda run: (run.evaluation.examples, run.evaluation.counts.get("outputs")),
        "scores of copying the input, so other test data": lambda run: run.evaluation.copy_cell,
        "fingerprints of the test data": lambda run: fingerprints_of_test(run) or None,
        "versions of the dataset": lambda run: [task.version for task in run.evaluation.tasks] or None,
        "settings of the dataset": lambda run: [task.facts for task in run.evaluation.tasks] or None,
        **({} if beside_seeds else {"seeds": lambda run: run.evaluation.seed}),
        "numbers of training steps": lambda run: run.evaluation.step,
        "global batch sizes": lambda run: run.config.get("global_batch_size"),
    }
    found = [name for name, value in compared.items() if _differ([value(run) for run in runs])]
    return [f"Not like for like: the runs have different {'; different '.join(found)}."] if found else []


def _differ(values: Sequence[object]) -> bool:
    """Whether two values differ of those that are known."""
    known = [value for value in values if value is not None]
    return any(value != known[0] for value in known)

"""Runs side by side: `python -m analysis.compare <run> <run> ...` prints a table and draws a figure.

The figure shows accuracy against network calls, the common currency of TRM and DIS. Runs on different datasets, or on
one dataset split by different protocols, are not compared.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

from analysis import style
from analysis.reading.evaluations import Evaluation, TaskScores
from analysis.reading.run_directory import Run, read_run
from trm.command_line import CommandLine, run_command
from trm.errors import UserError
from trm.evaluation.scorers.base import SOLVED
from trm.evaluation.table import counted, duration, percent, table


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
    rows += [_solved_row(runs, place) for place in range(len(_shared_tasks(runs)))]
    rows += [
        ("cells right", lambda run: percent(run.evaluation.cell_accuracy[-1])),
        ("cells right, copying the input", lambda run: percent(run.evaluation.copy_cell)),
        ("whole examples right", lambda run: percent(run.evaluation.exact_accuracy[-1])),
        ("whole examples right, copying", lambda run: percent(run.evaluation.copy_exact)),
    ]
    cells = [["", *(run.name for run in runs)], *([name, *map(value, runs)] for name, value in rows)]
    return "\n\n".join([table(cells), *differences(runs)])


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


def _shared_tasks(runs: Sequence[Run]) -> list[TaskScores]:
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


def differences(runs: Sequence[Run]) -> list[str]:
    """Return what keeps the runs from being compared as they stand: other test examples, seeds or lengths."""
    compared: dict[str, Callable[[Run], object]] = {
        "test examples": lambda run: (run.evaluation.examples, run.evaluation.counts.get("outputs")),
        "scores of copying the input, so other test data": lambda run: run.evaluation.copy_cell,
        "versions of the dataset": lambda run: [task.version for task in run.evaluation.tasks] or None,
        "settings of the dataset": lambda run: [task.facts for task in run.evaluation.tasks] or None,
        "seeds": lambda run: run.evaluation.seed,
        "numbers of training steps": lambda run: run.evaluation.step,
        "global batch sizes": lambda run: run.config.get("global_batch_size"),
    }
    found = [name for name, value in compared.items() if _differ([value(run) for run in runs])]
    return [f"Not like for like: the runs have different {'; different '.join(found)}."] if found else []


def _differ(values: Sequence[object]) -> bool:
    """Whether two values differ of those that are known."""
    known = [value for value in values if value is not None]
    return any(value != known[0] for value in known)


def accuracy_against_calls(runs: Sequence[Run]) -> Figure:
    """Draw what is right after each supervision step against the network calls made until then.

    Cells and whole examples, and a panel for each dataset that all runs were scored on by its own scorer.
    """
    tasks = _shared_tasks(runs)
    with style.applied():
        fig = Figure(figsize=(4.8 * (2 + len(tasks)), 3.7), layout="constrained")
        cells, exact, *solved = fig.subplots(1, 2 + len(tasks))
        _draw_panel(cells, runs, "Test: cells right", lambda scores: scores.cell_accuracy)
        _draw_copied(cells, [run.evaluation.copy_cell for run in runs])
        _draw_panel(exact, runs, "Test: whole examples right", lambda scores: scores.exact_accuracy)
        _draw_copied(exact, [run.evaluation.copy_exact for run in runs])
        for place, axes in enumerate(solved):
            title = f"Test: {SOLVED}, {tasks[place].dataset}"
            _draw_panel(axes, runs, title, partial(_solved_shares, place=place))
        for axes in (exact, *solved):
            style.from_zero(axes)
        handles, labels = cells.get_legend_handles_labels()
        fig.legend(handles, labels, loc="outside lower center", ncols=min(3, len(labels)))
        fig.suptitle("Accuracy after each supervision step, by the network calls spent", x=0.01, ha="left")
    return fig


def _solved_shares(scores: Evaluation, place: int) -> list[float]:
    return scores.scored_tasks[place].solved_shares


def _draw_panel(
    axes: Axes, runs: Sequence[Run], title: str, shares: Callable[[Evaluation], list[float]]
) -> None:
    axes.set_title(title)
    for index, run in enumerate(runs):
        last = run.evaluation
        look = index % len(style.LINE_COLOURS)
        axes.plot(
            last.network_calls, shares(last), color=style.LINE_COLOURS[look], marker=style.LINE_MARKERS[look],
            label=f"{run.name} ({last.method}, seed {last.seed}, step {last.step:,})",
        )  # fmt: skip
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("network calls (log scale)")
    style.shares_as_percent(axes)


def _draw_copied(axes: Axes, shares: Sequence[float]) -> None:
    for index, copied in enumerate(sorted(set(shares))):
        axes.axhline(copied, label="" if index else "copy the input", **style.BASELINE)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Raises:
        UserError: a run cannot be read, there is only one, or they are of different datasets.
    """
    assert __doc__ is not None
    example = "  python -m analysis.compare runs/arc_mini_dis runs/arc_mini_trm"
    parser = CommandLine("python -m analysis.compare", __doc__, example)
    parser.add_argument("runs", type=Path, nargs="+", metavar="run", help="run directories, two or more")
    parser.add_argument(
        "--figures-dir", type=Path, help="where the figure goes (default: <first run>/figures)"
    )
    options = parser.parse(arguments)
    if len(options.runs) < 2:
        raise UserError(
            f"one run to compare: {options.runs[0]}",
            "two or more run directories",
            f"name another run, or use: python -m analysis.summary {options.runs[0]}",
        )
    runs = [read_run(path) for path in options.runs]
    check_same_datasets(runs)
    print(comparison(runs), end="\n\n")
    folder = options.figures_dir or options.runs[0] / "figures"
    for path in style.save(accuracy_against_calls(runs), folder / "accuracy_against_network_calls"):
        print(path)


if __name__ == "__main__":
    run_command(main, interrupted="interrupted")

"""Runs side by side: `python -m analysis.compare <run> <run> ...` prints a table and draws a figure.

The figure shows accuracy against network calls, the common currency of TRM and DIS.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

from analysis import style
from analysis.run_directory import Evaluation, Run, read_run
from trm.command_line import CommandLine, run_command
from trm.errors import UserError
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


def _outputs_right(scores: Evaluation, attempts: int) -> str:
    return counted(scores.counts[f"outputs_correct@{attempts}"], scores.counts["outputs"])


def differences(runs: Sequence[Run]) -> list[str]:
    """Return what keeps the runs from being compared as they stand: other test examples, seeds or lengths."""
    compared: dict[str, Callable[[Run], object]] = {
        "test examples": lambda run: (run.evaluation.examples, run.evaluation.counts.get("outputs")),
        "scores of copying the input, so other test data": lambda run: run.evaluation.copy_cell,
        "seeds": lambda run: run.evaluation.seed,
        "numbers of training steps": lambda run: run.evaluation.step,
        "global batch sizes": lambda run: run.config.get("global_batch_size"),
    }
    found = [name for name, value in compared.items() if len({value(run) for run in runs}) > 1]
    return [f"Not like for like: the runs have different {'; different '.join(found)}."] if found else []


def accuracy_against_calls(runs: Sequence[Run]) -> Figure:
    """Draw cell and exact accuracy after each supervision step against the network calls made until then."""
    with style.applied():
        fig = Figure(figsize=(9.6, 3.7), layout="constrained")
        cells, exact = fig.subplots(1, 2)
        _draw_panel(cells, runs, "Test: cells right", lambda scores: (scores.cell_accuracy, scores.copy_cell))
        _draw_panel(
            exact,
            runs,
            "Test: whole examples right",
            lambda scores: (scores.exact_accuracy, scores.copy_exact),
        )
        style.from_zero(exact)
        handles, labels = cells.get_legend_handles_labels()
        fig.legend(handles, labels, loc="outside lower center", ncols=min(3, len(labels)))
        fig.suptitle("Accuracy after each supervision step, by the network calls spent", x=0.01, ha="left")
    return fig


def _draw_panel(
    axes: Axes, runs: Sequence[Run], title: str, score: Callable[[Evaluation], tuple[list[float], float]]
) -> None:
    axes.set_title(title)
    for index, run in enumerate(runs):
        last = run.evaluation
        look = index % len(style.LINE_COLOURS)
        colour = style.LINE_COLOURS[look]
        label = f"{run.name} ({last.method}, seed {last.seed}, step {last.step:,})"
        axes.plot(
            last.network_calls, score(last)[0], color=colour, marker=style.LINE_MARKERS[look], label=label
        )
    for index, copied in enumerate(sorted({score(run.evaluation)[1] for run in runs})):
        axes.axhline(copied, label="" if index else "copy the input", **style.BASELINE)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("network calls (log scale)")
    style.shares_as_percent(axes)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Raises:
        UserError: a run cannot be read, or there is only one.
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
            f"name another run, or use: python -m analysis.report {options.runs[0]}",
        )
    runs = [read_run(path) for path in options.runs]
    print(comparison(runs), end="\n\n")
    folder = options.figures_dir or options.runs[0] / "figures"
    for path in style.save(accuracy_against_calls(runs), folder / "accuracy_against_network_calls"):
        print(path)


if __name__ == "__main__":
    run_command(main)

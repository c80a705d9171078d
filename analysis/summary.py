"""One run in short: `python -m analysis.summary <run>` prints its scores and writes its figures.

Reads the run directory only, so it can be made on another machine and long after training.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

if not __package__:  # run by its path: our modules are found from the folder above, not from this one
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from analysis import style
from analysis.choosing import can_be_drawn
from analysis.learning_curves import learning_curves
from analysis.outputs import check_figures_folder
from analysis.strips import strips_of_samples
from trm.randomness import numpy_generator
from trm_lab.commands.command_line import CommandLine, local_path, run_command
from trm_lab.commands.tables import counted, duration, percent, share_range, table
from trm_lab.intervals import bootstrap_interval
from trm_lab.puzzles.scorer import SOLVED
from trm_lab.runs.arc_outputs import task_shares
from trm_lab.runs.recorded_evaluations import Evaluation, TaskScores
from trm_lab.runs.recorded_run import Run, read_run

NOT_MEASURED = "–"


def summary(run: Run) -> str:
    """Return the summary as text: what ran, the scores beside those that need no learning, each step."""
    parts = [_heading(run), _scores(run), _notes(run), _steps(run.evaluation)]
    return "\n\n".join(part for part in parts if part)


def write_figures(run: Run, folder: Path) -> list[Path]:
    """Draw the learning curves and, where predictions were stored that can be drawn, the strips; return the paths."""
    written = style.save(learning_curves(run), folder / "learning_curves")
    if run.samples is None:
        return written
    if run.evaluation.is_arc or can_be_drawn(run):
        name = "arc_strips" if run.evaluation.is_arc else "puzzle_strips"
        written += style.save(strips_of_samples(run, run.samples), folder / name)
    return written


def _heading(run: Run) -> str:
    last, training = run.evaluation, run.training
    rows = [
        *(("dataset", task.title_with_fingerprint) for task in last.tasks),
        ("method", last.method),
        ("seed", str(last.seed)),
        ("training", _training_line(run) if len(training.step) else "no training record"),
        (
            "evaluation",
            f"after step {last.step:,}: {last.examples:,} examples, {last.examples_per_second:,.0f} a second",
        ),
        (
            "network calls",
            f"{last.calls_per_answer:,} per answer, {last.network_calls[0]} per supervision step",
        ),
    ]
    width = max(len(name) for name, _ in rows)
    return "\n".join([run.name, *(f"  {name.ljust(width)}  {value}" for name, value in rows)])


def _training_line(run: Run) -> str:
    training = run.training
    seconds = training.seconds.sum()
    timed = ~np.isnan(training.examples_per_second)
    told = f"{training.step[-1]:,} steps in {duration(seconds)}"
    if not timed.any():
        return told
    speed = np.average(training.examples_per_second[timed], weights=training.seconds[timed])
    return f"{told}, {speed:,.0f} examples a second"


def _scores(run: Run) -> str:
    last = run.evaluation
    baselines = last.baselines
    rows: list[Sequence[str]] = [("", "model", *baselines)]
    nothing = [NOT_MEASURED] * len(last.training_baselines)
    if last.is_arc:
        rows += [(*_pass_row(run, attempts), *nothing) for attempts in (1, 2)]
        rows += [(*_outputs_row(last, attempts), *nothing) for attempts in (1, 2)]
    for task in last.scored_tasks:
        rows += _verdict_rows(task, _prefix(last, task), list(baselines))
    cells = (percent(one.cell_accuracy) for one in baselines.values())
    whole = (percent(one.exact_accuracy) for one in baselines.values())
    rows += [
        ("cells right", percent(last.cell_accuracy[-1]), *cells),
        ("whole examples right", percent(last.exact_accuracy[-1]), *whole),
    ]
    best = last.best_exact_match
    if best is None:
        return table(rows, indent="  ")
    beside = {"": "best possible", "whole examples right": percent(best)}
    return table([(*row, beside.get(row[0], "")) for row in rows], indent="  ")


def _verdict_rows(task: TaskScores, prefix: str, baselines: Sequence[str]) -> list[Sequence[str]]:
    """How many answers got each verdict of the dataset's scorer, "solved" first."""
    rows: list[Sequence[str]] = []
    for name in sorted(task.verdicts, key=lambda name: name != SOLVED):
        beside = (task.baseline_share(baseline, name) for baseline in baselines)
        shares = (NOT_MEASURED if share is None else percent(share) for share in beside)
        rows.append((prefix + name.replace("_", " "), counted(task.verdicts[name], task.examples), *shares))
    return rows


def _prefix(last: Evaluation, task: TaskScores) -> str:
    """What tells the tasks of several datasets apart."""
    return f"{task.dataset}: " if len(last.scored_tasks) > 1 else ""


def _pass_row(run: Run, attempts: int) -> tuple[str, str, str]:
    last = run.evaluation
    name = f"ARC/pass@{attempts}"
    score = percent(last.arc_scores[name])
    shares = task_shares(run.outputs, attempts)
    if shares:
        rng = numpy_generator(0, "bootstrap over tasks", attempts)
        score += f" {share_range(*(bootstrap_interval(shares, rng) or (None, None)))}"
    copied = last.copy_arc_scores.get(name)
    tasks = last.counts["tasks"]
    return (
        f"pass@{attempts}, mean of {tasks} tasks",
        score,
        NOT_MEASURED if copied is None else percent(copied),
    )


def _outputs_row(last: Evaluation, attempts: int) -> tuple[str, str, str]:
    name = "outputs right, 1 attempt" if attempts == 1 else f"outputs right, {attempts} attempts (ARC Prize)"
    count = f"outputs_correct@{attempts}"
    copied = last.copy_counts.get(count)
    return (
        name,
        counted(last.counts[count], last.counts["outputs"]),
        NOT_MEASURED if copied is None else str(copied),
    )


def _notes(run: Run) -> str:
    last = run.evaluation
    if last.is_arc:
        of_means = ", bootstrap over tasks for means of tasks" if run.outputs else ""
        return (
            f"  Votes ranked by {last.votes_ranked_by}. One evaluation, one checkpoint, one seed.\n"
            f"  95 % intervals: Wilson for outputs{of_means}.\n"
            "  Examples are test inputs with their augmentations."
        )
    notes = []
    if last.scored_tasks:
        notes.append("  Verdicts of the dataset's own scorer. One evaluation, one checkpoint, one seed.")
        notes.append("  95 % intervals: Wilson.")
    if last.best_exact_match is not None:
        notes.append(
            "  Best possible: what to expect of the best guesser, as only one of several right answers is asked for."
        )
    return "\n".join(notes)


def _steps(last: Evaluation) -> str:
    rows = [("supervision step", "network calls", "cells right", "whole examples right")]
    per_step = zip(last.network_calls, last.cell_accuracy, last.exact_accuracy, strict=True)
    rows += [
        (str(step), f"{calls:,}", percent(cells), percent(whole))
        for step, (calls, cells, whole) in enumerate(per_step, start=1)
    ]
    columns = list(zip(*rows, strict=True))
    for task in last.scored_tasks:
        columns.append((f"{_prefix(last, task)}{SOLVED}", *map(percent, task.solved_shares)))
    return table(list(zip(*columns, strict=True)), indent="  ")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Raises:
        UserError: the run cannot be read.
    """
    parser = CommandLine(
        "python -m analysis.summary", __doc__, "  python -m analysis.summary runs/arc_mini_dis"
    )
    parser.add_argument("run", type=local_path, help="a run directory")
    parser.add_argument(
        "--figures-dir", type=local_path, help="where the figures go (default: <run>/figures)"
    )
    options = parser.parse(arguments)
    folder = options.figures_dir or options.run / "figures"
    check_figures_folder(folder)
    run = read_run(options.run)
    print(summary(run), end="\n\n")
    for remark in run.remarks:
        print(f"left out: {remark}")
    for path in write_figures(run, folder):
        print(path)


if __name__ == "__main__":
    run_command(main, interrupted="interrupted")

"""One run in short: prints its scores and writes its figures.

Reads the run directory only, so it can be made on another machine and long after training.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

if not __package__:  # run by its path: our modules are found from the folder above, not from this one
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from analysis import style
from analysis.category_bars import category_bars
from analysis.choosing import can_be_drawn
from analysis.learning_curves import learning_curves
from analysis.methods import run_title
from analysis.outputs import check_figures_folder
from analysis.scores import run_facts, scores_table, steps_table
from analysis.strips import strips_of_samples
from analysis.tables import Table
from trm_lab.commands.command_line import CommandLine, local_path, run_command
from trm_lab.evaluation.shown_steps import curve_summary, shown_steps
from trm_lab.runs.recorded_evaluations import Evaluation
from trm_lab.runs.recorded_run import Run, read_run
from trm_lab.runs.young_average import score_remark


def summary(run: Run) -> str:
    """The summary as text: what ran, the scores beside those that need no learning, each step."""
    last = run.evaluation
    facts = "\n".join(f"  {name.ljust(15)}  {value}" for name, value in run_facts(run, last))
    scores, remark = scores_table(last, run.outputs), score_remark(run.config, last.step)
    scores = replace(scores, notes=[*scores.notes, *filter(None, [remark])])
    return "\n\n".join([f"{run.name}\n{facts}", scores.text(), _steps(last).text()])


def _steps(evaluation: Evaluation) -> Table:
    """Each supervision step, or of many a dozen."""
    table, per_step = steps_table(evaluation), vars(evaluation)
    rows = [table.rows[step - 1] for step in shown_steps(per_step)]
    return replace(table, rows=rows, notes=curve_summary(per_step))


def write_figures(run: Run, folder: Path) -> list[Path]:
    """Draw the learning curves and, where there are any, the scores by category and the strips; return the paths."""
    written = style.save(learning_curves(run), folder / "learning_curves")
    if (bars := category_bars(run.evaluation, run_title(run, run.evaluation))) is not None:
        written += style.save(bars, folder / "by_category")
    if run.samples is None:
        return written
    if run.evaluation.is_arc or can_be_drawn(run):
        name = "arc_strips" if run.evaluation.is_arc else "puzzle_strips"
        written += style.save(strips_of_samples(run, run.samples), folder / name)
    return written


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Raises:
        UserError: the run cannot be read.
    """
    parser = CommandLine("python -m analysis.summary", __doc__, "  python -m analysis.summary runs/arc_mini_dis")
    parser.add_argument("run", type=local_path, help="a run directory")
    parser.add_argument("--figures-dir", type=local_path, help="where the figures go (default: <run>/figures)")
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

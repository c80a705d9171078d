"""Accuracy against cost, the forward-pass-efficiency ablation: writes tables and figures of many runs.

Groups the runs by data and by method (what differs besides the seed) and lays accuracy beside network calls, calls that
carry gradient, FLOP and, of runs on GPUs, wall-clock and energy; of training and of an answer.
"""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run by its path: our modules are found from the folder above, not from this one
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from analysis import style
from analysis.comparing.ablation import Ablation, ablation
from analysis.comparing.ablation_figures import answer_column, answer_figure, training_column, training_figure
from analysis.comparing.ablation_tables import tables
from analysis.comparing.comparability import by_dataset
from analysis.outputs import TABLE, add_runs_and_figures_dir, marked, runs_and_figures_dir, write_marked
from trm_lab.commands.command_line import CommandLine, number, run_command
from trm_lab.runs.many_runs import ManyRuns

EXAMPLE = """\
  python -m analysis.efficiency runs/efficiency_nqueens-* --target-accuracy 0.6"""


def written(ablations: Sequence[Ablation], read: ManyRuns) -> tuple[str, str]:
    """The tables of every dataset as Markdown and as LaTeX."""
    markdown, latex = ["# Efficiency"], []
    for study in ablations:
        of_study = tables(study)
        markdown += [f"## {study.dataset}", *(table.markdown() for table in of_study), _listed(study.remarks)]
        latex += [table.latex() for table in of_study]
    left_out = _listed(read.remarks())
    markdown += ["## Left out", left_out] if left_out else []
    texts = "\n\n".join(filter(None, markdown)) + "\n", "\n\n".join(latex) + "\n"
    return marked(texts[0], ".md", TABLE), marked(texts[1], ".tex", TABLE)


def _listed(remarks: Sequence[str]) -> str:
    return "\n".join(f"- {remark}" for remark in remarks)


def write_figures(study: Ablation, folder: Path) -> list[Path]:
    """Training and inference cost, each a page and a column wide; return the paths."""
    figures = {
        "training_cost": training_figure(study),
        "training_cost_column": training_column(study),
        "inference_cost": answer_figure(study),
        "inference_cost_column": answer_column(study),
    }
    return [path for name, fig in figures.items() for path in style.save(fig, folder / name)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Raises:
        UserError: no run can be read, or one has no such metric.
    """
    parser = CommandLine("python -m analysis.efficiency", __doc__, EXAMPLE)
    add_runs_and_figures_dir(parser)
    parser.add_argument("--metric", help="exact, cell, solved, ARC/pass@2 … (default: what counts for the data)")
    parser.add_argument(
        "--target-accuracy", type=number(0, 1), default=0.9, help="what is to be reached (default: 0.9)"
    )
    options = parser.parse(arguments)
    read, folder = runs_and_figures_dir(options)
    studies = [
        ablation(runs, dataset, options.metric, options.target_accuracy)
        for dataset, runs in by_dataset(read.runs).items()
    ]
    markdown, latex = written(studies, read)
    write_marked(folder / "efficiency.md", markdown, TABLE, "--figures-dir")
    write_marked(folder / "efficiency.tex", latex, TABLE, "--figures-dir")
    print(markdown)
    paths = [folder / "efficiency.md", folder / "efficiency.tex"]
    for study in studies:
        paths += write_figures(study, folder if len(studies) == 1 else folder / _file_name(study.dataset))
    print("\n".join(map(str, paths)))


def _file_name(dataset: str) -> str:
    return re.sub(r"[^A-Za-z0-9-]+", "_", dataset).strip("_") or "data"


if __name__ == "__main__":
    run_command(main, interrupted="interrupted")

"""One page for a run: writes an index.html that needs no server and no network.

What ran, its scores, its curves, and a browser of its puzzles with a slider over the supervision steps.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

if not __package__:  # run by its path: our modules are found from the folder above analysis/
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from analysis.comparing.panels import COLUMN
from analysis.comparing.panels import PAGE as PAGE_WIDE
from analysis.methods import flat, run_title
from analysis.outputs import PAGE, check_file, write_marked
from analysis.page.curves import images, step_figures, training_figures
from analysis.page.document import document
from analysis.page.examples import USUAL, browser_data
from analysis.page.subject import subject_of
from analysis.scores import pairs_table, run_facts, scores_table, steps_table
from analysis.tables import Table
from trm_lab.commands.command_line import COUNT, CommandLine, local_path, run_command
from trm_lab.runs.recorded_run import Run, read_run

WIDTHS = (PAGE_WIDE, COLUMN)  # of figures, for usual windows and narrow ones


def page(run: Run, evaluation_name: str | None = None, most: int = USUAL) -> str:
    """The HTML of a run's page.

    evaluation_name: see `subject_of`; its scores and answers are shown.  most: examples to look at.

    Raises:
        UserError: there is no such evaluation, or its answers are damaged.
    """
    subject = subject_of(run, evaluation_name)
    evaluation, scored = subject.evaluation, subject.scored
    examples, unshown = (None, []) if subject.answers is None else browser_data(subject.answers, most)
    of_training = evaluation is run.evaluation
    return document(
        title=run_title(run, evaluation),
        subtitle=", ".join([*(task.dataset for task in evaluation.tasks), run.name]),
        facts=run_facts(run, evaluation, scored),
        remarks=[*run.remarks, *subject.remarks, *unshown],
        tables={
            "scores": scores_table(evaluation, run.outputs if of_training else []),
            "steps": steps_table(evaluation, scored),
            "configuration": pairs_table("Configuration", flat(run.config)),
            "provenance": provenance(run),
        },
        curves={
            "training_curves": images(*(training_figures(run, width) for width in WIDTHS)),
            "step_curves": images(*(step_figures(run, evaluation, scored, width) for width in WIDTHS)),
        },
        examples=examples,
    )


def provenance(run: Run) -> Table:
    """Where the run comes from: of several launches the last, and how many there were."""
    launches = run.provenance.get("launches")
    if not isinstance(launches, list) or not launches or not isinstance(launches[-1], Mapping):
        return pairs_table("Provenance", flat(run.provenance))
    last = dict(launches[-1])
    if isinstance(last.get("command"), list):
        last["command"] = " ".join(map(str, last["command"]))
    return pairs_table("Provenance", {"launches": len(launches), **flat(last)})


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Raises:
        UserError: the run cannot be read.
    """
    parser = CommandLine("python -m analysis.page", __doc__, "  python -m analysis.page runs/arc_mini_dis")
    parser.add_argument("run", type=local_path, help="a run directory")
    parser.add_argument("--output", type=local_path, help="the file (default: <run>/figures/index.html)")
    parser.add_argument("--evaluation", metavar="NAME", help="a folder of scored/ or evaluations/ (the newest)")
    parser.add_argument("--most", type=COUNT, default=USUAL, help=f"examples to look at ({USUAL})")
    options = parser.parse(arguments)
    file = options.output or options.run / "figures" / "index.html"
    check_file(file, PAGE, options.run)
    write_marked(file, page(read_run(options.run), options.evaluation, options.most), PAGE)
    print(file)


if __name__ == "__main__":
    run_command(main, interrupted="interrupted")

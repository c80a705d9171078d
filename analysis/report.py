"""Published claims against our runs: writes report.html and report.md.

Our runs on each dataset with their curves; then the published claims (analysis/claims.yaml) with their sources, and
the runs of ours that may stand beside one with intervals, a two-sided test and a verdict. Without runs: claims alone.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

if not __package__:  # run by its path: our modules are found from the folder above, not from this one
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from analysis import style
from analysis.claims.claims import Claim, read_claims
from analysis.claims.comparison import claims_figure, claims_table, comparisons, own_table
from analysis.claims.page import Part, page
from analysis.comparing import panels
from analysis.comparing.comparability import at_same_updates, by_dataset, other_settings
from analysis.comparing.curves import learning_figure
from analysis.comparing.pairwise_tests import in_full, pair_tests, tests_table, untested
from analysis.methods import group
from analysis.metrics import metric_for
from analysis.outputs import REPORT, check_figures_folder, write_marked
from trm_lab.commands.command_line import CommandLine, local_path, run_command
from trm_lab.runs.many_runs import ManyRuns, read_runs
from trm_lab.runs.recorded_run import Run

TITLE = "Our runs, and published results"


@dataclass(frozen=True)
class Report:
    """parts: tables and figures in their order.  remarks: what was left out."""

    parts: list[Part]
    remarks: list[str]


def report(read: ManyRuns, claims: Sequence[Claim]) -> Report:
    """Hold the claims against these runs, and lay out the runs by dataset."""
    parts, remarks = [], read.remarks()
    for dataset, runs in by_dataset(read.runs).items():
        part, left_out = _own(runs, claims, dataset)
        parts.append(part)
        remarks += left_out
    rows = comparisons(claims, read.runs)
    bars, narrow = claims_figure(rows), claims_figure(rows, panels.COLUMN)
    parts.append(Part("Published claims", [claims_table(rows)], {"claims": bars}, {"claims_column": narrow}))
    return Report(parts, remarks)


def _own(runs: Sequence[Run], claims: Sequence[Claim], dataset: str) -> tuple[Part, list[str]]:
    methods, remarks = group(runs)
    methods, unfinished = at_same_updates(methods)
    metric = metric_for([one for method in methods for one in method.evaluations])
    own = own_table(methods, metric, claims)
    unalike = [*unfinished, *untested(methods), *([other_settings(methods)] if len(methods) > 1 else [])]
    tables = [replace(own, notes=[*own.notes, *in_full(methods), *remarks, *unalike])]
    tests = pair_tests(methods, metric)
    if any(test.difference.p_two_sided is not None for test in tests):
        tables.append(tests_table(tests, f"Differences in {metric.title}"))
    curves, narrow = (
        learning_figure(methods, metric, f"{dataset}: learning", width) for width in (panels.PAGE, panels.COLUMN)
    )
    name = f"learning_{dataset}"
    return Part(dataset, tables, {name: curves}, {f"{name}_column": narrow}), remarks + unfinished


def write(report: Report, folder: Path) -> list[Path]:
    """Write report.html, report.md and the figures beside them; return the paths."""
    paths = []
    for part in report.parts:
        for name, fig in (part.figures | part.columns).items():
            paths += style.save(fig, folder / part.file_name(name), "--output-dir")
    html, markdown = page(TITLE, report.parts, report.remarks, folder)
    for name, text in (("report.html", html), ("report.md", markdown)):
        write_marked(folder / name, text, REPORT, "--output-dir")
        paths.append(folder / name)
    return paths


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Raises:
        UserError: a path is not there or holds no run, or none can be read.
    """
    parser = CommandLine("python -m analysis.report", __doc__, "  python -m analysis.report runs --output-dir report")
    parser.add_argument("runs", type=local_path, nargs="*", metavar="run", help="runs, folders of runs, or patterns")
    parser.add_argument(
        "--output-dir", type=local_path, default=Path("report"), help="where all goes (default: report)"
    )
    options = parser.parse(arguments)
    check_figures_folder(options.output_dir, "--output-dir")
    read = read_runs(options.runs) if options.runs else ManyRuns([], [])
    drawn = report(read, read_claims())
    for path in write(drawn, options.output_dir):
        print(path)
    for line in drawn.remarks:
        print(line)


if __name__ == "__main__":
    run_command(main, interrupted="interrupted")

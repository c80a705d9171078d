"""Which setting matters: runs of every combination of settings as one factorial design; writes a table and a figure.

Finds the settings that vary, checks that every combination was run, and gives the effect of each, their interactions,
and the mean of each combination; of several methods also the best combination of each, chosen on held-out questions.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run by its path: our modules are found from the folder above, not from this one
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from analysis import style
from analysis.comparing import panels
from analysis.comparing.comparability import at_same_updates, check_same_datasets
from analysis.comparing.factorial_design import METHOD, Factorial, best_of_each, factorial, moving_with
from analysis.comparing.factorial_figure import factorial_figure
from analysis.comparing.pairwise_tests import pair_tests, tests_table
from analysis.comparing.question_scores import held_out
from analysis.methods import group
from analysis.metrics import Metric, metric_for
from analysis.outputs import TABLE, add_runs_and_figures_dir, runs_and_figures_dir, write_marked
from analysis.tables import Table, share_over_seeds
from trm.ranges import MOST_STEPS
from trm_lab.commands.command_line import CommandLine, integer, run_command
from trm_lab.commands.tables import percent
from trm_lab.intervals import over_seeds

EXAMPLE = "  python -m analysis.factorial runs/efficiency_nqueens_switches-*"
EFFECTS = (
    "An effect: the mean of all combinations with the first-named value minus the mean of all with the other. ×, an"
    " interaction: half of the difference that one setting makes to the effect of the other. Both are differences of"
    " shares, in points: near 0 or 100 % settings cannot add up, which looks like an interaction."
)


def tables(study: Factorial, metric: Metric, as_trained: bool = True) -> list[Table]:
    """The combinations, the effects, and the best of each method where there are several and a setting beside them.

    as_trained: with as many steps as in training; else no combination is chosen as the best.
    """
    drawn = [_cells(study, metric)]
    if study.effects:
        effects = tests_table(study.effects, f"Effects on {metric.title}")
        drawn.append(Table(effects.title, ["effect", *effects.header[1:]], effects.rows, [EFFECTS, *effects.notes]))
    has_settings = METHOD in study.factors and len(study.factors) > 1
    return drawn + (_best(study, metric) if has_settings and as_trained else [])


def _cells(study: Factorial, metric: Metric) -> Table:
    rows = [
        [*levels, share_over_seeds(over_seeds([metric.of(one) for one in evaluations]))]
        for levels, evaluations in study.evaluations.items()
    ]
    notes = [f"Intervals: 95 %, Student's t over n seeds. After {next(iter(study.cells.values())).step:,} updates."]
    notes += [
        f"{name} cannot be told apart from what varies with it in these runs: {', '.join(keys)}."
        for name, keys in moving_with(study).items()
    ]
    return Table("Every combination", [*study.factors, metric.title], rows, notes)


def _best(study: Factorial, metric: Metric) -> list[Table]:
    """The best combination of each method, and the tests between these where the test questions did not choose them."""
    methods = list(study.cells.values())
    chosen_by = held_out(methods, metric)
    means = chosen_by or [over_seeds([metric.of(one) for one in method.evaluations]).mean for method in methods]
    best = best_of_each(study, means)
    by_cell = dict(zip(study.cells, means, strict=True))
    rows = [
        [
            *cell,
            percent(by_cell[cell]),
            share_over_seeds(over_seeds([metric.of(e) for e in study.cells[cell].evaluations])),
        ]
        for cell in best
    ]
    note = "Chosen on held-out questions, those of the test left out, by the mean over seeds."
    if not chosen_by:
        note = (
            "Chosen on the test questions themselves, so these scores are too high, and the methods are not tested"
            " against each other. To choose on held-out questions, of every run:"
            f" python evaluate.py {methods[0].runs[0].in_command} --data-path HELD-OUT"
        )
    table = Table("The best of each method", [*study.factors, "chosen by", metric.title], rows, [note])
    tests = pair_tests([study.cells[cell] for cell in best], metric) if chosen_by else []
    return [table, *([tests_table(tests, f"Differences in {metric.title} between these")] if tests else [])]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Raises:
        UserError: no run can be read, they are of different datasets, nothing varies, or a combination was not run.
    """
    parser = CommandLine("python -m analysis.factorial", __doc__, EXAMPLE)
    add_runs_and_figures_dir(parser)
    parser.add_argument("--metric", help="exact, cell, solved, ARC/pass@2 … (default: what counts for the data)")
    parser.add_argument(
        "--steps", type=integer(1, MOST_STEPS), help="of answers of so many supervision steps, from evaluate.py --steps"
    )
    options = parser.parse(arguments)
    read, folder = runs_and_figures_dir(options)
    check_same_datasets(read.runs)
    methods, remarks = group(read.runs)
    methods, unfinished = at_same_updates(methods)
    metric = metric_for([one for method in methods for one in method.evaluations], options.metric)
    study = factorial(methods, metric, options.steps)
    left_out = [f"- {remark}" for remark in [*read.remarks(), *remarks, *unfinished]]
    after = f" after {options.steps} steps" if options.steps else ""
    drawn = [table.markdown() for table in tables(study, metric, as_trained=options.steps is None)]
    text = "\n\n".join([f"# Factorial design{after}", *drawn, *left_out]) + "\n"
    write_marked(folder / "factorial.md", text, TABLE, "--figures-dir")
    print(text)
    paths = [folder / "factorial.md"]
    short = f"Effect of each setting{after}"
    for name, heading, width in (
        ("factorial", f"{short}: {' × '.join(study.factors)}", panels.PAGE),
        ("factorial_column", short, panels.COLUMN),
    ):
        paths += style.save(factorial_figure(study, metric, heading, width), folder / name)
    print("\n".join(map(str, paths)))


if __name__ == "__main__":
    run_command(main, interrupted="interrupted")

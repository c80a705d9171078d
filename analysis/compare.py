"""Compare runs: prints tables and significance tests, and draws figures.

Runs that differ in their seed alone are one method. The figures show learning curves, accuracy after each supervision
step against network calls, the common currency of TRM and DIS, and what evaluate.py found: advantage margins, guidance,
more steps, stopping early. Runs on different datasets, or on one dataset split by other protocols, are not compared.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from matplotlib.figure import Figure

if not __package__:  # run by its path: our modules are found from the folder above, not from this one
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from analysis import style
from analysis.comparing import panels
from analysis.comparing.comparability import at_same_updates, check_same_datasets, differences
from analysis.comparing.curves import hamming, learning_figure, steps_figure
from analysis.comparing.halting_settings import without_held_out
from analysis.comparing.improvement_figure import improvement_figure
from analysis.comparing.not_in_training import not_in_training
from analysis.comparing.pairwise_tests import in_full, methods_table, significance_tests, untested
from analysis.comparing.probe_figures import guidance_figure, halting_figure, scaling_curve, scaling_figure
from analysis.comparing.scored_runs import missing, probed
from analysis.methods import Method, evaluated, group, own_step
from analysis.metrics import EXACT, Metric, metric_for
from analysis.outputs import check_figures_folder
from analysis.scores import comparison
from trm.errors import UserError, shown
from trm_lab.commands.command_line import CommandLine, local_path, run_command
from trm_lab.runs.many_runs import figures_of, read_runs
from trm_lab.runs.recorded_run import Run
from trm_lab.runs.scored_items import has_items
from trm_lab.runs.young_average import score_remark

MOST_COLUMNS = 6  # runs that have a column each in the table
SCALES = "0 0.5 1 1.5 2"


def report(runs: Sequence[Run], methods: Sequence[Method], metric: Metric, unseen: bool = False) -> str:
    """The tables and the tests as text, of the step at which methods are compared; few runs have a column each.

    unseen: tests on the questions that do not stand in training.

    Raises:
        UserError: see `pair_tests`.
    """
    runs = at_the_methods_steps(runs, methods)
    if len(runs) <= MOST_COLUMNS:
        parts = [comparison(runs).text(), *differences(runs, over_seeds=len(methods) < len(runs)), *in_full(methods)]
    else:
        parts = [methods_table(methods, metric), *differences(runs, over_seeds=True)]
    parts += [not_in_training(methods, metric), significance_tests(methods, metric, unseen)]
    parts += ["\n".join(untested(methods))]
    return "\n\n".join(filter(None, parts))


def at_the_methods_steps(runs: Sequence[Run], methods: Sequence[Method]) -> list[Run]:
    """The runs with the evaluation at which their method is compared in place of the latest."""
    steps = {run.path: own_step(run, method.step) for method in methods for run in method.runs}
    of_step = [next((one for one in evaluated(run) if one.step == steps.get(run.path)), run.evaluation) for run in runs]
    return [replace(run, evaluation=one) for run, one in zip(runs, of_step, strict=True)]


def figures(methods: Sequence[Method], metric: Metric, width: float = panels.PAGE) -> dict[str, Figure]:
    """Every figure that the runs have the numbers for, by file name; a column wide all names end in _column."""
    last = methods[0].evaluations[0]
    data = " and ".join(task.dataset for task in last.tasks)
    where = f"{data}: " if data else ""
    margins = probed(methods, lambda one: one.margin is not None)
    guided = probed(methods, lambda one: bool(one.guidance))
    halted = probed(methods, lambda one: bool(one.halting))
    drawn = {
        "compare_learning": learning_figure(methods, metric, f"{where}learning", width),
        "accuracy_against_network_calls": steps_figure(methods, f"{where}after each supervision step", width),
        "compare_improvement": improvement_figure(margins, f"{where}does a step improve the answer?", width),
        "compare_guidance": guidance_figure(guided, f"{where}guidance", width),
        "compare_scaling": scaling_figure(methods, metric, f"{where}more steps", width),
        "compare_halting": halting_figure(halted, f"{where}when answers are right", width),
    }
    ending = "_column" if width <= panels.COLUMN else ""
    return {f"{name}{ending}": fig for name, fig in drawn.items() if fig is not None}


def missing_pieces(methods: Sequence[Method], metric: Metric = EXACT) -> list[str]:
    """What the runs do not hold, and the commands that make it."""
    lines = missing(methods, "scores of each question", "", lambda one: has_items(one.folder), has_items)
    lines += missing(methods, "advantage margins", "--margin", lambda one: one.margin is not None)
    lines += missing(methods, "guidance sweep", f"--guidance {SCALES}", lambda one: bool(one.guidance))
    lines += missing(methods, "stopping early", "", lambda one: bool(one.halting))
    lines += without_held_out(probed(methods, lambda one: bool(one.halting)))
    for method in methods:
        trained = len(method.evaluations[0].network_calls)
        shortest = min(method.runs, key=lambda run: _most_steps(method, run, metric))
        if _most_steps(method, shortest, metric) <= trained:
            more = f"python evaluate.py {shortest.in_command} --steps {4 * trained}"
            lines.append(f"more steps: missing for {method.name}; make it with: {more}")
        if not hamming(method):
            again = f"python evaluate.py {method.runs[0].in_command}"
            lines.append(f"wrong cells after each step: not recorded by {method.name}; make it with: {again}")
    return lines


def _most_steps(method: Method, run: Run, metric: Metric) -> int:
    """Up to how many supervision steps the scores of one of its runs go, where it is compared or at its end."""
    places = (replace(method, runs=[run], step=step) for step in (method.step, run.evaluation.step))
    return max(max(scaling_curve(place, metric)[0], default=0) for place in places)


def weights_remarks(methods: Sequence[Method]) -> list[str]:
    """Averaged weights that are still mostly the first ones; evaluations of chosen weights, which are not shown."""
    runs = [(run, method.step) for method in methods for run in method.runs]
    texts = [text for run, step in runs if (text := score_remark(run.config, step))]
    lines = [f"{texts.count(text)} of {len(runs)} runs: {text}" for text in dict.fromkeys(texts)]
    chosen = [one for run, _ in runs for one in run.scored if one.weights != "auto"]
    if chosen:
        test = f"python evaluate.py --compare {chosen[0].folder} {chosen[-1].folder if chosen[1:] else 'ANOTHER'}"
        lines.append(
            f"not shown: evaluations with --weights raw or ema, {len(chosen)}; to test two: {shown(test, 400)}"
        )
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Raises:
        UserError: no run can be read, there is only one, or they are of different datasets.
    """
    example = "  python -m analysis.compare runs/arc_mini_dis runs/arc_mini_trm"
    parser = CommandLine("python -m analysis.compare", __doc__, example)
    parser.add_argument(
        "runs", type=local_path, nargs="+", metavar="run", help="two runs or more, folders of runs, or patterns"
    )
    parser.add_argument("--metric", help="exact, cell, solved, ARC/pass@2 … (default: what counts for the data)")
    parser.add_argument("--figures-dir", type=local_path, help="where the figures go (default: figures/ of the first)")
    parser.add_argument(
        "--unseen", action="store_true", help="test differences on the questions that do not stand in training"
    )
    options = parser.parse(arguments)
    read = read_runs(options.runs)
    if len(read.runs) < 2:
        raise UserError(
            "; ".join([f"one run to compare: {read.runs[0].path}", *read.remarks()]),
            "two or more run directories",
            f"name another run, or use: python -m analysis.summary {read.runs[0].in_command}",
        )
    check_same_datasets(read.runs)
    methods, remarks = group(read.runs)
    methods, unfinished = at_same_updates(methods)
    metric = metric_for([one for method in methods for one in method.evaluations], options.metric)
    grouped_paths = {run.path for method in methods for run in method.runs}
    compared = [run for run in read.runs if run.path in grouped_paths]
    folder = options.figures_dir or figures_of(options.runs, [run.path for run in read.runs])
    check_figures_folder(folder)
    print(report(compared, methods, metric, options.unseen), end="\n\n")
    for line in [*read.remarks(), *remarks, *unfinished, *weights_remarks(methods), *missing_pieces(methods, metric)]:
        print(line)
    for width in (panels.PAGE, panels.COLUMN):
        for name, fig in figures(methods, metric, width).items():
            print(*style.save(fig, folder / name), sep="\n")


if __name__ == "__main__":
    run_command(main, interrupted="interrupted")

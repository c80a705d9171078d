"""How answers improve, for chosen puzzles: draws the answer after each supervision step.

Below each answer stands how much the step improved each token (the advantage margin), where `evaluate.py --margin` kept
it; else, below the whole answer, how sure the model was of it. Reads the run directory only.
S supervision steps, L tokens.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

if not __package__:  # run by its path: our modules are found from the folder above, not from this one
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from analysis import style
from analysis.choosing import KIND_WORDS, KINDS, Chosen, Judge, choose, picture_for
from analysis.heat import Heat
from analysis.methods import run_title
from analysis.outputs import check_figures_folder
from analysis.sheets import Sheet, Space
from trm.errors import UserError
from trm_lab.commands.command_line import CommandLine, integer, local_path, run_command
from trm_lab.commands.tables import signed
from trm_lab.puzzles.picture import Example, Picture
from trm_lab.runs.recorded_run import Run, Samples, read_run
from trm_lab.runs.stored_answers import StoredAnswers, stored_answers

USUAL, ROWS = 6, 6  # examples by default; on a sheet
MOST_STEPS = 8
MOST = 100  # examples that may be asked for; `analysis.page` shows more
MARGIN_LEGEND = (
    "Colours: the step's advantage margin (at w = 1) at each token, on a square-root scale; below, its mean. "
    "Blue: the step favoured the answer's token; vermilion: it favoured others; grey: not scored."
)
CONFIDENCE_WORDS = {
    "halting_probability": "p(halt)",
    "answer_log_probability": "log p",
    "token_log_probability": "log p",
}


def strips(chosen: Chosen) -> list[Figure]:
    """Draw the chosen examples: a figure for each `ROWS` of them."""
    rows = range(len(chosen.answered))
    return [_sheet(chosen, rows[first : first + ROWS]) for first in range(0, len(rows), ROWS)]


def strips_of_samples(run: Run, samples: Samples) -> Figure:
    """Draw samples of the run's latest evaluation, of its first dataset: half of them solved."""
    source = StoredAnswers(run, "", run.evaluation, None, samples)
    return strips(choose(source, USUAL, halves=True))[0]


def caption(chosen: Chosen) -> list[str]:
    """What the examples are and how they were chosen."""
    source, task = chosen.source, chosen.task
    of_run = f"Run: {source.run.name}."
    examples, solved = (f"{chosen.counts[key]:,}" for key in ("examples", "solved"))
    end = "ends" if solved == "1" else "end"
    if source.evaluation.is_arc:
        what = f"One test input of each of {examples} tasks: the first that ends exactly right, augmentations"
        star = "A star (*) marks an augmentation of the test input."
        return [f"{what} included, or else the first; {solved} {end} right. {star}", chosen.rule, of_run]
    by = "by its scorer" if Judge(task).by_scorer else "equal to the answer shown"
    title = f"{task.title}: " if task is not None else ""
    first = "" if source.all_kept else "the first "
    return [f"{title}{first}{examples} test examples, {solved} {end} solved ({by}).", chosen.rule, of_run]


def example_name(name: str) -> str:
    """Label of an example; of ARC the task, with a star where the example is an augmentation of it."""
    task, augmented, _ = name.partition("|||")
    return f"{task}*" if augmented else task


def example_of(chosen: Chosen, row: int) -> Example:
    """The question and the answer of an example."""
    return Example(chosen.answered.inputs[row], chosen.answered.labels[row])


def _sheet(chosen: Chosen, rows: Sequence[int]) -> Figure:
    answered = chosen.answered
    picture = picture_for(chosen.source, chosen.task)
    steps = style.evenly_chosen(answered.preds.shape[1], MOST_STEPS)
    margin = None if answered.margin is None else answered.margin[:, steps]  # [K, S, L]
    with style.applied():
        sheet = Sheet(
            columns=[picture.question_width, *[picture.answer_width] * (len(steps) + 1)],
            titles=["question", *(f"step {step + 1}" for step in steps), "answer"],
            rows=[_space(picture, chosen, row, steps) for row in rows],
            heading=run_title(chosen.source.run, chosen.source.evaluation),
            caption=[*caption(chosen), picture.legend, *([] if margin is None else [MARGIN_LEGEND])],
            label_lines=1 if margin is not None or answered.confidence is None else 2,
            scale=margin is not None,
        )
        fig, panels = sheet.figure()
        heat = None if margin is None else Heat.over(margin)
        for row, of_row in zip(rows, panels, strict=True):
            question, *predicted, answer = of_row.pictures
            draw_ends(picture, chosen, row, question, answer)
            for axes, step in zip(predicted, steps, strict=True):
                draw_step(picture, chosen, row, step, axes)
            verdict = style.GREEN if chosen.solved[row, -1] else style.VERMILION
            predicted[-1].xaxis.label.set(color=verdict, fontweight="bold")
            for axes, step in zip(of_row.colours, steps, strict=False):
                draw_margin(picture, chosen, row, step, heat, axes)
        if heat is not None:
            heat.draw_scale(sheet.scale_axes(fig))
    return fig


def _space(picture: Picture, chosen: Chosen, row: int, steps: Sequence[int]) -> Space:
    example, predictions = example_of(chosen, row), list(chosen.answered.preds[row, steps])
    colours = 0.0 if chosen.answered.margin is None else picture.colours_height(example)
    return Space(picture.height(example, predictions), colours)


def draw_ends(picture: Picture, chosen: Chosen, row: int, question: Axes, answer: Axes) -> None:
    """Draw the question with its name, and the answer."""
    example = example_of(chosen, row)
    picture.draw_question(question, example)
    picture.draw_answer(answer, example)
    name = example_name(chosen.answered.names[row])
    question.set_ylabel(name, fontsize=8, labelpad=3, parse_math=False)


def draw_step(picture: Picture, chosen: Chosen, row: int, step: int, axes: Axes) -> None:
    """Draw the answer after a step; below it how good it is and, where no margin tells more, how sure the model was."""
    answered, example = chosen.answered, example_of(chosen, row)
    prediction, solved = answered.preds[row, step], bool(chosen.solved[row, step])
    picture.draw_prediction(axes, example, prediction, solved)
    remark = picture.remark(example, prediction, solved)
    if answered.confidence is not None and answered.margin is None:
        sureness = f"{CONFIDENCE_WORDS[chosen.source.confidence_kind]} {answered.confidence[row, step]:.2f}"
        remark += f"\n{sureness.replace('-', '−')}"
    axes.set_xlabel(remark, fontsize=7.5, labelpad=2)


def draw_margin(picture: Picture, chosen: Chosen, row: int, step: int, heat: Heat | None, axes: Axes) -> None:
    """Draw the step's margin at each token, where it was kept, and below it the mean over the scored ones."""
    margin = chosen.answered.margin
    if margin is None or heat is None:
        return
    of_step = margin[row, step]
    picture.draw_colours(axes, example_of(chosen, row), heat.rgb(of_step))
    scored = of_step[~np.isnan(of_step)]
    mean = signed(float(scored.mean()), ".2f") if scored.size else "not scored"
    axes.set_xlabel(mean, fontsize=7.5, labelpad=2)


def add_choice(parser: CommandLine, most: int) -> None:
    """The flags that say which examples are drawn; `most` without another wish."""
    add = parser.add_argument
    add("run", type=local_path, help="a run directory")
    add("--examples", nargs="+", default=[], metavar="NAME", help="names or numbers of examples (default: by a rule)")
    group = parser.add_mutually_exclusive_group()
    for kind in KINDS:
        group.add_argument(f"--{kind}", dest="kind", action="store_const", const=kind, help=f"those {KIND_WORDS[kind]}")
    add("--most", type=integer(1, MOST), default=most, help=f"examples, unless named ({most})")
    add("--dataset", help="of which they are (the first of the run)")
    add("--evaluation", metavar="NAME", help="a folder of scored/ or evaluations/ (the newest with answers)")


def chosen_by(options: argparse.Namespace) -> Chosen:
    """What the flags of `add_choice` ask for.

    Raises:
        UserError: two choices at once, or the run cannot be read or has nothing of that.
    """
    if options.examples and options.kind:
        raise UserError(
            f"--examples {' '.join(options.examples)} with --{options.kind}",
            "examples by name, or by what became of them",
            "give one of the two",
        )
    source = stored_answers(read_run(options.run), options.evaluation)
    return choose(source, options.most, names=options.examples, kind=options.kind, dataset=options.dataset, halves=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Raises:
        UserError: the run cannot be read, or has nothing of what is asked for.
    """
    example = "  python -m analysis.strips runs/arc_mini_dis --fixed-late"
    parser = CommandLine("python -m analysis.strips", __doc__, example)
    add_choice(parser, USUAL)
    parser.add_argument("--output-dir", type=local_path, help="where the figures go (default: <run>/figures)")
    options = parser.parse(arguments)
    folder = options.output_dir or options.run / "figures"
    check_figures_folder(folder, "--output-dir")
    figures = strips(chosen_by(options))
    name = f"strips_{options.kind.replace('-', '_')}" if options.kind else "strips"
    for number, fig in enumerate(figures, start=1):
        suffix = f"_{number}" if len(figures) > 1 else ""
        for path in style.save(fig, folder / (name + suffix), "--output-dir"):
            print(path)


if __name__ == "__main__":
    run_command(main, interrupted="interrupted")

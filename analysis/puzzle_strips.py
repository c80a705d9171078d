"""The figure of how answers to other puzzles than ARC improve: question, the prediction after each step, answer.

Legend: K stored samples, S supervision steps, L tokens.
"""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from analysis import strips, style
from analysis.drawing.pictures import Example
from analysis.drawing.puzzle_pictures import picture_of
from analysis.reading.evaluations import NEEDS_LIBRARY, TaskScores
from analysis.reading.run_directory import Run, Samples
from trm.evaluation.scorers.base import SOLVED
from trm.evaluation.scorers.registry import scorer_of
from trm.puzzles.manifest import About


def can_be_drawn(run: Run) -> bool:
    """Whether the first dataset of the run, which stored samples are of, has a picture."""
    tasks = run.evaluation.tasks
    return bool(tasks) and picture_of(tasks[0].scorer, tasks[0].facts) is not None


def puzzle_strips(run: Run, samples: Samples) -> Figure:
    """Draw the strips of the chosen samples of the run's first dataset, one row for each; see `can_be_drawn`."""
    task = run.evaluation.tasks[0]
    picture = picture_of(task.scorer, task.facts)
    assert picture is not None, task.scorer
    steps = style.evenly_chosen(samples.preds.shape[1], strips.MAX_STEPS)
    solved = solved_samples(task, samples)
    rows = strips.choose_samples(solved[:, -1])
    examples = {row: Example(samples.inputs[row], samples.labels[row]) for row in rows}
    with style.applied():
        fig, grid = strips.Sheet(
            columns=[picture.question_width, *[picture.answer_width] * (len(steps) + 1)],
            rows=[picture.height(examples[row], list(samples.preds[row, steps])) for row in rows],
            steps=[step + 1 for step in steps],
            heading=strips.heading(run),
            caption=[*_caption(task, solved[:, -1], len(rows)), picture.legend],
        ).figure()
        for row, panels in zip(rows, grid, strict=True):
            question, *predicted, answer = panels
            example = examples[row]
            picture.draw_question(question, example)
            picture.draw_answer(answer, example)
            shown = [(samples.preds[row, step], bool(solved[row, step])) for step in steps]
            for axes, (prediction, right) in zip(predicted, shown, strict=True):
                picture.draw_prediction(axes, example, prediction, right)
            remarks = [picture.remark(example, *one) for one in shown]
            strips.label(panels, samples.names[row], remarks, shown[-1][1])
    return fig


def solved_samples(task: TaskScores, samples: Samples) -> NDArray[np.bool_]:
    """Whether the dataset's scorer calls each prediction solved, `[K, S]`, of the samples of this first dataset.

    Where the scorer needs a library, whether the prediction equals the label.
    """
    count = min(len(samples.inputs), task.examples)
    inputs, labels, predictions = samples.inputs[:count], samples.labels[:count], samples.preds[:count]
    if task.scorer == NEEDS_LIBRARY:
        return np.logical_not(samples.wrong_cells()[:count].any(axis=-1))
    scorer = scorer_of(About(task.dataset, task.version, task.protocol, task.scorer, task.facts))
    assert scorer is not None
    by_step = [scorer(inputs, labels, predictions[:, step])[SOLVED] for step in range(predictions.shape[1])]
    return np.stack(by_step, axis=1)


def _caption(task: TaskScores, right: NDArray[np.bool_], shown: int) -> list[str]:
    means = (
        "right: equal to the answer shown" if task.scorer == NEEDS_LIBRARY else "right: solved, by its scorer"
    )
    return [
        f"{task.title}: the first {len(right)} test examples; {int(right.sum())} end right ({means}).",
        f"Shown are {shown} in file order, {strips.CHOICE}",
    ]

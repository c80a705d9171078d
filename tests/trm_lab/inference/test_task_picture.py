"""The picture of an answered task: what it says, what it marks, and that it is the same each time."""

from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from tests.trm_lab.inference.test_grid_drawing import answered, of
from trm_lab.inference.answering import TaskAnswer
from trm_lab.inference.task_picture import MOST_STEPS, picture


def texts(figure: Figure) -> list[str]:
    """Every word of a figure: its own, titles above panels and notes below, line by line."""
    words = [text.get_text() for text in figure.texts]
    words += [word for axes in figure.axes for word in (axes.get_title(), axes.get_xlabel())]
    return [line for word in words for line in word.splitlines()]


def dots(figure: Figure) -> list[Any]:
    """Where wrong cells are marked, of each grid with any."""
    marks = [item for axes in figure.axes for item in axes.collections if isinstance(item, PathCollection)]
    return [offsets.tolist() for mark in marks if len(offsets := np.asarray(mark.get_offsets()))]


def with_steps(answer: TaskAnswer, steps: list[Any]) -> TaskAnswer:
    output = replace(answer.outputs[0], steps=tuple(of(step) for step in steps))
    return replace(answer, outputs=(output,))


def test_it_shows_grids_words_and_the_wrong_cells() -> None:
    no_grid = np.zeros((0, 0), np.uint8).tolist()
    answer = with_steps(answered([[[5, 0]], [[5, 5]]], [[5, 0]]), [no_grid, *[[[5, 0]]] * 30, [[6, 6]]])
    figure = picture(answer, "a task: a checkpoint", ["a remark"])
    words = texts(figure)
    for expected in ("a task: a checkpoint", "a remark", "no grid", "2 of 2 wrong", "right", "6 of 9 votes"):
        assert expected in words
    steps = [word for word in words if word.startswith("after step")]
    assert (len(steps), steps[0], steps[-1]) == (MOST_STEPS, "after step 1", "after step 32")
    assert dots(figure)[-1] == [[1.5, 0.5]]  # of the second attempt

"""The picture of an answered task: what it says, what it marks, and that it is the same each time."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from tests.trm_lab.inference.test_grid_drawing import answered, of
from trm_lab.inference.answering import TaskAnswer
from trm_lab.inference.task_picture import MOST_STEPS, picture, save_picture


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
    answer = with_steps(answered([[[5, 0]], [[5, 5]]], [[5, 0]]), [no_grid, [[7]], [[6, 6]], [[5, 0]]])
    figure = picture(answer, "a task: a checkpoint", ["a remark"])
    words = texts(figure)
    for expected in (
        "a task: a checkpoint",
        "demonstration 1",
        "→",
        "test input",
        "after step 1",
        "a remark",
    ):
        assert expected in words
    verdicts = {"no grid", "right", "2 of 2 wrong", "1 of 2 wrong", "1×1, not 1×2"}
    assert [word for word in words if word in verdicts] == [
        "no grid",
        "1×1, not 1×2",
        "2 of 2 wrong",
        "right",
        "right",
        "1 of 2 wrong",
    ]
    assert {"6 of 9 votes", "3 of 9 votes"} <= set(words)
    assert dots(figure) == [[[0.5, 0.5], [1.5, 0.5]], [[1.5, 0.5]]]


def test_of_many_supervision_steps_some_are_shown_the_first_and_the_last_always() -> None:
    answer = with_steps(answered([[[5]], [[6]]], None), [[[7]]] * 30)
    steps = [word for word in texts(picture(answer, "", [])) if word.startswith("after step")]
    assert len(steps) == MOST_STEPS
    assert (steps[0], steps[-1]) == ("after step 1", "after step 30")


def test_the_same_answer_gives_the_same_file_whatever_its_name(tmp_path: Path) -> None:
    answer = answered([[[5]], [[6]]], [[5]])
    for name in ("one.png", "two.png"):
        save_picture(answer, "$a{task", [], tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()

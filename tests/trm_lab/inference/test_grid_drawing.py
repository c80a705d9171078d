"""The drawing in a terminal: what it shows, what it marks, and that it fits."""

import io
import re
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from trm_lab.inference.answering import Attempt, OutputAnswer, TaskAnswer
from trm_lab.inference.grid_drawing import Pen, colour_depth, drawing
from trm_lab.inference.panels import Panel
from trm_lab.inference.task_puzzles import TaskPuzzles
from trm_lab.puzzles.arc.augmentation import IDENTITY_ROW
from trm_lab.puzzles.arc.colours import ARC_COLOURS, rgb
from trm_lab.puzzles.arc.grids import Grid
from trm_lab.puzzles.arc.sources import Pair, Task
from trm_lab.runs.arc_outputs import OutputRecord

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def of(rows: list[list[int]]) -> Grid:
    return np.array(rows, np.uint8)


def answered(attempts: list[list[list[int]]], right: list[list[int]] | None) -> TaskAnswer:
    """A task of one demonstration and one test input."""
    test = Pair(of([[7]]), None if right is None else of(right))
    one = Task("t", (Pair(of([[1, 2]]), of([[3], [4]])),), (test,))
    record = OutputRecord("t", 0, right is not None, None, 9, 2, 6, 0.5)
    tried = tuple(Attempt(of(grid), votes) for grid, votes in zip(attempts, (6, 3), strict=True))
    output = OutputAnswer(record, tried, (of([[7]]),))
    puzzles = TaskPuzzles(one, IDENTITY_ROW[None], None, "none")
    return TaskAnswer(puzzles, (output,), "halting_probability", 7)


def test_attempts_are_told_right_or_wrong_with_their_votes() -> None:
    shown = drawing(answered([[[5, 5]], [[6]]], [[5, 0]]), 80, "none")
    for expected in ("│5 5×│", "6 of 9 votes", "1 of 2 wrong", "1×1, not 1×2"):
        assert expected in shown
    equal = drawing(answered([[[5]], [[5]]], [[5]]), 80, "none")
    assert "both attempts" in equal
    assert equal.rstrip().endswith("right")
    assert "wrong" not in drawing(answered([[[5]], [[6]]], None), 80, "none")


def test_colours_are_for_terminals_that_have_and_want_them() -> None:
    truecolor = {"TERM": "xterm", "COLORTERM": "truecolor"}
    for stream, environment, depth in (
        (Terminal(), truecolor, "rgb"),
        (Terminal(), {"TERM": "xterm-256color"}, "256"),
        (Terminal(), truecolor | {"NO_COLOR": "1"}, "none"),
        (Terminal(), {"TERM": "dumb"}, "none"),
        (io.StringIO(), truecolor, "none"),
    ):
        assert colour_depth(stream, environment) == depth


def test_cells_have_arc_s_colours_and_wrong_ones_a_mark_that_stands_out() -> None:
    panel = Panel("", of([[1, 4]]), right=of([[1, 3]]))
    line = Pen("rgb", compact=False).block(panel)[2]
    blue, yellow = (";".join(map(str, rgb(ARC_COLOURS[colour]))) for colour in (1, 4))
    assert f"\x1b[48;2;{blue}m  \x1b[48;2;{yellow}m\x1b[38;5;16m××\x1b[0m" in line
    assert ESCAPE.sub("", line).rstrip() == "│  ××│"
    few = Pen("256", compact=False).block(Panel("", of([[0, 5]])))[2]
    assert "\x1b[48;5;16m" in few  # black
    assert "\x1b[48;5;145m" in few  # the grey of (175, 175, 175)


@settings(max_examples=15)
@given(st.integers(40, 200), st.sampled_from(["rgb", "256", "none"]), st.integers(0, 9))
def test_no_line_is_wider_than_the_terminal_and_colours_change_no_place(
    width: int, depth: str, demonstrations: int
) -> None:
    answer = answered([[[5, 5]], [[6]]], [[5, 0]])
    several = replace(answer.task, train=answer.task.train * demonstrations)
    answer = replace(answer, puzzles=replace(answer.puzzles, task=several))
    plain = ESCAPE.sub("", drawing(answer, width, depth))
    assert max(map(len, plain.split("\n"))) <= width
    frames = [
        [line for line in shown.split("\n") if "│" not in line] for shown in (plain, drawing(answer, width, "none"))
    ]
    assert frames[0] == frames[1]

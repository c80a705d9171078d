"""What is shown of an answered task, in a terminal as in a picture: grids, what is wrong with them, and words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trm_lab.inference.answering import TaskAnswer
from trm_lab.puzzles.arc.grids import Grid
from trm_lab.puzzles.arc.sources import Task

RIGHT = "right"


@dataclass(frozen=True)
class Panel:
    """A grid with words around it.

    right: the answer that it is compared with; None where it is no answer, or where none is known.
    note: its votes.
    """

    title: str
    grid: Grid
    right: Grid | None = None
    note: str = ""

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """Cells that differ from the right answer; all False where they cannot be compared cell by cell."""
        if self.right is None or self.right.shape != self.grid.shape:
            return np.zeros(self.grid.shape, bool)
        return self.grid != self.right

    @property
    def verdict(self) -> str:
        """How right it is as an answer; "" where that is not known."""
        if not self.grid.size:
            return "no grid"
        if self.right is None:
            return ""
        if self.right.shape != self.grid.shape:
            ours, theirs = ("×".join(map(str, grid.shape)) for grid in (self.grid, self.right))
            return f"{ours}, not {theirs}"
        return f"{self.wrong.sum()} of {self.grid.size} wrong" if self.wrong.any() else RIGHT


def demonstration_panels(task: Task) -> list[tuple[Panel, Panel]]:
    """Input and output of each demonstration."""
    return [
        (Panel(f"demonstration {number}", pair.input), Panel("", pair.output))
        for number, pair in enumerate(task.train, start=1)
        if pair.output is not None
    ]


def answer_panels(answer: TaskAnswer, index: int, steps: Sequence[int]) -> list[Panel]:
    """The test input, the answer after each of these `steps` (from 1), the attempts, and the right answer if known."""
    test, output = answer.task.test[index], answer.outputs[index]
    title = "test input" if len(answer.outputs) == 1 else f"test input {index + 1}"
    tries = {f"attempt {number}": attempt for number, attempt in enumerate(output.attempts, start=1)}
    first, *others = output.attempts
    if all(np.array_equal(first.grid, other.grid) for other in others):
        tries = {"both attempts": first}
    return [
        Panel(title, test.input),
        *(Panel(f"after step {step}", output.steps[step - 1], test.output) for step in steps),
        *(
            Panel(title, attempt.grid, test.output, f"{attempt.votes} of {output.record.votes} votes")
            for title, attempt in tries.items()
        ),
        *([] if test.output is None else [Panel("right answer", test.output)]),
    ]

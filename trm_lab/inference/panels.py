"""What is shown of an answered task, in a terminal as in a picture: which grids, what is wrong with them, and words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trm_lab.inference.answering import Attempt, OutputAnswer, TaskAnswer
from trm_lab.puzzles.arc.grids import Grid
from trm_lab.puzzles.arc.sources import Task

RIGHT, NO_GRID = "right", "no grid"


@dataclass(frozen=True)
class Panel:
    """A grid with words around it.

    right: the answer that it is held against; None where it is no answer, or where none is known.
    note: of its votes.
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
        """What there is to say of it as an answer."""
        if not self.grid.size:
            return NO_GRID
        if self.right is None:
            return ""
        if self.right.shape != self.grid.shape:
            return f"{shape(self.grid)}, not {shape(self.right)}"
        return f"{self.wrong.sum()} of {self.grid.size} wrong" if self.wrong.any() else RIGHT


def shape(grid: Grid) -> str:
    """Rows × columns."""
    return f"{grid.shape[0]}×{grid.shape[1]}"


def demonstration_panels(task: Task) -> list[tuple[Panel, Panel]]:
    """Input and output of each demonstration."""
    pairs = []
    for number, pair in enumerate(task.train, start=1):
        assert pair.output is not None
        pairs.append((Panel(f"demonstration {number}", pair.input), Panel("", pair.output)))
    return pairs


def answer_panels(answer: TaskAnswer, index: int, steps: Sequence[int]) -> list[Panel]:
    """The test input, the answer after each of these `steps` (from 1), the attempts, and the right answer if known."""
    asked, output = answer.task.test[index], answer.outputs[index]
    after = [Panel(f"after step {step}", output.steps[step - 1], asked.output) for step in steps]
    known = [] if asked.output is None else [Panel("right answer", asked.output)]
    return [
        Panel(_numbered("test input", index, answer), asked.input),
        *after,
        *_attempts(output, asked.output),
        *known,
    ]


def _numbered(words: str, index: int, answer: TaskAnswer) -> str:
    return words if len(answer.outputs) == 1 else f"{words} {index + 1}"


def _attempts(output: OutputAnswer, right: Grid | None) -> list[Panel]:
    first, *others = output.attempts
    if all(np.array_equal(first.grid, other.grid) for other in others):
        return [_attempt("both attempts", first, output, right)]
    return [
        _attempt(f"attempt {number}", one, output, right)
        for number, one in enumerate(output.attempts, start=1)
    ]


def _attempt(title: str, attempt: Attempt, output: OutputAnswer, right: Grid | None) -> Panel:
    return Panel(title, attempt.grid, right, f"{attempt.votes} of {output.record.votes} votes")

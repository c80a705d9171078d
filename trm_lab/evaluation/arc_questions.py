"""The test inputs of the tasks, and which of them a prediction answers.

Legend: E predictions, Q different test inputs, L = C·C tokens of a canvas with side C.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError, shown
from trm_lab.evaluation.grid_hashes import NUMBERS, Fingerprints, Prints
from trm_lab.evaluation.input_hashes import Marks
from trm_lab.puzzles.arc.augmentation import grids_shown, parse_names
from trm_lab.puzzles.arc.grids import Grid, Tokens, as_bytes, parse_grid
from trm_lab.puzzles.loading import EvaluationData

Integers = NDArray[np.intp]

_NONE = -1


@dataclass(frozen=True)
class Output:
    """One test output to score.

    test_index: position among the task's test inputs.  question: number of its input among the different ones.
    answer: the right grid; None where it is unknown.
    """

    task: str
    test_index: int
    question: int
    answer: Grid | None


@dataclass(frozen=True)
class Asked:
    """What predictions answer: questions `[E]`, and the augmentations to undo, transforms `[E]`, colours `[E, 10]`."""

    questions: Integers
    transforms: NDArray[np.uint8]
    colours: NDArray[np.uint8]


class Questions:
    """The different test inputs of each task, numbered from 0; equal ones of a task are one.

    Args:
        identifiers, test_puzzles: see `arc_voting.StepwiseVoting`.
        fingerprints: of the token canvas.

    Raises:
        UserError: a test puzzle holds something that is not a grid.
    """

    def __init__(
        self, identifiers: Sequence[str], test_puzzles: Mapping[str, Any], fingerprints: Fingerprints
    ) -> None:
        self._identifiers, self._fingerprints = identifiers, fingerprints
        self._grids: list[Grid] = []
        self._tasks = {task: number for number, task in enumerate(test_puzzles)}
        first = [0]
        self.outputs: list[Output] = []
        for task, puzzle in test_puzzles.items():
            self._add_task(task, puzzle["test"])
            first.append(len(self._grids))
        self._first = np.array(first)  # task t has the questions [first[t], first[t] + counts[t])
        self._counts = np.append(np.diff(first), 0)  # the last is of tasks that are not there
        self.tasks = tuple(self._tasks)
        self.numbers = np.array([output.question for output in self.outputs], np.intp)  # [outputs]
        self._marks = Marks(fingerprints.canvas)
        self._sums = self._marks.sums(self._grids)  # [Q, 8, 2, V]

    def __len__(self) -> int:
        """Q."""
        return len(self._grids)

    @cached_property
    def answer_prints(self) -> Prints:
        """`[outputs, NUMBERS]`; −1, as of no grid, where the answer is unknown or larger than the canvas."""
        answers = [
            (row, output.answer) for row, output in enumerate(self.outputs) if output.answer is not None
        ]
        fitting = {row: answer for row, answer in answers if max(answer.shape) <= self._fingerprints.canvas}
        prints = np.full((len(self.outputs), NUMBERS), -1)
        prints[list(fitting)] = self._fingerprints.of_grids(list(fitting.values()))
        return prints

    def _add_task(self, task: str, pairs: Sequence[Mapping[str, Any]]) -> None:
        where = f"test_puzzles.json, task {task}"
        numbers: dict[tuple[int, int, bytes], int] = {}
        for index, pair in enumerate(pairs):
            grid = parse_grid(pair["input"], f"{where}, test input", largest=None)
            answer = pair.get("output")
            if answer is not None:
                answer = parse_grid(answer, f"{where}, test output", largest=None)
            number = numbers.setdefault((*grid.shape, grid.tobytes()), len(self._grids))
            if number == len(self._grids):
                self._grids.append(grid)
            self.outputs.append(Output(task, index, number, answer))

    def asked(self, puzzle_identifiers: NDArray[np.integer[Any]], inputs: Tokens) -> Asked:
        """What predictions with these identifiers `[E]` and inputs `[E, L]` answer.

        Raises:
            UserError: an input is no test input of its task, or a puzzle's name no augmentation.
        """
        names = list(map(self._identifiers.__getitem__, puzzle_identifiers.tolist()))
        tasks, transforms, colours = parse_names(names)
        numbers = np.array(list(map(self._tasks.get, tasks, repeat(len(self._tasks)))))
        first, counts = self._first[numbers], self._counts[numbers]
        marks, found = self._marks.of(inputs), np.full(len(names), _NONE)
        for turn in range(counts.max()):
            rows = np.flatnonzero((found == _NONE) & (counts > turn))
            questions = first[rows] + turn
            expected = self._marks.augmented(self._sums[questions, transforms[rows]], colours[rows])
            same = (expected == marks[rows]).all(1)
            found[rows[same]] = questions[same]
        rest = np.flatnonzero(found == _NONE)  # other tokens around the grid, or no test input of its task
        shown = grids_shown(inputs[rest], transforms[rest], colours[rest], self._fingerprints.canvas)
        for row, grid in zip(rest.tolist(), shown, strict=True):
            found[row] = self._find(tasks[row], range(first[row], first[row] + counts[row]), grid)
        return Asked(found, transforms, colours)

    def _find(self, task: str, questions: range, grid: Grid) -> int:
        for question in questions:
            if np.array_equal(self._grids[question], grid):
                return question
        raise UserError(
            f"an example of task {shown(repr(task), 60)} has a {grid.shape[0]}x{grid.shape[1]} input that, mapped "
            f"back, is none of the task's {len(questions)} test inputs in test_puzzles.json",
            "examples of the test split of the dataset whose test_puzzles.json is used",
            "use test_puzzles.json, identifiers.json and the test split of one build of the dataset",
        )


def check_asked(data: EvaluationData) -> None:
    """Check that every example is a test input of its task, where no manifest vouches for it; no answer is needed.

    Raises:
        UserError: one is not, or its puzzle's name is no augmentation, or it has the blank identifier.
    """
    questions: Questions | None = None
    for identifiers, inputs in data.unvouched():
        if questions is None:
            prints = Fingerprints(math.isqrt(data.metadata.seq_len))
            questions = Questions(data.identifiers, data.scored_puzzles, prints)
        if (identifiers == data.metadata.blank_identifier_id).any():
            raise UserError(
                f"{', '.join(map(str, data.paths))}: test examples of the blank identifier, which is no puzzle's",
                "test examples of the tasks in test_puzzles.json",
                "use test_puzzles.json, identifiers.json and the test split of one build of the dataset",
            )
        questions.asked(identifiers, as_bytes(inputs))

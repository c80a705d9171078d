"""The test inputs of ARC tasks, and which of them each prediction answers.

Legend: E predictions, Q different test inputs, L = C·C tokens of a canvas with side C.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError, shown
from trm_lab.evaluation.grid_digests import GridDigests
from trm_lab.puzzles.arc.augmentation import grids_shown, parse_names
from trm_lab.puzzles.arc.grids import CANVAS, Tokens, as_bytes, grid_hash, parse_grid
from trm_lab.puzzles.loading import EvaluationData

_UNKNOWN = -1  # no test input


@dataclass(frozen=True)
class Output:
    """One test output to score.

    test_index: position among the task's test inputs.  question: number of its input among the different ones.
    is_known: whether the right grid is known.  answer: its digest; None where it is unknown or larger than the canvas.
    """

    task: str
    test_index: int
    question: int
    is_known: bool
    answer: bytes | None


@dataclass(frozen=True)
class Recognition:
    """The test inputs that a batch of predictions answers.

    rows: `[E]`, the rows of the batch that are no padding.  questions: `[E]`, the numbers of their test inputs.
    transforms, colours: `[E]` and `[E, 10]`, their augmentations.
    """

    rows: NDArray[np.intp]
    questions: list[int]
    transforms: NDArray[np.uint8]
    colours: NDArray[np.uint8]


class Questions:
    """The different test inputs of each task, numbered from 0; equal ones of a task share a number.

    Args:
        identifiers: puzzle names by puzzle identifier (identifiers.json).
        test_puzzles: task -> {"test": [{"input": grid, "output": grid}, ...]} (test_puzzles.json); an answer that is
            missing or null is unknown.
        canvas: side C of the token canvas.
        blank_identifier: identifier of padding rows.

    Raises:
        UserError: a test puzzle holds something that is not a grid.
    """

    def __init__(
        self,
        identifiers: Sequence[str],
        test_puzzles: Mapping[str, Any],
        canvas: int = CANVAS,
        blank_identifier: int = 0,
    ) -> None:
        self._identifiers, self._blank = identifiers, blank_identifier
        self.digests = GridDigests(canvas)
        self.tasks = tuple(test_puzzles)
        self.outputs: list[Output] = []
        self._numbers: dict[str, dict[bytes, int]] = {}  # task → digest of a test input → its number
        self.count = 0  # Q
        for task, puzzle in test_puzzles.items():
            self._add_task(task, puzzle["test"])

    def _add_task(self, task: str, pairs: Sequence[Mapping[str, Any]]) -> None:
        numbers = self._numbers[task] = {}
        for index, pair in enumerate(pairs):
            question = parse_grid(pair["input"], f"test_puzzles.json, task {task}, test input", largest=None)
            answer = pair.get("output")
            if answer is not None:
                answer = parse_grid(answer, f"test_puzzles.json, task {task}, test output", largest=None)
            larger_than_canvas = grid_hash(question).encode()  # equals no digest: no prediction has this input
            digest = self.digests.of_grid(question) or larger_than_canvas
            number = numbers.setdefault(digest, self.count)
            self.count += number == self.count
            answer_digest = None if answer is None else self.digests.of_grid(answer)
            self.outputs.append(Output(task, index, number, answer is not None, answer_digest))

    def recognise(self, puzzle_identifiers: NDArray[np.integer[Any]], inputs: NDArray[np.integer[Any]]) -> Recognition:
        """Find the test inputs of predictions with these puzzle identifiers and inputs `[…, L]`.

        Raises:
            UserError: an input is no test input of its task, or a puzzle's name no augmentation.
        """
        rows = np.flatnonzero(puzzle_identifiers != self._blank)
        names = [self._identifiers[identifier] for identifier in puzzle_identifiers[rows].tolist()]
        tasks, transforms, colours = parse_names(names)
        tokens = as_bytes(inputs)[rows]
        digests = self.digests.of_sequences(tokens, transforms, colours)
        questions = [
            self._numbers.get(task, {}).get(digest, _UNKNOWN) for task, digest in zip(tasks, digests, strict=True)
        ]
        if _UNKNOWN in questions:
            unknown = questions.index(_UNKNOWN)
            example = slice(unknown, unknown + 1)
            raise self._no_test_input(tasks[unknown], tokens[example], transforms[example], colours[example])
        return Recognition(rows, questions, transforms, colours)

    def _no_test_input(
        self, task: str, tokens: Tokens, transforms: NDArray[np.uint8], colours: NDArray[np.uint8]
    ) -> UserError:
        (grid,) = grids_shown(tokens, transforms, colours, self.digests.canvas)
        return UserError(
            f"an example of task {shown(repr(task), 60)} has a {grid.shape[0]}x{grid.shape[1]} input that, mapped "
            f"back, is none of the task's {len(self._numbers.get(task, {}))} test inputs in test_puzzles.json",
            "examples of the test split of the dataset whose test_puzzles.json is used",
            "use test_puzzles.json, identifiers.json and the test split of one build of the dataset",
        )


def check_test_inputs(data: EvaluationData) -> None:
    """Check that every example is a test input of its task, where no manifest vouches for it; no answer is needed.

    Raises:
        UserError: one is not, or its puzzle's name is no augmentation, or it has the blank identifier.
    """
    questions: Questions | None = None
    for identifiers, inputs in data.unvouched():
        if (identifiers == data.metadata.blank_identifier_id).any():
            raise UserError(
                f"{', '.join(map(str, data.paths))}: test examples of the blank identifier, which is no puzzle's",
                "test examples of the tasks in test_puzzles.json",
                "use test_puzzles.json, identifiers.json and the test split of one build of the dataset",
            )
        questions = questions or questions_of(data)
        questions.recognise(identifiers, inputs)


def questions_of(data: EvaluationData) -> Questions:
    """The test inputs of a dataset's tasks, those that are scored."""
    metadata = data.metadata
    return Questions(data.identifiers, data.scored_puzzles, math.isqrt(metadata.seq_len), metadata.blank_identifier_id)

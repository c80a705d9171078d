"""Answers to one ARC task: a model's predictions for each of its puzzles vote, and every supervision step is kept.

Test outputs never reach the network.

K puzzles of a task, B slots, E examples, L tokens, S supervision steps, T test inputs.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trm.batch import Batch
from trm.randomness import SeededStepRandom, seed_for
from trm.supervision import Supervision
from trm_lab.evaluation import arc_questions
from trm_lab.evaluation.answer_cells import AnswerCells
from trm_lab.evaluation.predictor import check_finite
from trm_lab.evaluation.rollout import SPENT, Rollout, roll_out
from trm_lab.evaluation.search import Search
from trm_lab.evaluation.trajectory import Questions
from trm_lab.evaluation.voting import ArcVoting
from trm_lab.evaluation.wide_rollout import roll_out_widely
from trm_lab.inference.task_puzzles import TaskExamples, TaskPuzzles, lent_rows, without_answers
from trm_lab.puzzles.arc.augmentation import grids_shown
from trm_lab.puzzles.arc.compact_set import CORNER
from trm_lab.puzzles.arc.grids import Grid, crop_all
from trm_lab.puzzles.arc.sources import Task
from trm_lab.puzzles.layout import BLANK
from trm_lab.puzzles.manifest import About
from trm_lab.runs.arc_outputs import OutputRecord

PLAIN = Search()
PURPOSE = "search in all"  # of the draws, as in an evaluation of a set of the usual name
Rows = list[list[int]]
WarmUp = Callable[[], AbstractContextManager[None]]
Over = Callable[[Sequence[int]], Iterable[int]]  # wraps the starts of batches, for a progress bar


class Attempt(NamedTuple):
    """A grid that is submitted, and its votes."""

    grid: Grid
    votes: int


@dataclass(frozen=True)
class OutputAnswer:
    """The answer to one test input.

    record: votes, candidates, and the right answer's rank where it is known.
    attempts: the two best grids; of a single candidate twice the same.
    steps: `[S]` the grid after each supervision step of the task as it is, without augmentation; 0x0 for none.
    """

    record: OutputRecord
    attempts: tuple[Attempt, ...]
    steps: tuple[Grid, ...]


@dataclass(frozen=True)
class TaskAnswer:
    """The answers to a task.

    confidence_kind: what ranks equally many votes, a key of `trm.supervision.CONFIDENCE_KINDS`.
    network_calls: of one prediction, in the mean.
    """

    puzzles: TaskPuzzles
    outputs: tuple[OutputAnswer, ...]
    confidence_kind: str
    network_calls: float

    @property
    def task(self) -> Task:
        """The task."""
        return self.puzzles.task

    def submission(self) -> list[dict[str, Rows]]:
        """The task's part of a submission: for each test input {"attempt_1": grid, "attempt_2": grid}."""
        return [
            {f"attempt_{n}": attempt.grid.tolist() for n, attempt in enumerate(output.attempts, start=1)}
            for output in self.outputs
        ]


class Predictions(NamedTuple):
    """What a model predicts for E examples, on the CPU.

    inputs: `[E, L]` uint8.  labels: `[E, L]` int32.  tokens: `[E, S, L]` uint8, after each supervision step.
    loss, confidence: `[E]` float64, of the last step.  spent: `[E]`, network calls, over all rollouts.
    """

    inputs: NDArray[np.uint8]
    labels: NDArray[np.int32]
    tokens: NDArray[np.uint8]
    loss: NDArray[np.float64]
    confidence: NDArray[np.float64]
    spent: NDArray[np.float64]

    @property
    def network_calls(self) -> float:
        """Of one prediction, in the mean; an int where all take equally many."""
        mean = float(self.spent.mean())
        return int(mean) if mean.is_integer() else mean

    @property
    def last(self) -> NDArray[np.uint8]:
        """`[E, L]`, the tokens after the last supervision step."""
        return self.tokens[:, -1]


def answer_task(
    supervision: Supervision[Any],
    puzzles: TaskPuzzles,
    *,
    canvas: int,
    batch_size: int,
    search: Search = PLAIN,
    seed: int = 0,
    over: Over = iter,
    warm_up: WarmUp = nullcontext,
) -> TaskAnswer:
    """Answer a task by the vote of its puzzles.

    Args:
        supervision: the model, on the device that is to answer.
        canvas: side of the checkpoint's canvas.
        search, seed, over, warm_up: see `predict`.
    """
    task, tests = puzzles.task, len(puzzles.task.test)
    examples = TaskExamples([puzzles], [without_answers(task).test], canvas, CORNER)
    predictions = predict(supervision, examples, batch_size, search=search, seed=seed, over=over, warm_up=warm_up)
    check_finite(predictions.confidence, f"task {task.name}")
    voting = task_voting([puzzles], [task], canvas, supervision.confidence_kind)
    identifiers = 1 + np.arange(len(puzzles)).repeat(tests)
    voting.add(identifiers, predictions.inputs, predictions.last, predictions.confidence)
    result = voting.result()
    grids = _mapped_back(puzzles, predictions.last, canvas)
    outputs = tuple(
        OutputAnswer(
            record,
            tuple(_attempt(rows, grids, _equal_inputs(task, index)) for rows in attempts.values()),
            tuple(crop_all(predictions.tokens[index], canvas)),
        )
        for index, (record, attempts) in enumerate(zip(result.outputs, result.submission[task.name], strict=True))
    )
    return TaskAnswer(puzzles, outputs, supervision.confidence_kind, predictions.network_calls)


class ExampleRows(Protocol):
    """Examples that are answered in batches: `TaskExamples`, or questions of another kind than ARC.

    cells: those that belong to an answer, for its confidence.
    about: what a dataset of such puzzles says of itself; None for ARC.
    """

    @property
    def cells(self) -> AnswerCells: ...

    @property
    def about(self) -> About | None: ...

    def __len__(self) -> int: ...

    def batch(self, examples: NDArray[np.int64]) -> Batch:
        """Examples `[B]` side by side."""
        ...

    def rows(self, examples: NDArray[np.int64]) -> Tensor | None:
        """The embeddings `[B, E]` that the batch's identifiers mean; None: the model's own."""
        ...


def predict(
    supervision: Supervision[Any],
    examples: ExampleRows,
    batch_size: int,
    *,
    search: Search = PLAIN,
    seed: int = 0,
    chosen: NDArray[np.int64] | None = None,
    over: Over = iter,
    warm_up: WarmUp = nullcontext,
) -> Predictions:
    """Roll examples out in evaluation mode.

    All batches have equally many slots, as a compiled model wants; those left over hold the last example again.

    Args:
        search: how widely each answer is searched for.
        seed: of what the rollouts draw.
        chosen: numbers of the examples; None: all.
        over: wraps the starts of the batches.
        warm_up: surrounds a supervision step of the first batch before it is answered, for a stopwatch.
    """
    chosen = np.arange(len(examples)) if chosen is None else chosen
    size = min(batch_size, len(chosen))
    model, device = supervision.model, supervision.model.device
    was_training, parts = model.training, []
    model.eval()
    try:
        for start in over(range(0, len(chosen), size)):
            real = chosen[start : start + size]
            slots = np.pad(real, (0, size - len(real)), mode="edge")
            batch = examples.batch(slots).to(device)
            with lent_rows(model, examples.rows(slots)):
                if start == 0 and warm_up is not nullcontext:
                    with warm_up():
                        _roll_out(supervision, examples, batch, slots, search, seed, 1).predictions.cpu()  # waits
                rollout = _roll_out(supervision, examples, batch, slots, search, seed)
            calls = torch.full((size,), float(rollout.network_calls[-1]), dtype=torch.float64)
            spent, confidence = rollout.probes.get(SPENT, calls), rollout.confidence[:, -1]
            tensors = batch.inputs, batch.labels, rollout.predictions, rollout.loss, confidence, spent
            parts.append([tensor[: len(real)].cpu().numpy() for tensor in tensors])
    finally:
        model.train(was_training)
    inputs, *columns = map(np.concatenate, zip(*parts, strict=True))
    return Predictions(inputs.astype(np.uint8), *columns)


def _roll_out(
    supervision: Supervision[Any],
    examples: ExampleRows,
    batch: Batch,
    numbers: NDArray[np.int64],
    search: Search,
    seed: int,
    most_steps: int | None = None,
) -> Rollout:
    """Roll out the examples of these numbers, `batch` on the device; every answer outside of evaluations is from here.

    most_steps: of a rollout, to warm up.
    """
    if search.is_plain:
        return roll_out(supervision, batch, SeededStepRandom(seed, 0, len(batch)), (), examples.cells, most_steps)
    purpose, vocab_size = seed_for(seed, PURPOSE), supervision.model.shape.vocab_size
    questions = Questions.of(batch, numbers, purpose, examples.cells, examples.about, vocab_size)
    return roll_out_widely(supervision, questions, search, most_steps)


def task_voting(puzzles: Sequence[TaskPuzzles], tasks: Sequence[Task], canvas: int, confidence_kind: str) -> ArcVoting:
    """A vote over several tasks; their puzzles have the identifiers 1, 2, … in their order.

    tasks: the tasks of `puzzles`, with those answers that the votes are to be held against.
    """
    pairs = {task.name: {"test": [_published(input=p.input, output=p.output) for p in task.test]} for task in tasks}
    names = [BLANK, *(name for of_task in puzzles for name in of_task.names)]
    return ArcVoting(arc_questions.Questions(names, pairs, canvas), confidence_kind=confidence_kind)


def _published(**grids: Grid | None) -> dict[str, Rows]:
    """A pair in the published form, without a hidden output."""
    return {name: grid.tolist() for name, grid in grids.items() if grid is not None}


def _mapped_back(puzzles: TaskPuzzles, tokens: NDArray[np.uint8], canvas: int) -> list[list[Grid]]:
    """The grids that predictions `[K·T, L]` show, without their augmentation: `[T][K]`."""
    tests = len(puzzles.task.test)
    transforms, colours = puzzles.augmentations[:, 0], puzzles.augmentations.copy()
    colours[:, 0] = 0  # black stays
    grids = grids_shown(tokens, transforms.repeat(tests), colours.repeat(tests, axis=0), canvas)
    return [grids[index::tests] for index in range(tests)]


def _equal_inputs(task: Task, index: int) -> list[int]:
    """Test inputs that look like this one, itself included: they share their votes."""
    return [n for n, pair in enumerate(task.test) if np.array_equal(pair.input, task.test[index].input)]


def _attempt(rows: Rows, grids: Sequence[Sequence[Grid]], tests: Sequence[int]) -> Attempt:
    grid = np.array(rows, np.uint8)
    return Attempt(grid, sum(np.array_equal(grid, other) for test in tests for other in grids[test]))

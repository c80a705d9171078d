"""Answering ARC tasks: a model's predictions for each puzzle of a task vote, and every supervision step is kept to see.

Several tasks go through the network side by side, so that its batches are full; a task's answer is given as soon as
the last of its examples has been predicted. Test outputs never reach the network.

K puzzles of a task, B slots, L tokens, S supervision steps, T test inputs.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.batch import Batch
from trm.model import TinyRecursiveModel
from trm.randomness import SeededStepRandom
from trm.supervision import Supervision
from trm_lab.evaluation.answer_cells import GridCells
from trm_lab.evaluation.predictor import check_finite
from trm_lab.evaluation.rollout import Rollout, roll_out
from trm_lab.evaluation.voting import ArcVoting
from trm_lab.inference.task_puzzles import Examples, TaskPuzzles, lent_rows, without_answers
from trm_lab.puzzles.arc.augmentation import Table, grids_shown
from trm_lab.puzzles.arc.compact_set import CORNER
from trm_lab.puzzles.arc.grids import Grid, crop_all
from trm_lab.puzzles.arc.sources import Task
from trm_lab.puzzles.layout import BLANK
from trm_lab.runs.arc_outputs import OutputRecord

Rows = list[list[int]]
WarmUp = Callable[[], AbstractContextManager[None]]
Over = Callable[[Sequence[int]], Iterable[int]]  # wraps the starts of batches, for a progress bar


@dataclass(frozen=True)
class Attempt:
    """A grid that is submitted, and the votes that it has."""

    grid: Grid
    votes: int


@dataclass(frozen=True)
class OutputAnswer:
    """What was answered to one test input.

    record: votes, candidates, and the right answer's rank where it is known.
    attempts: the two best grids; of a single candidate twice the same.
    steps: `[S]` the grid after each supervision step of the task as it is, without augmentation; 0x0 for none.
    """

    record: OutputRecord
    attempts: tuple[Attempt, ...]
    steps: tuple[Grid, ...]


@dataclass(frozen=True)
class TaskAnswer:
    """What was answered to a task.

    confidence_kind: what ranks equally many votes, a key of `trm.supervision.CONFIDENCE_KINDS`.
    network_calls: of one prediction.
    """

    puzzles: TaskPuzzles
    outputs: tuple[OutputAnswer, ...]
    confidence_kind: str
    network_calls: int

    @property
    def task(self) -> Task:
        """The task."""
        return self.puzzles.task

    def submission(self) -> list[dict[str, Rows]]:
        """The task's part of a submission: for each test input {"attempt_1": grid, "attempt_2": grid}."""
        return [
            {f"attempt_{number}": one.grid.tolist() for number, one in enumerate(output.attempts, start=1)}
            for output in self.outputs
        ]


@dataclass(frozen=True)
class Rolled:
    """What a batch of examples was answered, on the CPU.

    examples: `[B]`.  inputs, labels: `[B, L]`.  predictions: `[B, S, L]` uint8.
    loss, confidence: `[B]`, of the last step.
    """

    examples: NDArray[np.int64]
    inputs: NDArray[np.int32]
    labels: NDArray[np.int32]
    predictions: NDArray[np.uint8]
    loss: NDArray[np.float64]
    confidence: NDArray[np.float64]
    network_calls: int


def answer_task(
    supervision: Supervision[Any],
    puzzles: TaskPuzzles,
    *,
    canvas: int,
    batch_size: int,
    over: Over = iter,
    warm_up: WarmUp | None = None,
) -> TaskAnswer:
    """Answer one task; see `answer_tasks`."""
    [answer] = answer_tasks(
        supervision, [puzzles], canvas=canvas, batch_size=batch_size, over=over, warm_up=warm_up
    )
    return answer


def answer_tasks(
    supervision: Supervision[Any],
    puzzles: Sequence[TaskPuzzles],
    *,
    canvas: int,
    batch_size: int,
    over: Over = iter,
    warm_up: WarmUp | None = None,
) -> Iterator[TaskAnswer]:
    """Answer tasks in their order, each as soon as it can be; whoever has enough stops asking.

    Args:
        supervision: the model, on the device that is to answer. Between two answers it is free for other use.
        canvas: C of the checkpoint.
        batch_size: examples at a time, of as many tasks as it takes.
        over: wraps the starts of the batches.
        warm_up: surrounds a supervision step of the first batch before it is answered, whose outcome nobody gets.
    """
    if not puzzles:
        return
    questions = Examples(puzzles, [without_answers(one.task).test for one in puzzles], canvas, CORNER)
    stream, held, start = roll(supervision, questions, batch_size, over, warm_up), list[Rolled](), 0
    for one, end in zip(puzzles, questions.ends, strict=True):
        while not held or held[-1].examples[-1] < end - 1:
            held.append(next(stream))
        yield _answer(one, _between(held, start, end), canvas, supervision)
        held, start = held[-1:], end
    next(stream, None)  # lets a progress bar end


def roll(
    supervision: Supervision[Any],
    examples: Examples,
    batch_size: int,
    over: Over = iter,
    warm_up: WarmUp | None = None,
) -> Iterator[Rolled]:
    """Roll all examples out in evaluation mode; of several batches all are equally large, as a compiled model wants."""
    size = min(batch_size, len(examples))
    for start in over(range(0, len(examples), size)):
        mine = np.arange(start, min(start + size, len(examples)))
        if start == 0 and warm_up is not None:
            with warm_up():
                roll_batch(supervision, examples, mine, size, most_steps=1)
        yield roll_batch(supervision, examples, mine, size)


def roll_batch(
    supervision: Supervision[Any],
    examples: Examples,
    mine: NDArray[np.int64],
    size: int | None = None,
    most_steps: int | None = None,
) -> Rolled:
    """Roll the examples `mine` out in evaluation mode.

    most_steps: see `roll_out`.
    size: slots of the batch, of which those left over hold the last example again; None: one for each example.
    """
    size = size or len(mine)
    slots = mine[np.minimum(np.arange(size), len(mine) - 1)]
    batch = examples.batch(slots).to(supervision.model.H_init.device)
    with evaluating(supervision.model), lent_rows(supervision.model, examples.rows(slots)):
        draws = SeededStepRandom(0, 0, size, 0, size)
        rollout = roll_out(supervision, batch, draws, (), GridCells(examples.canvas), most_steps)
    return _rolled(mine, batch, rollout)


@contextmanager
def evaluating(model: TinyRecursiveModel) -> Iterator[None]:
    """`with evaluating(model):` it is in evaluation mode, and afterwards in the mode in which it was."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def _rolled(mine: NDArray[np.int64], batch: Batch, rollout: Rollout) -> Rolled:
    tensors = (
        batch.inputs, batch.labels, rollout.predictions, rollout.loss, rollout.confidence[:, -1]
    )  # fmt: skip
    inputs, labels, predictions, loss, confidence = (t[: len(mine)].cpu().numpy() for t in tensors)
    return Rolled(mine, inputs, labels, predictions, loss, confidence, rollout.network_calls[-1])


def _between(held: Sequence[Rolled], start: int, end: int) -> Rolled:
    """Examples [start, end) of batches that follow each other."""
    part = slice(start - held[0].examples[0], end - held[0].examples[0])

    def joined(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(one, name) for one in held])[part]

    arrays = {f.name: joined(f.name) for f in fields(Rolled) if f.name != "network_calls"}
    return Rolled(**arrays, network_calls=held[0].network_calls)


def _answer(puzzles: TaskPuzzles, rolled: Rolled, canvas: int, supervision: Supervision[Any]) -> TaskAnswer:
    """Let the predictions `[K·T]` vote."""
    task, tests = puzzles.task, len(puzzles.task.test)
    check_finite(rolled.confidence, f"task {task.name}")
    last = rolled.predictions[:, -1]
    voting = ArcVoting(
        [BLANK, *puzzles.names],
        {task.name: _as_published(task)},
        canvas,
        confidence_kind=supervision.confidence_kind,
    )
    identifiers = 1 + np.arange(len(puzzles.augmentations)).repeat(tests)
    voting.add(identifiers, rolled.inputs.astype(np.uint8), last, rolled.confidence)
    result = voting.result()
    shown = _mapped_back(puzzles.augmentations, last, canvas, tests)
    outputs = tuple(
        OutputAnswer(
            record,
            tuple(_attempt(rows, shown, _equal_inputs(task, index)) for rows in attempts.values()),
            tuple(crop_all(rolled.predictions[index], canvas)),
        )
        for index, (record, attempts) in enumerate(
            zip(result.outputs, result.submission[task.name], strict=True)
        )
    )
    return TaskAnswer(puzzles, outputs, supervision.confidence_kind, rolled.network_calls)


def _as_published(task: Task) -> dict[str, list[dict[str, Rows]]]:
    """The test pairs, as `ArcVoting` takes them."""
    known = [{"input": pair.input, "output": pair.output} for pair in task.test]
    return {"test": [{k: grid.tolist() for k, grid in one.items() if grid is not None} for one in known]}


def _mapped_back(
    augmentations: Table, predictions: NDArray[np.uint8], canvas: int, tests: int
) -> list[list[Grid]]:
    """The grids that predictions `[K·T, L]` show, without their augmentation: `[T][K]`."""
    transforms = augmentations[:, 0].repeat(tests)
    colours = augmentations.copy()
    colours[:, 0] = 0  # black stays
    grids = grids_shown(predictions, transforms, colours.repeat(tests, axis=0), canvas)
    return [grids[index::tests] for index in range(tests)]


def _equal_inputs(task: Task, index: int) -> list[int]:
    """Test inputs that look like this one, itself included: they share their votes."""
    asked = task.test[index].input
    return [other for other, pair in enumerate(task.test) if np.array_equal(pair.input, asked)]


def _attempt(rows: Rows, shown: Sequence[Sequence[Grid]], tests: Sequence[int]) -> Attempt:
    grid = np.array(rows, np.uint8)
    return Attempt(grid, sum(np.array_equal(grid, one) for test in tests for one in shown[test]))

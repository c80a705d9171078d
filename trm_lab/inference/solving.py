"""Answering a whole file of ARC tasks within a given time; the submission is complete and valid at every moment.

Every test input is asked once before any is asked under an augmentation, and so on in rounds, so that whenever the time
is up each of them has about as many votes. What could not be answered has Kaggle's fallback grids.

E examples of a round, L tokens of a canvas of side C.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from trm.errors import UserError, report
from trm.supervision import Supervision
from trm_lab.cluster.ranks import Ranks
from trm_lab.evaluation.batch_size import CPU_BATCH, WITH_GRADIENT, chosen_batch_size
from trm_lab.evaluation.voting import ArcVoting
from trm_lab.inference.answering import Rolled, answer_task, roll_batch
from trm_lab.inference.arc_checkpoint import arc_supervision, canvas_of
from trm_lab.inference.task_puzzles import Examples, TaskPuzzles, puzzles_of, without_answers
from trm_lab.inference.test_time_training import AdaptationSettings, adapt
from trm_lab.inference.time_budget import Now, TimeBudget
from trm_lab.puzzles.arc.compact_set import CORNER
from trm_lab.puzzles.arc.sources import Task
from trm_lab.puzzles.arc.task_file import parse_task
from trm_lab.puzzles.layout import BLANK
from trm_lab.runs.arc_outputs import FALLBACK_GRID, Submission, attempts
from trm_lab.runs.opened_checkpoint import OpenedCheckpoint
from trm_lab.runs.weights import PUZZLE_ROWS

MOST_IN_A_ROUND = 32  # augmentations of each task
GRADIENT_TIME = (
    4  # times a supervision step's time that an update takes, generously: forward, and twice that back
)
Save = Callable[[Submission], None]


@dataclass(frozen=True)
class SolveSettings:
    """How to answer.

    augmentations: at most so many of each task besides itself.
    minutes: in all; whatever is under way is not interrupted, but nothing is begun that would take longer, see
        `trm_lab.inference.time_budget`.
    embedding: see `trm_lab.inference.task_puzzles.puzzles_of`.
    adapt: updates that fit a task's embeddings on its demonstrations, for as many tasks as there is time; 0: none.
        An architecture without a puzzle embedding has nothing to fit.
    batch_size: examples at a time; None: what fits.  seed: of the augmentations.
    """

    augmentations: int = 128
    minutes: float = 690.0
    embedding: str = "auto"
    adapt: int = 0
    batch_size: int | None = None
    seed: int = 0


@dataclass(frozen=True)
class Solved:
    """What came of it: the submission, tasks with an answer of their own, predictions, tasks adapted to."""

    submission: Submission
    answered: int
    predictions: int
    adapted: int


def solve(
    challenges: Mapping[str, Any],
    opened: OpenedCheckpoint,
    settings: SolveSettings,
    ranks: Ranks,
    save: Save,
    now: Now = time.monotonic,
    started: float | None = None,
) -> Solved:
    """Answer `{task: {"train": pairs, "test": [{"input": grid}, …]}}`.

    Args:
        save: takes the submission as it stands: first without any answer, then after each round.
        now: the clock, in seconds.
        started: when the time began to run; None: now.

    Raises:
        UserError: not tasks in this form, or a checkpoint that was not trained on ARC.
    """
    budget = TimeBudget(now() if started is None else started, 60 * settings.minutes, now)
    submission = without_answer(challenges)
    budget.begin_finish()
    save(submission)
    canvas = canvas_of(opened)
    tasks = usable_tasks(challenges, canvas)
    solver = _solver(tasks, opened, canvas, settings, ranks, budget)
    if solver is None:
        report("more than half of the time is over", "no task was begun: the fallback grids are submitted")
        return Solved(submission, 0, 0, 0)
    answered = 0
    for answers in solver.rounds(budget):
        submission |= answers
        answered = len(answers)
        save(submission)
    adapted = 0
    adapts = settings.adapt > 0 and PUZZLE_ROWS in opened.weights
    for task, answer in solver.adapted(settings, opened.config, budget) if adapts else ():
        submission[task] = answer
        adapted += 1
        save(submission)
    return Solved(submission, answered, solver.predictions, adapted)


def _solver(
    tasks: Sequence[Task],
    opened: OpenedCheckpoint,
    canvas: int,
    settings: SolveSettings,
    ranks: Ranks,
    budget: TimeBudget,
) -> "Solver | None":
    """The tasks' puzzles and a model on its device; None where this took too much of the time to answer anything."""
    table, puzzles = opened.weights.get(PUZZLE_ROWS), []
    known = {name: row for row, name in enumerate(opened.row_names or [])}
    for task in tasks:
        if not budget.allows_the_first():
            return None
        puzzles.append(
            puzzles_of(task, settings.augmentations, table, settings.embedding, known, settings.seed)
        )
    supervision = arc_supervision(opened, canvas)
    supervision.model.to(ranks.device)
    wanted = CPU_BATCH if ranks.device.type == "cpu" else opened.batch_size
    size = chosen_batch_size(supervision, settings.batch_size, wanted, ranks)
    return Solver(supervision, puzzles, canvas, size) if budget.allows_the_first() else None


def without_answer(challenges: Mapping[str, Any]) -> Submission:
    """The fallback grids for every test input.

    Raises:
        UserError: a task has no list of test inputs.
    """
    submission: Submission = {}
    for name, entry in challenges.items():
        tests = entry.get("test") if isinstance(entry, dict) else None
        if not isinstance(tests, list):
            raise UserError(
                f"task {name!r} of the input has no list of test inputs",
                '{task: {"train": [{"input": grid, "output": grid}, …], "test": [{"input": grid}, …]}}',
                "name the file arc-agi_test_challenges.json of the competition, or one of its form",
            )
        submission[name] = [attempts([]) for _ in tests]
    return submission


def usable_tasks(challenges: Mapping[str, Any], canvas: int) -> list[Task]:
    """The tasks that fit the checkpoint; of the others it is said why not."""
    tasks = []
    for name, entry in challenges.items():
        try:
            tasks.append(parse_task(name, entry, f"task {name}", canvas))
        except UserError as error:
            report(error.given, f"the fallback {FALLBACK_GRID} is submitted for it")
    return tasks


class Solver:
    """Answers tasks side by side and counts their votes.

    predictions: that voted so far.
    """

    def __init__(
        self, supervision: Supervision[Any], puzzles: Sequence[TaskPuzzles], canvas: int, batch_size: int
    ) -> None:
        self._supervision, self._canvas, self._size = supervision, canvas, batch_size
        self._puzzles = puzzles
        counts = [len(one.augmentations) for one in puzzles]
        self._first = [1 + sum(counts[:number]) for number in range(len(counts))]  # 0 is nobody's
        self._voting = ArcVoting(
            [BLANK, *(name for one in puzzles for name in one.names)],
            {one.task.name: {"test": _inputs(one.task)} for one in puzzles},
            canvas,
            confidence_kind=supervision.confidence_kind,
        )
        self.predictions = 0

    def rounds(self, budget: TimeBudget) -> Iterator[Submission]:
        """The answers after each round, of the tasks that have been asked; stops when the time is up."""
        start, most = 0, max((len(one.augmentations) for one in self._puzzles), default=0)
        in_time = True
        while start < most and in_time:
            end, before = start + min(start + 1, MOST_IN_A_ROUND), self.predictions
            in_time = self._round(start, end, budget)
            budget.begin_finish()
            if self.predictions > before:
                result = self._voting.result()
                asked = {output.task for output in result.outputs if output.votes}
                yield {task: answers for task, answers in result.submission.items() if task in asked}
            start = end

    def _round(self, start: int, end: int, budget: TimeBudget) -> bool:
        """Ask all tasks under their augmentations [start, end); whether there was time for it."""
        parts, identifiers = [], []
        for one, first in zip(self._puzzles, self._first, strict=True):
            part = _with_augmentations(one, start, end)
            if len(part.augmentations):
                parts.append(part)
                identifiers.append(first + start + np.arange(len(part.augmentations)))
        examples = Examples(parts, [without_answers(one.task).test for one in parts], self._canvas, CORNER)
        of_puzzle, asked = np.concatenate(identifiers), 0
        while asked < len(examples):
            size = budget.begin_batch(min(self._size, len(examples) - asked))
            if not size:
                return False
            rolled = roll_batch(self._supervision, examples, np.arange(asked, asked + size))
            self._vote(of_puzzle[examples.puzzles(rolled.examples)], rolled)
            asked += size
        return True

    def _vote(self, identifiers: Any, rolled: Rolled) -> None:
        inputs = rolled.inputs.astype(np.uint8)
        self._voting.add(identifiers, inputs, rolled.predictions[:, -1], rolled.confidence)
        self.predictions += len(identifiers)

    def adapted(
        self, settings: SolveSettings, config: Mapping[str, Any], budget: TimeBudget
    ) -> Iterator[tuple[str, list[dict[str, list[list[int]]]]]]:
        """Tasks, in their order, answered again with embeddings fitted on their demonstrations, while there is time."""
        own = {"lr": "puzzle_emb_lr", "weight_decay": "puzzle_emb_weight_decay"}  # of the run, where it tells
        told = {name: config[key] for name, key in own.items() if config.get(key) is not None}
        size = max(1, self._size // WITH_GRADIENT)
        fitting = AdaptationSettings(settings.adapt, seed=settings.seed, batch_size=size, **told)
        for one in self._puzzles:
            if not budget.begin_adaptation(self._adaptation_work(one, settings.adapt), size):
                continue  # a smaller task may still end in time
            try:
                fitted = adapt(self._supervision, one, fitting, canvas=self._canvas).puzzles
            except UserError as error:
                budget.dismiss()
                report(error.given, "its answer without adaptation is submitted")
                continue
            answer = answer_task(self._supervision, fitted, canvas=self._canvas, batch_size=self._size)
            yield one.task.name, answer.submission()

    def _adaptation_work(self, puzzles: TaskPuzzles, steps: int) -> float:
        """As many times the work of answering an example: updates, the fit before and after, and the answers."""
        task, each = puzzles.task, len(puzzles.augmentations)
        updates = GRADIENT_TIME * steps * len(task.train) / self._supervision.max_steps
        return each * (updates + 2 * len(task.train) + len(task.test))


def _with_augmentations(puzzles: TaskPuzzles, start: int, end: int) -> TaskPuzzles:
    """The puzzles [start, end) of a task, each with its row."""
    rows = puzzles.rows
    own = rows is not None and len(rows) > 1
    part = rows[start:end] if own and rows is not None else rows
    return replace(puzzles, augmentations=puzzles.augmentations[start:end], rows=part)


def _inputs(task: Task) -> list[dict[str, list[list[int]]]]:
    return [{"input": pair.input.tolist()} for pair in task.test]

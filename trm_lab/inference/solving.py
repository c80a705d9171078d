"""Answering a whole file of ARC tasks within a time budget; the submission is complete and valid at every moment.

Every test input is answered once before any is answered under an augmentation, and so on in rounds, so that whenever
the time is up each of them has about as many votes. What could not be answered has Kaggle's fallback grids.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trm.errors import UserError, report
from trm.supervision import Supervision
from trm_lab.cluster.ranks import Ranks
from trm_lab.evaluation.batch_size import CPU_BATCH, WITH_GRADIENT, chosen_batch_size
from trm_lab.inference.answering import Rows, answer_task, predict, task_voting
from trm_lab.inference.arc_checkpoint import arc_supervision, canvas_of
from trm_lab.inference.task_puzzles import TaskExamples, TaskPuzzles, puzzles_of, without_answers
from trm_lab.inference.test_time_training import AdaptationSettings, adapt
from trm_lab.inference.time_budget import Now, TimeBudget
from trm_lab.puzzles.arc.compact_set import CORNER
from trm_lab.puzzles.arc.sources import Task
from trm_lab.puzzles.arc.task_file import parse_task
from trm_lab.runs.arc_outputs import FALLBACK_GRID, Submission, attempts
from trm_lab.runs.opened_checkpoint import OpenedCheckpoint
from trm_lab.runs.weights import PUZZLE_ROWS

LARGEST_ROUND = 32  # augmentations of each task
GRADIENT_TIME = 4  # times a supervision step that an update takes, generously: forward, and twice that back
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
    """The submission, how many tasks have an answer of their own, predictions in all, tasks adapted to."""

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
    answered = adapted = 0
    for answers in solver.rounds():
        submission |= answers
        answered = len(answers)
        save(submission)
    if settings.adapt > 0 and PUZZLE_ROWS in opened.weights:
        fit_batch = max(1, solver.batch_size // WITH_GRADIENT)
        fitting = AdaptationSettings.of_run(opened.config, settings.adapt, seed=settings.seed, batch_size=fit_batch)
        for task, answer in solver.adapted(fitting):
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
    trained = {name: row for row, name in enumerate(opened.row_names or [])}
    for task in tasks:
        if not budget.allows_first():
            return None
        puzzles.append(puzzles_of(task, settings.augmentations, table, settings.embedding, trained, settings.seed))
    supervision = arc_supervision(opened, canvas)
    supervision.model.to(ranks.device)
    most = CPU_BATCH if ranks.device.type == "cpu" else opened.batch_size
    size = chosen_batch_size(supervision, settings.batch_size, most, ranks)
    return Solver(supervision, puzzles, canvas, size, budget) if budget.allows_first() else None


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
    """The tasks that fit the checkpoint; the others are reported with the reason."""
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
        self,
        supervision: Supervision[Any],
        puzzles: Sequence[TaskPuzzles],
        canvas: int,
        batch_size: int,
        budget: TimeBudget,
    ) -> None:
        self.batch_size, self.predictions = batch_size, 0
        self._supervision, self._canvas, self._budget = supervision, canvas, budget
        self._puzzles = puzzles
        self._first = np.cumsum([1, *map(len, puzzles)])  # each task's first identifier
        tasks = [without_answers(of_task.task) for of_task in puzzles]
        self._voting = task_voting(puzzles, tasks, canvas, supervision.confidence_kind)

    def rounds(self) -> Iterator[Submission]:
        """The answers after each round, of the tasks that have any vote; stops when the time is up."""
        start, most, in_time = 0, max(map(len, self._puzzles), default=0), True
        while start < most and in_time:
            end, before = start + min(start + 1, LARGEST_ROUND), self.predictions
            in_time = self._round(start, end)
            self._budget.begin_finish()
            if self.predictions > before:
                result = self._voting.result()
                voted = {output.task for output in result.outputs if output.votes}
                yield {task: answers for task, answers in result.submission.items() if task in voted}
            start = end

    def _round(self, start: int, end: int) -> bool:
        """Answer all tasks under their augmentations [start, end); whether there was time for it."""
        numbers = [n for n, of_task in enumerate(self._puzzles) if len(of_task) > start]
        parts = [self._puzzles[n].part(start, end) for n in numbers]
        tests = [without_answers(part.task).test for part in parts]
        examples = TaskExamples(parts, tests, self._canvas, CORNER)
        identifiers = np.concatenate(
            [self._first[n] + start + np.arange(len(part)) for n, part in zip(numbers, parts, strict=True)]
        )
        done = 0
        while done < len(examples):
            size = self._budget.begin_batch(min(self.batch_size, len(examples) - done))
            if not size:
                return False
            chosen = np.arange(done, done + size)
            predictions = predict(self._supervision, examples, size, chosen=chosen)
            voters = identifiers[examples.puzzles(chosen)]
            self._voting.add(voters, predictions.inputs, predictions.last, predictions.confidence)
            self.predictions += size
            done += size
        return True

    def adapted(self, settings: AdaptationSettings) -> Iterator[tuple[str, list[dict[str, Rows]]]]:
        """Tasks, in their order, answered again with embeddings fitted on their demonstrations, while there is time."""
        for puzzles in self._puzzles:
            work = self._adaptation_work(puzzles, settings.steps)
            if not self._budget.begin_adaptation(work, settings.batch_size):
                continue  # a smaller task may still end in time
            try:
                fitted = adapt(self._supervision, puzzles, settings, canvas=self._canvas).puzzles
            except UserError as error:
                self._budget.dismiss()
                report(error.given, "its answer without adaptation is submitted")
                continue
            answer = answer_task(self._supervision, fitted, canvas=self._canvas, batch_size=self.batch_size)
            yield puzzles.task.name, answer.submission()

    def _adaptation_work(self, puzzles: TaskPuzzles, steps: int) -> float:
        """As many times the work of answering an example: updates, the fit before and after, and the answers."""
        task = puzzles.task
        updates = GRADIENT_TIME * steps * len(task.train) / self._supervision.max_steps
        return len(puzzles) * (updates + 2 * len(task.train) + len(task.test))

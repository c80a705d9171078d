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
from trm_lab.evaluation.batch_size import CPU_BATCH, WITH_GRADIENT, chosen_batch_size, fitting_batch_size
from trm_lab.evaluation.search import Search, StopRule
from trm_lab.evaluation.voting import ArcVoting
from trm_lab.inference.answering import Rows, answer_task, predict, task_voting
from trm_lab.inference.arc_checkpoint import arc_supervision, canvas_of
from trm_lab.inference.task_puzzles import TaskExamples, TaskPuzzles, puzzles_of, without_answers
from trm_lab.inference.test_time_training import AdaptationSettings, adapt
from trm_lab.inference.time_budget import Now, TimeBudget
from trm_lab.inference.training_in_time import UpdatePace, train_in_time
from trm_lab.inference.weight_training import WeightSettings, WeightTraining
from trm_lab.puzzles.arc.compact_set import CORNER
from trm_lab.puzzles.arc.sources import Task
from trm_lab.puzzles.arc.task_file import parse_task
from trm_lab.runs.arc_outputs import FALLBACK_GRID, Submission, attempts
from trm_lab.runs.opened_checkpoint import OpenedCheckpoint
from trm_lab.runs.weights import PUZZLE_ROWS

LARGEST_ROUND = 32  # augmentations of each task
GRADIENT_TIME = 4  # times a supervision step that an update takes, generously: forward, and twice that back
FIRST_ANSWERS = 1 / 8  # share of the time after which no further round begins before all weights are adapted
LAST_ANSWERS = 1 / 4  # most of the time that is kept for the answers after that
Save = Callable[[Submission], None]
Keep = Callable[[WeightTraining, Sequence[TaskPuzzles]], None]


@dataclass(frozen=True)
class SolveSettings:
    """How to answer.

    augmentations: at most so many of each task besides itself.
    minutes: in all; whatever is under way is not interrupted, but nothing is begun that would take longer, see
        `trm_lab.inference.time_budget`.
    embedding: see `trm_lab.inference.task_puzzles.puzzles_of`.
    adapt: updates that adapt to the demonstrations; 0: none.
    adapt_weights: `embedding` fits each task's own rows, for as many tasks as there is time (an architecture without a
        puzzle embedding has nothing to fit); `all` trains all weights and all tasks' rows together, in as many updates
        as there is time for, and answers again. Then the adapted model's votes alone answer a task, as published; those
        of both models one that the checkpoint was trained on, which the original answers well.
    adapt_lr, adapt_freeze: see `trm_lab.inference.one_task.TaskRequest`.
    stop: when a prediction needs no further step; the time that it saves goes into more augmentations.
    batch_size: examples at a time; None: what fits.  seed: of the augmentations.
    """

    augmentations: int = 128
    minutes: float = 690.0
    embedding: str = "auto"
    adapt: int = 0
    adapt_weights: str = "embedding"
    adapt_lr: float | None = None
    adapt_freeze: float | None = None
    stop: StopRule | None = None
    batch_size: int | None = None
    seed: int = 0


@dataclass(frozen=True)
class Solved:
    """The submission, how many tasks have an answer of their own, predictions in all, tasks adapted to.

    updates: of all weights, where they were adapted.
    """

    submission: Submission
    answered: int
    predictions: int
    adapted: int
    updates: int = 0


def solve(
    challenges: Mapping[str, Any],
    opened: OpenedCheckpoint,
    settings: SolveSettings,
    ranks: Ranks,
    save: Save,
    now: Now = time.monotonic,
    started: float | None = None,
    keep: Keep | None = None,
) -> Solved:
    """Answer `{task: {"train": pairs, "test": [{"input": grid}, …]}}`.

    Args:
        save: takes the submission as it stands: first without any answer, then after each round.
        now: the clock, in seconds.
        started: when the time began to run; None: now.
        keep: takes the adapted model, whose training has ended, and the tasks with their rows, before it answers.

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
    together = settings.adapt > 0 and settings.adapt_weights == "all"
    answered = adapted = updates = 0
    for answers in solver.rounds():
        submission |= answers
        answered = len(answers)
        save(submission)
        if together and budget.share_used() > FIRST_ANSWERS:
            break
    if together and solver.predictions:
        training = _weight_settings(settings, opened, solver, ranks)
        adapted, updates = solver.learn(training, keep)
        for answers in solver.rounds() if updates else ():
            submission |= answers
            save(submission)
    elif settings.adapt > 0 and PUZZLE_ROWS in opened.weights:
        fit_batch = max(1, solver.batch_size // WITH_GRADIENT)
        changes = {"lr": settings.adapt_lr, "seed": settings.seed, "batch_size": fit_batch}
        fitting = AdaptationSettings.of_run(opened.config, settings.adapt, **changes)
        for task, answer in solver.adapted(fitting):
            submission[task] = answer
            adapted += 1
            save(submission)
    return Solved(submission, answered, solver.predictions, adapted, updates)


def _weight_settings(
    settings: SolveSettings, opened: OpenedCheckpoint, solver: "Solver", ranks: Ranks
) -> WeightSettings:
    """How to train all weights: in batches as large as the run's, if they fit into memory."""
    most = WITH_GRADIENT * opened.batch_size
    fitting = max(1, fitting_batch_size(solver.supervision, most, ranks) // WITH_GRADIENT)
    return WeightSettings.of_run(
        opened.config,
        settings.adapt,
        lr=settings.adapt_lr,
        freeze=settings.adapt_freeze,
        seed=settings.seed,
        batch_size=settings.batch_size or fitting,
    )


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
    solver = Solver(supervision, puzzles, canvas, size, budget, Search(stop=settings.stop))
    return solver if budget.allows_first() else None


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

    supervision: the model that answers.
    predictions: that voted so far.
    """

    def __init__(
        self,
        supervision: Supervision[Any],
        puzzles: Sequence[TaskPuzzles],
        canvas: int,
        batch_size: int,
        budget: TimeBudget,
        search: Search,
    ) -> None:
        search.check(supervision, [None])
        self._search = search
        self.batch_size, self.predictions = batch_size, 0
        self.supervision, self._canvas, self._budget = supervision, canvas, budget
        self._puzzles = puzzles
        self._first = np.cumsum([1, *map(len, puzzles)])  # each task's first identifier
        self._trained_on = {of_task.task.name for of_task in puzzles if of_task.embedding == "own"}
        self._voting = self._new_voting()
        self._adapted_voting: ArcVoting | None = None  # of the votes after `learn` alone

    def rounds(self) -> Iterator[Submission]:
        """The answers after each round, of the tasks that have any vote; stops when the time is up."""
        start, most, in_time = 0, max(map(len, self._puzzles), default=0), True
        while start < most and in_time:
            end, before = start + min(start + 1, LARGEST_ROUND), self.predictions
            in_time = self._round(start, end)
            self._budget.begin_finish()
            if self.predictions > before:
                yield self._answers()
            start = end

    def _new_voting(self) -> ArcVoting:
        tasks = [without_answers(of_task.task) for of_task in self._puzzles]
        return task_voting(self._puzzles, tasks, self._canvas, self.supervision.confidence_kind)

    def _answers(self) -> Submission:
        """Of the tasks that have any vote; see `SolveSettings.adapt_weights` for whose votes count."""
        result = self._voting.result()
        voted = {output.task for output in result.outputs if output.votes}
        answers = {task: of_task for task, of_task in result.submission.items() if task in voted}
        if self._adapted_voting is not None:
            adapted = self._adapted_voting.result()
            for output in adapted.outputs:
                if output.votes and output.task not in self._trained_on:
                    answers[output.task][output.test_index] = adapted.submission[output.task][output.test_index]
        return answers

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
            predictions = predict(self.supervision, examples, size, search=self._search, chosen=chosen)
            voters = identifiers[examples.puzzles(chosen)]
            for voting in filter(None, (self._voting, self._adapted_voting)):
                voting.add(voters, predictions.inputs, predictions.last, predictions.confidence)
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
                fitted = adapt(self.supervision, puzzles, settings, canvas=self._canvas).puzzles
            except UserError as error:
                self._budget.dismiss()
                report(error.given, "its answer without adaptation is submitted")
                continue
            answer = answer_task(self.supervision, fitted, canvas=self._canvas, batch_size=self.batch_size)
            yield puzzles.task.name, answer.submission()

    def learn(self, settings: WeightSettings, keep: Keep | None = None) -> tuple[int, int]:
        """Adapt all weights to all tasks together, in as many updates as there is time for; returns tasks and updates.

        From then on `rounds` answers with them. Without time, or where a loss is not finite, nothing changes, which is
        reported.

        keep: see `solve`.
        """
        consequence = "the answers without adaptation are submitted"
        try:
            training = train_in_time(self.supervision, self._puzzles, settings, self._canvas, self._pace(settings))
            puzzles = None if training is None else training.finish()
        except UserError as error:
            self._budget.dismiss()
            report(error.given, consequence)
            return 0, 0
        if training is None or puzzles is None:
            report("no time is left to adapt all weights", consequence)
            return 0, 0
        self.supervision, self._puzzles = training.supervision, puzzles
        self._adapted_voting = self._new_voting()
        if keep is not None:
            keep(training, puzzles)
        return training.tasks, training.steps_done

    def _pace(self, settings: WeightSettings) -> UpdatePace:
        """What is known of the time of an update before one was made, and of answering all views again."""
        largest, examples = self.batch_size, sum(len(p) * len(p.task.test) for p in self._puzzles)
        of_batch = self._budget.seconds_of_batch(largest)
        update = GRADIENT_TIME * settings.batch_size / largest * of_batch / self.supervision.max_steps
        answering = min(-(-examples // largest) * of_batch, LAST_ANSWERS * self._budget.seconds)
        return UpdatePace(self._budget, update, answering)

    def _adaptation_work(self, puzzles: TaskPuzzles, steps: int) -> float:
        """As many times the work of answering an example: updates, the fit before and after, and the answers."""
        task = puzzles.task
        updates = GRADIENT_TIME * steps * len(task.train) / self.supervision.max_steps
        return len(puzzles) * (updates + 2 * len(task.train) + len(task.test))

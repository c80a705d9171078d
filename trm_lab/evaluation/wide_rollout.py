"""Answers to a batch by several rollouts of each question, of which rows leave as soon as a rule stops them.

B questions, b that are left, K rollouts, L tokens, S supervision steps, M moments: the steps of all rollouts together
(M = S), or of one rollout after another (M = K·S).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trm.batch import IGNORE_LABEL
from trm.supervision import Supervision
from trm_lab.evaluation.rollout import SPENT, Rollout
from trm_lab.evaluation.search import ROLLOUTS, RolloutSignals, Search, StepAnswers, equal_rows
from trm_lab.evaluation.trajectory import Questions, Trajectory


@torch.no_grad()
def roll_out_widely(
    supervision: Supervision[Any], questions: Questions, search: Search, most_steps: int | None = None
) -> Rollout:
    """Answer every row of `questions` as `search` says; the model is in eval mode.

    The prediction of a moment is that of the rollout selected then; after a question has stopped, it stays as it is.
    Without a stopping rule, probes hold the signals of each rollout and whether it is right.

    most_steps: at most so many steps of each rollout, for a warm-up; None: all.
    """
    steps = min(supervision.max_steps, most_steps or supervision.max_steps)
    run = _WideRollout(supervision, questions, search, steps)
    if search.order == "in-turn":
        run.in_turn()
    else:
        run.together()
    return run.result()


class _WideRollout:
    def __init__(self, supervision: Supervision[Any], questions: Questions, search: Search, steps: int) -> None:
        self._supervision, self._questions, self._search, self._steps = supervision, questions, search, steps
        self._moments = steps * (search.width if search.order == "in-turn" else 1)
        self._count = len(questions.batch)
        self._labels = questions.batch.labels.cpu().numpy()
        self._columns: dict[str, NDArray[Any]] = {}  # [B, M, …]
        self._single: dict[str, NDArray[Any]] = {}  # [B, S, K]
        self._loss, self._spent = np.zeros(self._count), np.zeros(self._count)  # [B]
        self._calls = np.zeros(self._moments, np.int64)  # [M], of a question that does not stop

    def together(self) -> None:
        """Advance all rollouts by one step at a time."""
        rollouts = [Trajectory(self._supervision, self._questions, self._search, n) for n in range(self._search.width)]
        open_questions = _OpenQuestions(np.arange(self._count), self._supervision)
        for step in range(self._steps):
            answers = [rollout.advance().rows(open_questions.places) for rollout in rollouts]
            calls = sum(each.network_calls for each in answers)
            self._calls[step] = calls
            self._record_single(step, range(len(answers)), answers)
            signals = self._signals(answers)
            stopping = self._stopping(signals)  # [K, b]
            chosen = signals.choice(self._search.select, among=stopping | ~stopping.any(0))
            self._record(open_questions.rows, step, answers, chosen, calls)
            if not open_questions.leave(np.any(stopping, axis=0), rollouts):
                return

    def in_turn(self) -> None:
        """Take one whole rollout after another, each with the questions that have not stopped.

        Until a rollout has ended or stops, an earlier one answers, of those whose last answers are in `before`: DIS
        hands the question back at first, and is sure of it.
        """
        rows, before = np.arange(self._count), list[StepAnswers]()
        for number in range(self._search.width):
            rollout = Trajectory(self._supervision, self._questions.rows(rows), self._search, number)
            open_questions = _OpenQuestions(rows, self._supervision)
            for step in range(self._steps):
                moment, answers = number * self._steps + step, rollout.advance().rows(open_questions.places)
                self._calls[moment] = answers.network_calls
                candidates = [*before, answers]
                signals = self._signals(candidates)
                stopping = self._stopping(signals)[-1]  # [b]
                among = np.ones(signals.change.shape, bool)
                among[-1] = not before or step + 1 == self._steps
                among[:, stopping] = [[False]] * len(before) + [[True]]  # where this rollout stops, it answers
                chosen = signals.choice(self._search.select, among)
                self._record(open_questions.rows, moment, candidates, chosen, answers.network_calls)
                self._record_single(step, [number], [answers])
                if not open_questions.leave(stopping, [rollout]):
                    return
                stay = np.flatnonzero(~stopping)
                before, answers = [each.rows(stay) for each in before], answers.rows(stay)
            rows, before = open_questions.rows, [*before, answers]

    def result(self) -> Rollout:
        """All that was recorded."""
        tensors = {name: torch.from_numpy(column) for name, column in self._columns.items()}
        return Rollout(
            predictions=tensors["predictions"],
            loss=torch.from_numpy(self._loss),
            q_halt_logits=tensors["q_halt_logits"],
            confidence=tensors["confidence"],
            network_calls=np.where(self._calls > 0, self._calls, self._calls[0]).cumsum().tolist(),
            probes={name: torch.from_numpy(column) for name, column in self._probes().items()},
        )

    def _signals(self, rollouts: Sequence[StepAnswers]) -> RolloutSignals:
        return RolloutSignals.of(rollouts, votes=self._search.select == "vote")

    def _stopping(self, signals: RolloutSignals) -> NDArray[np.bool_]:
        """`[K, b]`: which rollouts stop their question."""
        rule = self._search.stop
        return np.zeros(signals.change.shape, bool) if rule is None else rule.holds(signals)

    def _record(
        self,
        rows: NDArray[np.intp],
        moment: int,
        candidates: Sequence[StepAnswers],
        chosen: NDArray[np.intp],
        calls: int,
    ) -> None:
        """Write the selected answers of some rows into this moment and all later ones, which later calls overwrite.

        So the columns of a question that leaves keep its last answer.  chosen: `[b]`, numbers among the candidates.
        """
        place = np.arange(len(rows))

        def pick(name: str) -> NDArray[Any]:
            return np.stack([getattr(each, name) for each in candidates])[chosen, place]

        for name in ("predictions", "q_halt_logits", "confidence"):
            values = pick(name)
            if name not in self._columns:
                self._columns[name] = np.zeros((self._count, self._moments, *values.shape[1:]), values.dtype)
            self._columns[name][rows, moment:] = values[:, None]
        self._loss[rows] = pick("loss")
        self._spent[rows] += calls

    def _record_single(self, step: int, numbers: Sequence[int], rollouts: Sequence[StepAnswers]) -> None:
        """Write the signals of single rollouts, while all questions are there; not with a stopping rule."""
        if self._search.stop is not None or not self._search.differs:
            return
        for number, answers in zip(numbers, rollouts, strict=True):
            exact = ((answers.predictions == self._labels) | (self._labels == IGNORE_LABEL)).all(1)
            columns = {
                "predictions": answers.predictions,
                "right": (exact if answers.right is None else answers.right).astype(np.uint8),
                "q_halt_logits": answers.q_halt_logits,
                "log_probability": answers.log_probability,
                "change": answers.change.astype(np.float32),
                "unchanged": answers.unchanged.astype(np.float32),
            }
            for name, values in columns.items():
                shape = (self._count, self._steps, self._search.width, *values.shape[1:])
                self._single.setdefault(name, np.zeros(shape, values.dtype))[:, step, number] = values

    def _probes(self) -> dict[str, NDArray[Any]]:
        """Of single rollouts, `[B, S, K]`; `equal`, the first rollout with the same answer, replaces predictions."""
        if self._search.stop is not None:
            return {SPENT: self._spent}
        single = dict(self._single)
        if "predictions" in single:
            predictions = single.pop("predictions").transpose(1, 2, 0, 3)  # [S, K, B, L]
            single["equal"] = np.stack([equal_rows(step) for step in predictions]).transpose(2, 0, 1).astype(np.uint8)
        return {ROLLOUTS + name: column for name, column in single.items()}


class _OpenQuestions:
    """The questions that have not stopped.

    rows: `[b]`, their rows in the batch of all B questions.  places: `[b]`, their rows in the trajectories, which may
    hold some more rows (see `leave`).
    """

    def __init__(self, rows: NDArray[np.intp], supervision: Supervision[Any]) -> None:
        self.rows, self.places, self._size = rows, np.arange(len(rows)), len(rows)
        self._is_compiled = supervision.run_forward != supervision.forward

    def leave(self, leaving: NDArray[np.bool_], trajectories: Sequence[Trajectory]) -> bool:
        """Remove some questions, a mask `[b]`; returns whether any are left.

        A compiled model is compiled again for every number of rows. So its batch shrinks by halves only, and holds rows
        of stopped questions, whose answers nobody reads, to fill it.
        """
        self.rows, self.places = self.rows[~leaving], self.places[~leaving]
        count, size = len(self.rows), self._size
        while self._is_compiled and size > 1 and count <= size // 2:
            size //= 2
        size = size if self._is_compiled else count
        if count > 0 and size < self._size:
            others = np.setdiff1d(np.arange(self._size), self.places)[: size - count]  # rows to fill the batch
            for trajectory in trajectories:
                trajectory.keep(np.concatenate((self.places, others)))
            self.places, self._size = np.arange(count), size
        return count > 0

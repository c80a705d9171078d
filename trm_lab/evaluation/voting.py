"""ARC scoring: the predictions for a test input's augmentations vote on its answer.

Each prediction is cropped and mapped back through its augmentation; equal grids are one candidate. Candidates rank by
(votes, mean confidence), highest first, or as another of RANKINGS says. A test input is known by its task and its
grid, so equal test inputs of a task share their votes and each is held against its own answer.

All is done for thousands of predictions at a time; few wait for more. Equal grids are known by their fingerprints; of
a candidate stay its votes and its confidence, and its grid only while it may still be submitted. The order of the
predictions, and how they are split over calls, change nothing.

Copying the input is scored by giving the inputs as predictions too.

Legend: E predictions, S supervision steps, Q different test inputs, L = C·C tokens of a canvas with side C.
Source: evaluators/arc.py of the TRM release; but the votes held are those that were given, and no others.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_lab.evaluation.arc_questions import Output, Questions
from trm_lab.evaluation.grid_hashes import Fingerprints
from trm_lab.evaluation.top_k import Leaders
from trm_lab.evaluation.vote_ranking import DEFAULT_RANKING, Ranked, Ranking
from trm_lab.evaluation.vote_table import MOST_VOTES, NONE, CandidateTable
from trm_lab.puzzles.arc.augmentation import grids_shown
from trm_lab.puzzles.arc.grids import CANVAS, Tokens, as_bytes
from trm_lab.runs.arc_outputs import ATTEMPTS, OutputRecord, Submission, VotingResult, attempts

_CHUNK = MOST_VOTES  # predictions counted at a time at most: bounds memory, not the result
_ENOUGH = 8192  # predictions that are worth counting; fewer wait for more
_GRIDS = 512  # grids made at a time: likewise


@dataclass(frozen=True)
class _Part:
    """Some predictions, as given to `StepwiseVoting.add`."""

    puzzle_identifiers: NDArray[np.integer[Any]]
    inputs: Tokens
    preds: Tokens
    confidence: NDArray[np.floating[Any]]

    def __len__(self) -> int:
        return len(self.puzzle_identifiers)

    @property
    def _arrays(self) -> tuple[NDArray[Any], ...]:
        return self.puzzle_identifiers, self.inputs, self.preds, self.confidence

    def rows(self, rows: slice | NDArray[np.bool_]) -> "_Part":
        """Some of them."""
        return _Part(*(array[rows] for array in self._arrays))

    def copied(self) -> "_Part":
        """The same, whatever becomes of the caller's arrays."""
        return _Part(*(array.copy() for array in self._arrays))

    @staticmethod
    def together(parts: Sequence["_Part"]) -> "_Part":
        """One after the other."""
        return _Part(*map(np.concatenate, zip(*(part._arrays for part in parts), strict=True)))


class StepwiseVoting:
    """Collects votes after each of S supervision steps; what a prediction answers is found out once for all steps.

    Several checkpoints, or seeds, are pooled by adding the predictions of all of them to one voting; what counts as
    one evaluation is the caller's to say. Memory: some 100 to 200 bytes for each different candidate, two grids for
    each test input and step (with ranked_by="mean_confidence" one for each candidate).

    Args:
        identifiers: puzzle names by puzzle identifier (identifiers.json).
        test_puzzles: task -> {"test": [{"input": grid, "output": grid}, ...]} (test_puzzles.json); an answer
            that is missing or null is unknown.
        steps: S.
        canvas: side C of the token canvas.
        blank_identifier: identifier of padding rows, which have no vote.
        ranked_by: one of `arc_ranking.RANKINGS`.
        confidence_kind: "halting_probability" or "token_log_probability" (see `trm.supervision`). It matters to
            ranked_by="confidence_sum" alone, which adds up probabilities: confidence_of_best is then their mean.

    Raises:
        UserError: a test puzzle holds something that is not a grid, or no such ranking or kind of confidence.
    """

    def __init__(
        self,
        identifiers: Sequence[str],
        test_puzzles: Mapping[str, Any],
        steps: int,
        canvas: int = CANVAS,
        blank_identifier: int = 0,
        ranked_by: str = DEFAULT_RANKING,
        confidence_kind: str = "halting_probability",
    ) -> None:
        self.steps = steps
        self._canvas, self._blank = canvas, blank_identifier
        self._ranking = Ranking(ranked_by, confidence_kind)
        self._fingerprints = Fingerprints(canvas)
        self._questions = Questions(identifiers, test_puzzles, self._fingerprints)
        self._table = CandidateTable()  # question q after step s has number s·Q + q
        self._leaders = Leaders(self._table, self._ranking, steps * len(self._questions))
        self._waiting: list[_Part] = []

    def add(
        self,
        puzzle_identifiers: NDArray[np.integer[Any]],
        inputs: NDArray[np.integer[Any]],
        preds: NDArray[np.integer[Any]],
        confidence: NDArray[np.floating[Any]],
    ) -> None:
        """Count the votes of some predictions.

        Args:
            puzzle_identifiers: `[E]`; rows of the blank identifier are skipped.
            inputs: `[E, L]` tokens of the augmented test input.
            preds: `[E, S, L]` tokens of its predicted answer after each step.
            confidence: `[E, S]` in the form whose mean ranks equal counts. TRM: the halting probability, in float64.
                DIS has no halting head: mean token log-probability of the answer.

        Raises:
            UserError: an input is no test input of its task in test_puzzles. Few predictions wait until there are more
                or results are asked for, and so does this.
        """
        real = puzzle_identifiers != self._blank
        part = _Part(puzzle_identifiers, as_bytes(inputs), as_bytes(preds), confidence)
        if not real.all():
            part = part.rows(real)
        if len(part) * self.steps >= _ENOUGH:
            self._count(part)
            return
        self._waiting.append(part.copied())
        if sum(map(len, self._waiting)) * self.steps >= _ENOUGH:
            self._count_waiting()

    def _count_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._count(_Part.together(waiting))

    def _count(self, part: _Part) -> None:
        at_once = max(1, _CHUNK // self.steps)
        for start in range(0, len(part), at_once):
            self._count_chunk(part.rows(slice(start, start + at_once)))

    def _count_chunk(self, part: _Part) -> None:
        asked = self._questions.asked(part.puzzle_identifiers, part.inputs)
        answers = part.preds.reshape(-1, part.preds.shape[-1])  # [E·S, L]
        transforms, colours = (
            np.repeat(one, self.steps, axis=0) for one in (asked.transforms, asked.colours)
        )
        numbers = asked.questions[:, None] + len(self._questions) * np.arange(self.steps)
        prints = self._fingerprints.of_shown(answers, transforms, colours)
        certainty = self._ranking.counted(part.confidence)
        voted, votes = self._table.add(numbers.ravel(), prints, certainty.ravel())
        wanted = self._leaders.update(voted)
        chosen = votes[np.searchsorted(voted, wanted)]
        for start in range(0, len(wanted), _GRIDS):
            few = chosen[start : start + _GRIDS]
            grids = grids_shown(answers[few], transforms[few], colours[few], self._canvas)
            self._leaders.keep(wanted[start : start + _GRIDS], grids)

    def results(self) -> Iterator[VotingResult]:
        """Rank the candidates of every test input and score them, for each step in turn.

        May be called again after further votes. Results come one by one, since each holds a submission.

        Raises:
            UserError: see `add`.
        """
        self._count_waiting()
        ranked = Ranked.of(self._table, self._ranking, self.steps * len(self._questions), ATTEMPTS)
        for step in range(self.steps):
            yield self._result(ranked, step * len(self._questions))

    def _result(self, ranked: Ranked, first: int) -> VotingResult:
        """Of the questions that are numbered from `first` on."""
        right = self._table.find(first + self._questions.numbers, self._questions.answer_prints)
        records: list[OutputRecord] = []
        submission: Submission = {task: [] for task in self._questions.tasks}
        for output, row in zip(self._questions.outputs, right.tolist(), strict=True):
            number = first + output.question
            records.append(self._record(output, ranked, number, None if row == NONE else row))
            best = [self._leaders.grids[row].tolist() for row in ranked.best[number].tolist() if row != NONE]
            submission[output.task].append(attempts(best))
        return VotingResult.of(records, submission)

    def _record(self, output: Output, ranked: Ranked, number: int, right: int | None) -> OutputRecord:
        return OutputRecord(
            task=output.task,
            test_index=output.test_index,
            known=output.answer is not None,
            rank=None if right is None else int(ranked.ranks[right]),
            votes=int(ranked.votes[number]),
            candidates=int(ranked.candidates[number]),
            votes_of_best=int(ranked.votes_of_best[number]),
            confidence_of_best=float(ranked.confidence_of_best[number]),
            votes_of_right=0 if right is None else int(self._table.votes[right]),
        )


class ArcVoting:
    """Collects the votes of one evaluation: `StepwiseVoting` with a single step, and what is said there."""

    def __init__(
        self,
        identifiers: Sequence[str],
        test_puzzles: Mapping[str, Any],
        canvas: int = CANVAS,
        blank_identifier: int = 0,
        ranked_by: str = DEFAULT_RANKING,
        confidence_kind: str = "halting_probability",
    ) -> None:
        self._voting = StepwiseVoting(
            identifiers, test_puzzles, 1, canvas, blank_identifier, ranked_by, confidence_kind
        )

    def add(
        self,
        puzzle_identifiers: NDArray[np.integer[Any]],
        inputs: NDArray[np.integer[Any]],
        preds: NDArray[np.integer[Any]],
        confidence: NDArray[np.floating[Any]],
    ) -> None:
        """Count the votes of some predictions: preds `[E, L]`, confidence `[E]`, else as in `StepwiseVoting.add`."""
        self._voting.add(puzzle_identifiers, inputs, preds[:, None], confidence[:, None])

    def result(self) -> VotingResult:
        """Rank the candidates of every test input and score them; may be called again after further votes."""
        (result,) = self._voting.results()
        return result

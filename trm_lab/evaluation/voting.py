"""ARC scoring: the predictions for a test input's augmentations vote on its answer.

Each prediction is cropped and its augmentation undone; equal grids are one candidate. Candidates rank by (votes, mean
confidence), highest first, or as another of RANKINGS says. Equal candidates rank by the grid's digest, the highest
first: no judgement, but the same whatever the order of the votes, and the empty grid, which is never right, comes last.

Sums of confidences are whole numbers of units of 2^-64. So neither the order of the predictions nor how they are split
over calls, ranks or interruptions changes a rank.

Copying the input is scored by giving the inputs as predictions too. Several checkpoints, or seeds, are pooled by adding
the predictions of all of them to one voting.

Legend: E predictions, Q different test inputs, L = C·C tokens of a canvas with side C.
Source: evaluators/arc.py of the TRM release, except that its votes are kept from one evaluation to the next.
"""

from collections import defaultdict
from collections.abc import Callable
from heapq import nlargest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError
from trm_lab.cluster.ranks import Ranks
from trm_lab.commands.choices import DEFAULT_RANKING, RANKINGS
from trm_lab.evaluation.arc_questions import Output, Questions, Recognition
from trm_lab.puzzles.arc.augmentation import grids_shown
from trm_lab.puzzles.arc.grids import Grid, as_bytes
from trm_lab.runs.arc_outputs import ATTEMPTS, OutputRecord, Submission, VotingResult, attempts

_RANKING_KEYS: dict[str, Callable[[int, float], tuple[float, float]]] = {  # of votes and summed confidence
    "count_confidence": lambda votes, total: (votes, total / votes),
    "count": lambda votes, total: (votes, votes),
    "confidence_sum": lambda votes, total: (total, votes),
    "mean_confidence": lambda votes, total: (total / votes, votes),
}
_VOTES_CAN_LOWER = "mean_confidence"  # the ranking in which a further vote can lower its candidate
_PROBABILITIES: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {  # of confidences
    "halting_probability": lambda confidence: confidence,
    "answer_log_probability": np.exp,
    "token_log_probability": np.exp,
}
_LARGEST_CONFIDENCE = 2.0**20
_COARSE_BITS, _FINE_BITS = (16, 48)  # a confidence is counted in units of 2^-16, and the remainder in units of 2^-64

_Tally = list[int]  # votes of a candidate, and its summed confidence in units of 2^-64


class ArcVoting:
    """Collects the votes of one evaluation.

    Memory: about 300 bytes for each different candidate, and the grids of those that are best so far. The others are
    not needed: a candidate can become one of the best only by a further vote, which shows its grid again. (With
    ranked_by="mean_confidence" a vote can also lower a candidate, and votes of other ranks are not seen before they
    are gathered, so that all grids are kept.)

    Args:
        questions: the test inputs, which several votings can share.
        ranked_by: one of RANKINGS.
        confidence_kind: "halting_probability" or "token_log_probability" (see `trm.supervision`). It matters to
            ranked_by="confidence_sum" alone, which adds up probabilities: confidence_of_best is then their mean.
        submits: False if only scores are needed: no grid is kept, and the result has no submission.
        shared: each rank gets a share of the votes; see `gather`.

    Raises:
        UserError: there is no such ranking or kind of confidence.
    """

    def __init__(
        self,
        questions: Questions,
        ranked_by: str = DEFAULT_RANKING,
        confidence_kind: str = "halting_probability",
        submits: bool = True,
        shared: bool = False,
    ) -> None:
        for what, choice, choices in (
            ("ranked_by", ranked_by, RANKINGS),
            ("confidence_kind", confidence_kind, _PROBABILITIES),
        ):
            if choice not in choices:
                raise UserError(f"{what}={choice!r}", ", ".join(choices), f"choose one of these for {what}")
        self.questions = questions
        self._ranked_by, self._kind = ranked_by, confidence_kind
        self._submits, self._keeps_all = submits, shared or ranked_by == _VOTES_CAN_LOWER
        self._tallies: list[dict[bytes, _Tally]] = [{} for _ in range(questions.count)]  # by the grid's digest
        self._grids: list[dict[bytes, Grid]] = [{} for _ in range(questions.count)]  # that may be submitted

    def add(
        self,
        puzzle_identifiers: NDArray[np.integer[Any]],
        inputs: NDArray[np.integer[Any]],
        predictions: NDArray[np.integer[Any]],
        confidence: NDArray[np.floating[Any]],
    ) -> None:
        """Count the votes of some predictions.

        Args:
            puzzle_identifiers: `[E]`; padding rows have no vote.
            inputs: `[E, L]` tokens of the augmented test input.
            predictions: `[E, L]` tokens of its predicted answer.
            confidence: `[E]` in the form whose mean ranks equal counts. TRM: the halting probability, in float64.
                DIS has no halting head: mean token log-probability of the answer. Beyond ±2^20 it counts as that, and
                NaN as the lowest.

        Raises:
            UserError: an input is no test input of its task in test_puzzles, or see `count`.
        """
        self.count(self.questions.recognise(puzzle_identifiers, inputs), predictions, confidence)

    def count(
        self, recognition: Recognition, predictions: NDArray[np.integer[Any]], confidence: NDArray[np.floating[Any]]
    ) -> None:
        """`add` for predictions whose test inputs were recognised.

        Raises:
            UserError: sums of probabilities rank, and one is negative.
        """
        tokens = as_bytes(predictions)[recognition.rows]
        digests = self.questions.digests.of_sequences(tokens, recognition.transforms, recognition.colours)
        units = _units(self._weights(confidence[recognition.rows].astype(np.float64)))
        voted: dict[int, dict[bytes, int]] = defaultdict(dict)  # question → digest → a row that shows the grid
        for row, (question, digest, weight) in enumerate(zip(recognition.questions, digests, units, strict=True)):
            voted[question][digest] = row
            tally = self._tallies[question].get(digest)
            if tally is None:
                self._tallies[question][digest] = [1, weight]
            else:
                tally[0] += 1
                tally[1] += weight
        if self._submits:
            self._keep_grids(voted, tokens, recognition)

    def _weights(self, confidence: NDArray[np.float64]) -> NDArray[np.float64]:
        """What each vote adds to its candidate's sum; NaN is no probability, and adds none."""
        if self._ranked_by != "confidence_sum":
            return confidence
        weights = np.nan_to_num(_PROBABILITIES[self._kind](confidence), nan=0.0)
        if (weights < 0).any():
            raise UserError(
                f"ranked_by={self._ranked_by} and a {self._kind} of {weights.min():.3g}",
                "probabilities, or log-probabilities that are called so",
                "give confidence_kind=token_log_probability, or another ranking",
            )
        return weights

    def _keep_grids(
        self, voted: dict[int, dict[bytes, int]], tokens: NDArray[np.uint8], recognition: Recognition
    ) -> None:
        """Keep the grids that may be submitted, of those kept so far and those in `voted` (by digest, one row each)."""
        new: list[tuple[int, bytes, int]] = []
        for question, rows in voted.items():
            earlier = self._grids[question]
            best = [*rows.keys() | earlier.keys()]
            if not self._keeps_all:
                best = nlargest(ATTEMPTS, best, key=self._ranking_key(question))
                self._grids[question] = {digest: earlier[digest] for digest in best if digest in earlier}
            new += [(question, digest, rows[digest]) for digest in best if digest not in earlier]
        of_new = [row for _, _, row in new]
        augmentations = recognition.transforms[of_new], recognition.colours[of_new]
        grids = grids_shown(tokens[of_new], *augmentations, self.questions.digests.canvas) if new else []
        for (question, digest, _), grid in zip(new, grids, strict=True):
            self._grids[question][digest] = grid

    def _ranking_key(self, question: int) -> Callable[[bytes], tuple[float, float, bytes]]:
        """The sorting key of a question's candidates: the ranking's two numbers, then the digest."""
        tallies, ranking_key = self._tallies[question], _RANKING_KEYS[self._ranked_by]

        def key(digest: bytes) -> tuple[float, float, bytes]:
            votes, units = tallies[digest]
            return (*ranking_key(votes, _confidence(units)), digest)

        return key

    def gather(self, ranks: Ranks) -> None:
        """Add up the votes of all ranks on the first one, and fetch the best grids there; every rank calls it."""
        for shares in ranks.collected(self._tallies):
            for tallies, share in zip(self._tallies, shares, strict=True):
                for digest, (votes, units) in share.items():
                    tally = tallies.setdefault(digest, [0, 0])
                    tally[0] += votes
                    tally[1] += units
        if not self._submits:
            return
        best = ranks.first_decides(lambda: [self._best(question) for question in range(self.questions.count)])
        shown = [
            {digest: grids[digest] for digest in digests if digest in grids}
            for grids, digests in zip(self._grids, best, strict=True)
        ]
        for shares in ranks.collected(shown):
            for grids, share in zip(self._grids, shares, strict=True):
                grids |= share

    def _best(self, question: int) -> list[bytes]:
        return nlargest(ATTEMPTS, self._tallies[question], key=self._ranking_key(question))

    def result(self) -> VotingResult:
        """Rank the candidates of every test input and score them; may be called again after further votes."""
        records: list[OutputRecord] = []
        submission: Submission = {task: [] for task in self.questions.tasks} if self._submits else {}
        for output in self.questions.outputs:
            tallies = self._tallies[output.question]
            ranked = sorted(tallies, key=self._ranking_key(output.question), reverse=True)
            records.append(_record(output, tallies, ranked))
            if self._submits:
                grids = self._grids[output.question]
                submission[output.task].append(attempts([grids[digest].tolist() for digest in ranked[:ATTEMPTS]]))
        return VotingResult.of(records, submission)


def _record(output: Output, tallies: dict[bytes, _Tally], ranked: list[bytes]) -> OutputRecord:
    votes_of_best, units_of_best = tallies[ranked[0]] if ranked else (0, 0)
    right = output.answer if output.answer in tallies else None
    return OutputRecord(
        task=output.task,
        test_index=output.test_index,
        known=output.is_known,
        rank=None if right is None else 1 + ranked.index(right),
        votes=sum(votes for votes, _ in tallies.values()),
        candidates=len(tallies),
        votes_of_best=votes_of_best,
        confidence_of_best=_confidence(units_of_best) / votes_of_best if ranked else 0.0,
        votes_of_right=0 if right is None else tallies[right][0],
    )


def _units(confidence: NDArray[np.float64]) -> list[int]:
    """Confidences as whole numbers of units of 2^-64."""
    bounded = np.nan_to_num(confidence, nan=-_LARGEST_CONFIDENCE).clip(-_LARGEST_CONFIDENCE, _LARGEST_CONFIDENCE)
    scaled = bounded * 2.0**_COARSE_BITS
    coarse = np.floor(scaled)
    fine = np.rint((scaled - coarse) * 2.0**_FINE_BITS)
    both = zip(coarse.astype(np.int64).tolist(), fine.astype(np.int64).tolist(), strict=True)
    return [(whole << _FINE_BITS) + remainder for whole, remainder in both]


def _confidence(units: int) -> float:
    return units / (1 << (_COARSE_BITS + _FINE_BITS))

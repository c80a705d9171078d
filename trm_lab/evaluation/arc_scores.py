"""ARC scores of an evaluation: of the last step, and where wanted after every step and for every guidance scale.

S supervision steps, w guidance scale.
"""

import math
from typing import Any

import numpy as np

from trm.supervision import CONFIDENCE_KINDS
from trm_lab.evaluation.guided_scores import guided, guided_confidence
from trm_lab.evaluation.vote_ranking import RANKINGS
from trm_lab.evaluation.voting import StepwiseVoting
from trm_lab.puzzles.loading import EvaluationData
from trm_lab.runs.answers import Answers
from trm_lab.runs.arc_outputs import VotingResult


class ArcTally:
    """Lets the answers vote, and copying the input beside them.

    each_step: after every supervision step, too; and the answers of every guidance scale after the last.
    """

    def __init__(
        self, data: EvaluationData, ranked_by: str, confidence_kind: str, each_step: bool = False
    ) -> None:
        self._data, self._ranked_by, self._confidence_kind = data, ranked_by, confidence_kind
        self._each_step = each_step
        self._votes: StepwiseVoting | None = None  # made when the number of steps is known
        self._copies = self._voting(1)
        self._guided: dict[str, StepwiseVoting] = {}
        self._guided_kinds: dict[str, str] = {}  # of the confidences that rank guided votes

    def _voting(self, steps: int, confidence_kind: str | None = None) -> StepwiseVoting:
        metadata = self._data.metadata
        return StepwiseVoting(
            self._data.identifiers,
            self._data.scored_puzzles,
            steps,
            math.isqrt(metadata.seq_len),
            metadata.blank_identifier_id,
            self._ranked_by,
            confidence_kind or self._confidence_kind,
        )

    def add(self, made: Answers) -> None:
        """Count a part of the answers."""
        first = 0 if self._each_step else -1
        predictions, confidence = made.predictions[:, first:], made.confidence[:, first:]
        if self._votes is None:
            self._votes = self._voting(predictions.shape[1])
        self._votes.add(made.puzzle_identifiers, made.inputs, predictions, confidence)
        last = made.confidence[:, -1:]
        self._copies.add(made.puzzle_identifiers, made.inputs, made.inputs[:, None], np.zeros_like(last))
        if self._each_step:
            self._add_guided(made)

    def _add_guided(self, made: Answers) -> None:
        """Each guided answer with its own confidence; with the plain answer's where no other was kept."""
        for w, answers in guided(made.probes).items():
            own = guided_confidence(made, w)
            if w not in self._guided:
                plain = own is None or own is made.confidence
                self._guided_kinds[w] = self._confidence_kind if plain else "answer_log_probability"
                self._guided[w] = self._voting(1, self._guided_kinds[w])
            confidence = (made.confidence if own is None else own)[:, -1:]
            self._guided[w].add(made.puzzle_identifiers, made.inputs, answers[:, -1:], confidence)

    def put_into(self, scores: dict[str, Any]) -> VotingResult:
        """Put what the votes say into scores.json's content; the last step's whole result."""
        assert self._votes is not None
        steps = []
        for voted in self._votes.results():  # one submission in memory at a time
            steps.append(voted.scores)
            last = voted
        (copied,) = self._copies.results()
        ranking = ranking_in_words(self._ranked_by, self._confidence_kind)
        scores |= {"scores": last.scores, "counts": last.counts, "votes_ranked_by": ranking}
        scores["copy"] |= {"scores": copied.scores, "counts": copied.counts}
        if self._each_step and last.scores:
            scores["arc_per_step"] = {name: [one[name] for one in steps] for name in last.scores}
            scores["arc_guided"] = {w: next(voting.results()).scores for w, voting in self._guided.items()}
            if self._guided:
                scores["guided_votes_ranked_by"] = {
                    w: ranking_in_words(self._ranked_by, kind) for w, kind in self._guided_kinds.items()
                }
        return last


def ranking_in_words(ranked_by: str, confidence_kind: str) -> str:
    """For the reader of the scores; the keys are those of RANKINGS and CONFIDENCE_KINDS."""
    return f"{RANKINGS[ranked_by]}; confidence: {CONFIDENCE_KINDS[confidence_kind]}"

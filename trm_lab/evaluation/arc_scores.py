"""ARC scores of an evaluation: of the last step, and with details after every step and for every guidance scale.

S supervision steps, w guidance scale.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from trm.supervision import CONFIDENCE_KINDS
from trm_lab.cluster.ranks import Ranks
from trm_lab.commands.choices import RANKINGS
from trm_lab.evaluation.arc_questions import questions_of
from trm_lab.evaluation.guided_scores import guided, guided_confidence
from trm_lab.evaluation.in_training import InTraining
from trm_lab.evaluation.voting import ArcVoting
from trm_lab.puzzles.loading import EvaluationData
from trm_lab.runs.answers import Answers
from trm_lab.runs.arc_outputs import VotingResult


class ArcTally:
    """Lets the answers vote, and copying the input beside them.

    each_step: also after every supervision step, and the answers of every guidance scale after the last.
    shared: each rank gets a share of the votes; see `gather`.
    """

    def __init__(
        self, data: EvaluationData, ranked_by: str, confidence_kind: str, each_step: bool = False, shared: bool = False
    ) -> None:
        self._questions = questions_of(data)
        self._ranked_by, self._confidence_kind = ranked_by, confidence_kind
        self._each_step = each_step
        self._earlier: list[ArcVoting] = []  # with `each_step`: after each step but the last
        self._last = ArcVoting(self._questions, ranked_by, confidence_kind, shared=shared)
        self._copies = self._voting(confidence_kind)
        self._guided: dict[str, ArcVoting] = {}
        self._guided_kinds: dict[str, str] = {}  # of the confidences that rank guided votes

    def _voting(self, confidence_kind: str) -> ArcVoting:
        return ArcVoting(self._questions, self._ranked_by, confidence_kind, submits=False)

    def add(self, answers: Answers) -> None:
        """Count a part of the answers."""
        recognition = self._questions.recognise(answers.puzzle_identifiers, answers.inputs)
        predictions, confidence = answers.predictions, answers.confidence
        if self._each_step and not self._earlier:
            self._earlier = [self._voting(self._confidence_kind) for _ in range(predictions.shape[1] - 1)]
        for step, voting in enumerate(self._earlier):
            voting.count(recognition, predictions[:, step], confidence[:, step])
        self._last.count(recognition, predictions[:, -1], confidence[:, -1])
        self._copies.count(recognition, answers.inputs, np.zeros(len(answers)))
        for w, guided_predictions in guided(answers.probes).items() if self._each_step else ():
            # Each guided answer with its own confidence; with the plain answer's where no other was stored
            own = guided_confidence(answers, w)
            if w not in self._guided:
                plain = own is None or own is answers.confidence
                self._guided_kinds[w] = self._confidence_kind if plain else "answer_log_probability"
                self._guided[w] = self._voting(self._guided_kinds[w])
            last_confidence = (answers.confidence if own is None else own)[:, -1]
            self._guided[w].count(recognition, guided_predictions[:, -1], last_confidence)

    def gather(self, ranks: Ranks) -> None:
        """Add up the votes of all ranks on the first one, which must have some; every rank calls it."""
        steps, self._guided_kinds = ranks.broadcast_object((len(self._earlier), self._guided_kinds))
        self._earlier += [self._voting(self._confidence_kind) for _ in range(steps - len(self._earlier))]
        self._guided = {w: self._guided.get(w) or self._voting(kind) for w, kind in self._guided_kinds.items()}
        for voting in (*self._earlier, self._last, self._copies, *self._guided.values()):
            voting.gather(ranks)

    def put_into(self, scores: dict[str, Any], in_training: InTraining) -> VotingResult:
        """Put what the votes say into scores.json's content; the last step's whole result.

        in_training: tells which test outputs are left out in the scores without them.
        """
        last, copied = self._last.result(), self._copies.result()
        last = replace(last, outputs=in_training.marked(last.outputs))
        step_scores = [*(voting.result().scores for voting in self._earlier), last.scores]
        ranking = ranking_in_words(self._ranked_by, self._confidence_kind)
        scores |= {"scores": last.scores, "counts": last.counts, "votes_ranked_by": ranking}
        scores["copy"] |= {"scores": copied.scores, "counts": copied.counts}
        overlap = in_training.arc_scores(last.outputs, copied.outputs)
        scores |= {} if overlap is None else {"in_training": overlap}
        if self._each_step and last.scores:
            scores["arc_per_step"] = {name: [of_step[name] for of_step in step_scores] for name in last.scores}
            scores["arc_guided"] = {w: voting.result().scores for w, voting in self._guided.items()}
            if self._guided:
                scores["guided_votes_ranked_by"] = {
                    w: ranking_in_words(self._ranked_by, kind) for w, kind in self._guided_kinds.items()
                }
        return last


def ranking_in_words(ranked_by: str, confidence_kind: str) -> str:
    """How votes rank, for the reader of the scores; the keys are those of RANKINGS and CONFIDENCE_KINDS."""
    return f"{RANKINGS[ranked_by]}; confidence: {CONFIDENCE_KINDS[confidence_kind]}"

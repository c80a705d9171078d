"""How candidates rank.

Candidates that are equal in all that a ranking looks at rank by fingerprint, the highest first: no judgement, but the
same whatever the order of the votes, and the empty grid, which is never right, comes last.

Legend: R candidates, rows of a `CandidateTable`; T all of them; Q questions, A places asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError
from trm_lab.evaluation.vote_table import NONE, CandidateTable, Rows

Floats = NDArray[np.float64]

RANKINGS = {
    "count_confidence": "most votes first, then the highest mean confidence",
    "count": "most votes first",
    "confidence_sum": "the highest sum of confidences first (of log-probabilities: of their probabilities), "
    "then most votes",
    "mean_confidence": "the highest mean confidence first, then most votes",
}
DEFAULT_RANKING = "count_confidence"

_STANDINGS: dict[str, Callable[[Floats, Floats], tuple[Floats, Floats]]] = {  # of votes and summed confidence
    "count_confidence": lambda votes, sums: (votes, sums / votes),
    "count": lambda votes, sums: (votes, votes),
    "confidence_sum": lambda votes, sums: (sums, votes),
    "mean_confidence": lambda votes, sums: (sums / votes, votes),
}
_MAY_FALL = "mean_confidence"  # the one in which a vote can make a candidate's standing worse
_WEIGHTS: dict[str, Callable[[Floats], Floats]] = {  # what a vote adds to a sum of confidences
    "halting_probability": lambda confidence: confidence,
    "answer_log_probability": np.exp,
    "token_log_probability": np.exp,
}


class Ranking:
    """One of RANKINGS, for confidence of one kind.

    Raises:
        UserError: there is no such ranking or kind of confidence.
    """

    def __init__(self, name: str, confidence_kind: str) -> None:
        for what, given, known in (
            ("ranked_by", name, RANKINGS),
            ("confidence_kind", confidence_kind, _WEIGHTS),
        ):
            if given not in known:
                raise UserError(f"{what}={given!r}", ", ".join(known), f"choose one of these for {what}")
        self.name, self._kind = name, confidence_kind

    @property
    def may_fall(self) -> bool:
        """Whether a vote can make a candidate's standing worse, so that one passed over may come back."""
        return self.name == _MAY_FALL

    def counted(self, confidence: NDArray[np.floating]) -> Floats:
        """What is added up for votes with these confidences, in float64; where sums rank, NaN counts nothing.

        Raises:
            UserError: sums rank, and a confidence is negative.
        """
        exact = confidence.astype(np.float64)
        if self.name != "confidence_sum":
            return exact
        weights = np.nan_to_num(_WEIGHTS[self._kind](exact), nan=0.0)
        if (weights < 0).any():
            raise UserError(
                f"ranked_by={self.name} and a {self._kind} of {weights.min():.3g}",
                "probabilities, or log-probabilities that are called so",
                "give confidence_kind=token_log_probability, or another ranking",
            )
        return weights

    def in_order(self, table: CandidateTable, rows: Rows) -> Rows:
        """The candidates by question, and those of a question best first."""
        questions = table.questions[rows]
        first, second = self.standings(table, rows)
        order = np.lexsort((-second, -first, questions))
        keys = np.stack([questions, first, second])[:, order]
        equal = (keys[:, 1:] == keys[:, :-1]).all(0)
        tied = np.flatnonzero(np.append(equal, False) | np.append(False, equal))
        if len(tied):
            among = order[tied]
            prints = table.prints[rows[among]]
            by_print = np.lexsort((*-prints.T, -second[among], -first[among], questions[among]))
            order[tied] = among[by_print]
        return rows[order]

    def standings(self, table: CandidateTable, rows: Rows) -> tuple[Floats, Floats]:
        """What ranks the candidates `[R]` of a question: the first number, and the second among equal ones."""
        votes = table.votes[rows].astype(np.float64)
        return _STANDINGS[self.name](votes, table.confidence_sums(rows))


@dataclass(frozen=True)
class Ranked:
    """All candidates of a table in their ranks.

    ranks: `[T]`, the place of each within its question, from 1.  best: `[Q, A]` candidates, NONE where there are fewer.
    candidates, votes: `[Q]` of the question.  votes_of_best, confidence_of_best: `[Q]` votes and mean confidence of
    the first; 0 without any.
    """

    ranks: Rows
    best: Rows
    candidates: NDArray[np.int64]
    votes: NDArray[np.int64]
    votes_of_best: NDArray[np.int64]
    confidence_of_best: Floats

    @classmethod
    def of(cls, table: CandidateTable, ranking: Ranking, questions: int, depth: int) -> "Ranked":
        """Rank the candidates of Q questions; depth: A."""
        ordered = ranking.in_order(table, np.arange(table.size))
        of, place = table.questions[ordered], places(table.questions[ordered])
        ranks = np.zeros(table.size, np.intp)
        ranks[ordered] = place + 1
        best = np.full((questions, depth), NONE)
        high = place < depth
        best[of[high], place[high]] = ordered[high]
        votes, votes_of_best = np.zeros((2, questions), np.int64)
        np.add.at(votes, table.questions, table.votes)
        led, first = of[place == 0], ordered[place == 0]
        votes_of_best[led] = table.votes[first]
        confidence = np.zeros(questions)
        confidence[led] = table.confidence_sums(first) / table.votes[first]
        candidates = np.bincount(table.questions, minlength=questions)
        return cls(ranks, best, candidates, votes, votes_of_best, confidence)


def places(questions: NDArray[np.int64]) -> Rows:
    """Of candidates in order: the place of each within its question, from 0."""
    starts = np.flatnonzero(np.append(True, questions[1:] != questions[:-1])[: len(questions)])
    return np.arange(len(questions)) - np.repeat(starts, np.diff(starts, append=len(questions)))

"""The best candidates of each question so far, with their grids.

Standings only rise, and only with a vote. So a candidate that is not among the best can become one of them only by a
vote, which shows its grid again; no other grids are kept, however many candidates there are. In the one ranking where
a vote can worsen a standing (`Ranking.may_fall`) one that was passed over may come back without a vote: there the grids
of all candidates are kept.

Legend: Q questions, A attempts of a submission.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trm_lab.evaluation.vote_ranking import Ranking, places
from trm_lab.evaluation.vote_table import NONE, CandidateTable, Rows
from trm_lab.puzzles.arc.grids import Grid
from trm_lab.runs.arc_outputs import ATTEMPTS


class Leaders:
    """Of the candidates in `table`, for `questions` questions.

    grids: by row of the table.
    """

    def __init__(self, table: CandidateTable, ranking: Ranking, questions: int) -> None:
        self._table, self._ranking = table, ranking
        self._best = np.full((questions, ATTEMPTS), NONE)  # rows, the best first
        self._seen = 0  # candidates that there were
        self.grids: dict[int, Grid] = {}

    def update(self, voted: Rows) -> Rows:
        """Take note of votes for these different candidates; those of them whose grids are to be kept from now on."""
        if self._ranking.may_fall:
            new, self._seen = voted[voted >= self._seen], self._table.size
            return new
        contenders = voted[self._may_lead(voted)]
        questions = np.unique(self._table.questions[contenders])
        before = self._best[questions].ravel()
        before = before[before != NONE]
        ordered = self._ranking.in_order(self._table, np.union1d(contenders, before))
        of, place = self._table.questions[ordered], places(self._table.questions[ordered])
        leading = place < ATTEMPTS
        self._best[questions] = NONE
        self._best[of[leading], place[leading]] = after = ordered[leading]
        for row in np.setdiff1d(before, after).tolist():
            del self.grids[row]
        return np.setdiff1d(after, before)

    def keep(self, rows: Rows, grids: Sequence[Grid]) -> None:
        """Keep these candidates' grids."""
        self.grids.update(zip(rows.tolist(), grids, strict=True))

    def _may_lead(self, voted: Rows) -> NDArray[np.bool_]:
        """Whether each is level with the lower leader at least, by the first number: fewer are left to sort."""
        best = self._best[self._table.questions[voted]]  # [voted, A]
        first = self._ranking.standings(self._table, np.maximum(best, 0).ravel())[0].reshape(best.shape)
        least = np.where(best == NONE, -np.inf, first).min(1)
        return self._ranking.standings(self._table, voted)[0] >= least

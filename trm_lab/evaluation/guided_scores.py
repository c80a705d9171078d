"""What guidance and the advantage margin say of the answers, summed over examples.

B rows, S supervision steps, L grid tokens, w guidance scale (dis_trm/guidance.py gives the numbers of each step).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_lab.evaluation.counts import Counts, in_order, merge
from trm_lab.evaluation.step_scores import StepTally
from trm_lab.runs.answers import Answers

MARGIN, GUIDED = ("margin", "guided_preds@")  # names of probes: `[B, S, L]` each; the scale w follows the second
CONFIDENCE = "guided_confidence@"  # `[B, S]`, likewise


class MarginTally:
    """Advantage margins by supervision step and position; nan where no token is scored."""

    def __init__(self) -> None:
        self.counts: Counts = {}  # `[S, L]` each; a sum for each part, since their order decides the last bits

    def add(self, first: int, margins: NDArray[np.floating[Any]]) -> None:
        """Add margins `[B, S, L]`; first: place of the first row among all examples."""
        is_scored = ~np.isnan(margins)
        sums = np.where(is_scored, margins, 0).sum(0, dtype=np.float64)
        merge(self.counts, {"sums": [(first, sums)], "positive": (margins > 0).sum(0), "scored": is_scored.sum(0)})

    def scores(self) -> dict[str, Any]:
        """Mean margin and share of positive ones over all scored tokens, at each step; for scores.json."""
        if not self.counts:
            return {}
        tokens = self.counts["scored"].sum(1)
        over = np.maximum(tokens, 1)
        return {
            "tokens": int(tokens[0]),
            "mean": (self._sum().sum(1) / over).tolist(),
            "share_positive": (self.counts["positive"].sum(1) / over).tolist(),
        }

    def by_position(self) -> dict[str, NDArray[Any]]:
        """margin_mean, margin_share_positive `[S, L]` (nan where nothing is scored) and margin_tokens `[L]`."""
        if not self.counts:
            return {}
        scored = self.counts["scored"]
        with np.errstate(invalid="ignore"):
            means, shares = self._sum() / scored, self.counts["positive"] / scored
        return {"margin_mean": means, "margin_share_positive": shares, "margin_tokens": scored[0]}

    def _sum(self) -> NDArray[np.float64]:
        """Sums of the margins, `[S, L]`."""
        return sum(in_order(self.counts["sums"]), np.zeros(self.counts["scored"].shape))


class GuidedTally:
    """Accuracies of the answers decoded from ℓ_w, for each w."""

    def __init__(self) -> None:
        self._tallies: dict[str, StepTally] = {}

    @property
    def counts(self) -> Counts:
        """Counts by w."""
        return {w: tally.counts for w, tally in self._tallies.items()}

    def add(self, answers: Answers, cells: NDArray[np.bool_]) -> None:
        """Add a part of the answers; cells: `[B, L]`, those that count."""
        for w, predictions in guided(answers.probes).items():
            self._tallies.setdefault(w, StepTally()).add(predictions, answers.labels, cells)

    def scores(self) -> dict[str, dict[str, list[float]]]:
        """cell_accuracy and exact_accuracy `[S]` by w, for scores.json."""
        results = {w: tally.result() for w, tally in self._tallies.items()}
        return {
            w: {"cell_accuracy": result.cell_accuracy, "exact_accuracy": result.exact_accuracy}
            for w, result in results.items()
        }


def guided(probes: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.integer[Any]]]:
    """The guided predictions `[B, S, L]` among a part's probes, by their w."""
    return {name.removeprefix(GUIDED): value for name, value in probes.items() if name.startswith(GUIDED)}


def guided_confidence(answers: Answers, w: str) -> NDArray[np.float64] | None:
    """The confidence `[B, S]` of the answers decoded from ℓ_w; w = 1 is plain decoding. None where it was not kept."""
    return answers.confidence if float(w) == 1 else answers.probes.get(CONFIDENCE + w)

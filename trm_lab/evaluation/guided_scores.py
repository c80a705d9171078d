"""What guidance and the advantage margin say of the answers, summed over examples.

B rows, S supervision steps, L grid tokens, w guidance scale (dis_trm/guidance.py gives the numbers of each step).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_lab.evaluation.step_scores import StepTally
from trm_lab.runs.answers import Answers

MARGIN, GUIDED = ("margin", "guided_preds@")  # names of probes: `[B, S, L]` each; the scale w follows the second
CONFIDENCE = "guided_confidence@"  # `[B, S]`, likewise


class MarginTally:
    """Advantage margins by supervision step and position; nan where no token is scored."""

    def __init__(self) -> None:
        self._sum: NDArray[np.float64] | None = None  # [S, L]
        self._positive: NDArray[np.int64]
        self._scored: NDArray[np.int64]

    def add(self, margins: NDArray[np.floating[Any]]) -> None:
        """Add margins `[B, S, L]`."""
        if self._sum is None:
            self._sum = np.zeros(margins.shape[1:])
            self._positive = np.zeros(margins.shape[1:], np.int64)
            self._scored = np.zeros(margins.shape[1:], np.int64)
        is_scored = ~np.isnan(margins)
        self._sum += np.where(is_scored, margins, 0).sum(0, dtype=np.float64)
        self._positive += (margins > 0).sum(0)
        self._scored += is_scored.sum(0)

    def scores(self) -> dict[str, Any]:
        """Mean margin and share of positive ones over all scored tokens, at each step; for scores.json."""
        if self._sum is None:
            return {}
        tokens = self._scored.sum(1)
        over = np.maximum(tokens, 1)
        return {
            "tokens": int(tokens[0]),
            "mean": (self._sum.sum(1) / over).tolist(),
            "share_positive": (self._positive.sum(1) / over).tolist(),
        }

    def by_position(self) -> dict[str, NDArray[Any]]:
        """margin_mean, margin_share_positive `[S, L]` (nan where nothing is scored) and margin_tokens `[L]`."""
        if self._sum is None:
            return {}
        with np.errstate(invalid="ignore"):
            means, shares = self._sum / self._scored, self._positive / self._scored
        return {"margin_mean": means, "margin_share_positive": shares, "margin_tokens": self._scored[0]}


class GuidedTally:
    """Accuracies of the answers decoded from ℓ_w, for each w."""

    def __init__(self) -> None:
        self._tallies: dict[str, StepTally] = {}

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

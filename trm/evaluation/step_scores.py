"""What each supervision step does to the answers, summed over examples.

E examples, S supervision steps, L grid tokens, K scored tokens of an example. Predictions `[E, S, L]`, labels `[E, L]`
with `IGNORE_LABEL` where a token is not scored. An example without a scored token does not count.
Sums are kept as whole numbers: neither the order of the examples nor how they are split changes the result.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.puzzles.batch import IGNORE_LABEL

Ints = NDArray[np.int64]


def right_cells(preds: NDArray[np.integer[Any]], labels: NDArray[np.integer[Any]]) -> tuple[Ints, Ints]:
    """(scored tokens that are right after each step `[E, S]`, scored tokens `[E]`)."""
    known = labels != IGNORE_LABEL
    right = np.zeros(preds.shape[:2], np.int64)
    for step in range(preds.shape[1]):  # one step at a time: `[E, S, L]` is much
        right[:, step] = ((preds[:, step] == labels) & known).sum(1)
    return right, known.sum(1)


def first_right(whole: NDArray[np.bool_]) -> Ints:
    """The first step, from 1, at which the answer is right; 0 = at none. whole: `[E, S]` → `[E]`."""
    return np.where(whole.any(1), whole.argmax(1) + 1, 0)


def stays_right(whole: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether the answer is right at some step and at every later one. whole: `[E, S]` → `[E]`."""
    broken = whole[:, :-1] & ~whole[:, 1:]
    return whole[:, -1] & ~broken.any(1)


def shares_mean(by_scored: NDArray[Any]) -> NDArray[np.float64]:
    """Σ_e (tokens of e / K_e) from sums `[L+1, …]` over the examples of equal K."""
    tokens = np.arange(1, len(by_scored)).reshape(-1, *[1] * (by_scored.ndim - 1))
    return (by_scored[1:] / tokens).sum(0)


@dataclass(frozen=True)
class StepScores:
    """Scores after each supervision step.

    examples: with a scored token; the others do not count.
    cell_accuracy `[S]`: mean over examples of the share of scored tokens that are right.
    exact_accuracy `[S]`: share of examples of which all are right.
    hamming `[S]`: mean number of scored tokens that are wrong, the Hamming distance to the answer.
    changed `[S−1]`: mean share of scored tokens that differ between a step and the next.
    first_right `[S+1]`: examples that are right for the first time after step s; at 0 those that never are.
    stayed_right `[S+1]`: those of them that are right at every later step too.
    fixed_late: examples wrong after the first step and right after the last.
    broken_late: examples right after some step and wrong after the last.
    """

    examples: int
    cell_accuracy: list[float]
    exact_accuracy: list[float]
    hamming: list[float]
    changed: list[float]
    first_right: list[int]
    stayed_right: list[int]
    fixed_late: int
    broken_late: int

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


class StepTally:
    """Adds up predictions part by part, for `StepScores`."""

    def __init__(self) -> None:
        self._shape: tuple[int, int] | None = None  # S, L

    def _start(self, steps: int, tokens: int) -> None:
        self._shape = steps, tokens
        self._examples = np.zeros(tokens + 1, np.int64)  # by K, as the next two
        self._right = np.zeros((tokens + 1, steps), np.int64)
        self._changed = np.zeros((tokens + 1, steps - 1), np.int64)
        self._whole = np.zeros(steps, np.int64)
        self._first = np.zeros(steps + 1, np.int64)
        self._stayed = np.zeros(steps + 1, np.int64)
        self._fixed_late = self._broken_late = 0

    def add(self, preds: NDArray[np.integer[Any]], labels: NDArray[np.integer[Any]]) -> None:
        """Take in predictions `[E, S, L]` and labels `[E, L]`.

        Raises:
            ValueError: shapes that do not belong together, or to those before.
        """
        if preds.ndim != 3 or not preds.shape[1] or labels.shape != (len(preds), preds.shape[2]):
            raise ValueError(
                f"predictions {preds.shape} and labels {labels.shape}: want [E, S, L] and [E, L]"
            )
        if self._shape is None:
            self._start(*preds.shape[1:])
        if preds.shape[1:] != self._shape:
            raise ValueError(f"predictions of (S, L) = {preds.shape[1:]} after {self._shape}")
        right, scored = right_cells(preds, labels)
        changed = _changed_cells(preds, labels != IGNORE_LABEL)
        rows = scored > 0
        self._add(right[rows], changed[rows], scored[rows])

    def _add(self, right: Ints, changed: Ints, scored: Ints) -> None:
        whole = right == scored[:, None]  # [E, S]
        first, stays = first_right(whole), stays_right(whole)
        np.add.at(self._examples, scored, 1)
        np.add.at(self._right, scored, right)
        np.add.at(self._changed, scored, changed)
        self._whole += whole.sum(0)
        self._first += np.bincount(first, minlength=len(self._first))
        self._stayed += np.bincount(first[stays], minlength=len(self._stayed))
        self._fixed_late += int((~whole[:, 0] & whole[:, -1]).sum())
        self._broken_late += int((whole.any(1) & ~whole[:, -1]).sum())

    def result(self) -> StepScores:
        """The scores of all that was added; may be called again after more. Means over no example are 0.

        Raises:
            ValueError: nothing was added.
        """
        if self._shape is None:
            raise ValueError("no predictions were added: there are no steps to score")
        examples = int(self._examples.sum())
        over = max(examples, 1)
        cells = self._examples @ np.arange(len(self._examples))  # all that are scored
        return StepScores(
            examples=examples,
            cell_accuracy=(shares_mean(self._right) / over).tolist(),
            exact_accuracy=(self._whole / over).tolist(),
            hamming=((cells - self._right.sum(0)) / over).tolist(),
            changed=(shares_mean(self._changed) / over).tolist(),
            first_right=self._first.tolist(),
            stayed_right=self._stayed.tolist(),
            fixed_late=self._fixed_late,
            broken_late=self._broken_late,
        )


def _changed_cells(preds: NDArray[np.integer[Any]], known: NDArray[np.bool_]) -> Ints:
    """`[E, S−1]`: scored tokens that differ between a step and the next."""
    changed = np.zeros((len(preds), preds.shape[1] - 1), np.int64)
    for step in range(preds.shape[1] - 1):
        changed[:, step] = ((preds[:, step] != preds[:, step + 1]) & known).sum(1)
    return changed

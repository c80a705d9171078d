"""What each supervision step does to the answers, summed over examples.

E examples, S supervision steps, L grid tokens, K cells of an example. Predictions `[E, S, L]`, labels `[E, L]` with
`IGNORE_LABEL` where a token has none. An answer is right if every token with a label is; its cells are all of them, or
those up to its end (`trm_lab.evaluation.scored_cells`). An example without a label does not count.
Sums are kept as whole numbers: neither the order of the examples nor how they are split changes the result.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.batch import IGNORE_LABEL
from trm_lab.evaluation.counts import Counts, merge

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class RightCells:
    """Right cells of the E examples with a label.

    labelled: `[all examples]`, which of them have a label.  right: cells that are right after each step `[E, S]`.
    cells: `[E]`, K.  whole: `[E, S]`, whether the answer is right.
    """

    labelled: NDArray[np.bool_]
    right: Ints
    cells: Ints
    whole: NDArray[np.bool_]

    @classmethod
    def of(
        cls, preds: NDArray[np.integer[Any]], labels: NDArray[np.integer[Any]], cells: NDArray[np.bool_] | None = None
    ) -> "RightCells":
        """cells: `[E, L]`, those that count; None: every token with a label."""
        labelled = labels != IGNORE_LABEL
        cells = labelled if cells is None else cells
        right = np.zeros(preds.shape[:2], np.int64)
        whole = np.zeros(preds.shape[:2], np.bool_)
        for step in range(preds.shape[1]):  # one step at a time: `[E, S, L]` is much
            agree = preds[:, step] == labels
            right[:, step] = (agree & cells).sum(1)
            whole[:, step] = (agree | ~labelled).all(1)
        rows = labelled.any(1)
        return cls(rows, right[rows], cells.sum(1)[rows], whole[rows])


def first_right(whole: NDArray[np.bool_]) -> Ints:
    """The first step, from 1, at which the answer is right; 0 = at none. whole: `[E, S]` → `[E]`."""
    return np.where(whole.any(1), whole.argmax(1) + 1, 0)


def stays_right(whole: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether the answer is right at some step and at every later one. whole: `[E, S]` → `[E]`."""
    broken = whole[:, :-1] & ~whole[:, 1:]
    return whole[:, -1] & ~broken.any(1)


def shares_mean(by_scored: NDArray[Any]) -> NDArray[np.float64]:
    """Σ_e (cells of e / K_e) from sums `[L+1, …]` over the examples of equal K."""
    tokens = np.arange(1, len(by_scored)).reshape(-1, *[1] * (by_scored.ndim - 1))
    return (by_scored[1:] / tokens).sum(0)


@dataclass(frozen=True)
class StepScores:
    """Scores after each supervision step.

    examples: with a label; the others do not count.
    cell_accuracy `[S]`: mean over examples of the share of cells that are right.
    exact_accuracy `[S]`: share of examples whose answer is right.
    hamming `[S]`: mean number of cells that are wrong, the Hamming distance to the answer.
    changed `[S−1]`: mean share of cells that differ between a step and the next.
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
        self.counts: Counts = {}
        self._shape: tuple[int, ...] | None = None  # S, L

    def add(
        self, preds: NDArray[np.integer[Any]], labels: NDArray[np.integer[Any]], cells: NDArray[np.bool_] | None = None
    ) -> None:
        """Take in predictions `[E, S, L]` and labels `[E, L]`.

        cells: `[E, L]`, those that count; None: every token with a label.

        Raises:
            ValueError: shapes that do not belong together, or to those before.
        """
        if preds.ndim != 3 or not preds.shape[1] or labels.shape != (len(preds), preds.shape[2]):
            raise ValueError(f"predictions {preds.shape} and labels {labels.shape}: want [E, S, L] and [E, L]")
        if self._shape not in (None, preds.shape[1:]):
            raise ValueError(f"predictions of (S, L) = {preds.shape[1:]} after {self._shape}")
        self._shape = preds.shape[1:]
        right_cells = RightCells.of(preds, labels, cells)
        changed = _changed_cells(preds, labels != IGNORE_LABEL if cells is None else cells)
        merge(self.counts, _counts(right_cells, changed[right_cells.labelled], preds.shape[2]))

    def result(self) -> StepScores:
        """The scores of all that was added; may be called again after more. Means over no example are 0.

        Raises:
            ValueError: nothing was added.
        """
        if not self.counts:
            raise ValueError("no predictions were added: there are no steps to score")
        counts = self.counts
        examples = int(counts["examples"].sum())
        over = max(examples, 1)
        cells = counts["examples"] @ np.arange(len(counts["examples"]))  # all that are scored
        return StepScores(
            examples=examples,
            cell_accuracy=(shares_mean(counts["right"]) / over).tolist(),
            exact_accuracy=(counts["whole"] / over).tolist(),
            hamming=((cells - counts["right"].sum(0)) / over).tolist(),
            changed=(shares_mean(counts["changed"]) / over).tolist(),
            first_right=counts["first_right"].tolist(),
            stayed_right=counts["stayed_right"].tolist(),
            fixed_late=counts["fixed_late"],
            broken_late=counts["broken_late"],
        )


def _counts(right_cells: RightCells, changed: Ints, tokens: int) -> Counts:
    """The counts from which `StepScores` follow; counts of cells by K, `[L+1, …]`.  changed: `[E, S−1]`."""
    whole, cells = right_cells.whole, right_cells.cells
    first, stays, steps = first_right(whole), stays_right(whole), whole.shape[1]

    def by_cells(rows: Ints) -> Ints:
        sums = np.zeros((tokens + 1, *rows.shape[1:]), np.int64)
        np.add.at(sums, cells, rows)
        return sums

    return {
        "examples": np.bincount(cells, minlength=tokens + 1),
        "right": by_cells(right_cells.right),
        "changed": by_cells(changed),
        "whole": whole.sum(0),
        "first_right": np.bincount(first, minlength=steps + 1),
        "stayed_right": np.bincount(first[stays], minlength=steps + 1),
        "fixed_late": int((~whole[:, 0] & whole[:, -1]).sum()),
        "broken_late": int((whole.any(1) & ~whole[:, -1]).sum()),
    }


def _changed_cells(preds: NDArray[np.integer[Any]], cells: NDArray[np.bool_]) -> Ints:
    """`[E, S−1]`: cells that differ between a step and the next."""
    changed = np.zeros((len(preds), preds.shape[1] - 1), np.int64)
    for step in range(preds.shape[1] - 1):
        changed[:, step] = ((preds[:, step] != preds[:, step + 1]) & cells).sum(1)
    return changed

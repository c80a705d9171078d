"""When to stop: accuracy against network calls for halting policies, from rollouts that were stored whole.

E examples, S supervision steps, L grid tokens. A policy looks at a rollout and says after which step, 1..S, each
example would have stopped; the answer is that step's, and the cost the network calls up to it.
Sums are kept as whole numbers: neither the order of the examples nor how they are split changes the result.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trm_lab.evaluation.counts import Counts, merge
from trm_lab.evaluation.step_scores import Ints, RightCells, shares_mean
from trm_lab.runs.recorded_scores import HaltingPoint

Q_HALT_GRID = tuple(place / 2 for place in range(-8, 9))
"""Halting logits −4..4, so halting probabilities 0.018..0.982; TRM itself halts in training at 0."""

CONFIDENCE_GRIDS = {
    "halting_probability": (*(place / 10 for place in range(1, 10)), 0.95, 0.99, 0.999, 0.9999),
    **dict.fromkeys(
        ("answer_log_probability", "token_log_probability"), tuple(-(2.0**power) for power in range(2, -15, -1))
    ),
}
"""Thresholds by what the confidence is: TRM's, 0..1, or DIS's, a mean over tokens ≤ 0 (−4 to −2⁻¹⁴)."""

AGREEMENT_GRID = (1, 2, 3, 4, 6, 8, 12, 16)


def first_step(condition: NDArray[np.bool_]) -> Ints:
    """The first step, from 1, at which a condition `[E, S]` holds; S where it never does. `[E]`."""
    return np.where(condition.any(1), condition.argmax(1) + 1, condition.shape[1])


def fixed(examples: int, step: int) -> Ints:
    """The same step for every example. `[E]`."""
    return np.full(examples, step, np.int64)


def q_halt(q_halt_logits: NDArray[np.floating[Any]], threshold: float) -> Ints:
    """The first step whose halting logit `[E, S]` is above the threshold, else S. `[E]`."""
    return first_step(q_halt_logits > threshold)


def confidence_at_least(confidence: NDArray[np.floating[Any]], threshold: float) -> Ints:
    """The first step whose confidence `[E, S]` reaches the threshold, else S. `[E]`."""
    return first_step(confidence >= threshold)


def unchanged_for(preds: NDArray[np.integer[Any]]) -> Ints:
    """How many steps right before a step have the same prediction on all tokens. `[E, S, L]` → `[E, S]`."""
    unchanged = np.zeros(preds.shape[:2], np.int64)
    for step in range(1, preds.shape[1]):
        same = (preds[:, step] == preds[:, step - 1]).all(1)
        unchanged[:, step] = np.where(same, unchanged[:, step - 1] + 1, 0)
    return unchanged


def agreement(unchanged: Ints, k: int) -> Ints:
    """The first step whose prediction equals the k before, else S. unchanged: see `unchanged_for`. `[E]`."""
    return first_step(unchanged >= k)


def oracle(whole: NDArray[np.bool_]) -> Ints:
    """The first step that is right `[E, S]`, else S: what no policy can beat. `[E]`."""
    return first_step(whole)


def oracle_cells(right: Ints) -> Ints:
    """The step with most tokens right `[E, S]`, of equal ones the first. `[E]`."""
    return right.argmax(1) + 1


@dataclass(frozen=True)
class HaltingCurves:
    """A point for every policy and setting.  examples: with a scored token; the others do not count."""

    examples: int
    points: list[HaltingPoint]

    def curve(self, policy: str) -> list[HaltingPoint]:
        """The points of one policy, in the order of its settings."""
        return [point for point in self.points if point.policy == policy]

    @property
    def best_reachable(self) -> HaltingPoint:
        """The oracle's point: every example that is ever right, at the first step at which it is."""
        return self.curve("oracle")[0]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "best_reachable": asdict(self.best_reachable)}


class _Rollouts(NamedTuple):
    """What policies look at; the oracles at `right` and `whole`, which only who knows the answer has."""

    unchanged: Ints
    q_halt_logits: NDArray[np.floating[Any]]
    confidence: NDArray[np.floating[Any]]
    right: Ints
    whole: NDArray[np.bool_]


_STOPS: dict[str, Callable[[_Rollouts, Any], Ints]] = {
    "fixed": lambda stored, step: fixed(len(stored.right), step),
    "q_halt": lambda stored, threshold: q_halt(stored.q_halt_logits, threshold),
    "agreement": lambda stored, k: agreement(stored.unchanged, k),
    "confidence": lambda stored, threshold: confidence_at_least(stored.confidence, threshold),
    "oracle": lambda stored, _: oracle(stored.whole),
    "oracle_cells": lambda stored, _: oracle_cells(stored.right),
}


class HaltingTally:
    """Adds up stored rollouts part by part, for `HaltingCurves`.

    network_calls: `[S]`, of an example, summed up to each step.
    confidence_kind: a key of `CONFIDENCE_GRIDS`.

    Raises:
        ValueError: no step, or an unknown kind of confidence.
    """

    def __init__(self, network_calls: Sequence[int], confidence_kind: str) -> None:
        if not len(network_calls) or confidence_kind not in CONFIDENCE_GRIDS:
            kinds = ", ".join(CONFIDENCE_GRIDS)
            raise ValueError(f"{len(network_calls)} steps, confidence {confidence_kind!r}: want 1 or more, {kinds}")
        self._calls = np.asarray(network_calls, np.int64)
        self._policies = _policies(len(network_calls), CONFIDENCE_GRIDS[confidence_kind])
        whole = np.zeros(len(self._policies), np.int64)
        stopped = np.zeros((len(self._policies), len(network_calls) + 1), np.int64)  # at each step
        self.counts: Counts = {"examples": 0, "whole": whole, "stopped": stopped}

    def add(
        self,
        preds: NDArray[np.integer[Any]],
        labels: NDArray[np.integer[Any]],
        q_halt_logits: NDArray[np.floating[Any]],
        confidence: NDArray[np.floating[Any]],
        cells: NDArray[np.bool_] | None = None,
    ) -> None:
        """Take in predictions `[E, S, L]`, labels `[E, L]`, halting logits and confidence `[E, S]`.

        cells: `[E, L]`, those that count; None: every token with a label.

        Raises:
            ValueError: shapes that do not belong together.
        """
        steps = len(self._calls)
        shapes = [preds.shape, labels.shape, q_halt_logits.shape, confidence.shape]
        examples, tokens = labels.shape
        if shapes != [(examples, steps, tokens), labels.shape, (examples, steps), (examples, steps)]:
            raise ValueError(f"shapes {shapes}: want [E, S, L], [E, L], [E, S], [E, S] with S = {steps}")
        right_cells = RightCells.of(preds, labels, cells)
        rows = right_cells.labelled
        halting = q_halt_logits[rows], confidence[rows]
        stored = _Rollouts(unchanged_for(preds)[rows], *halting, right_cells.right, right_cells.whole)
        self._add(stored, right_cells.cells, tokens)

    def _add(self, stored: _Rollouts, scored: Ints, tokens: int) -> None:
        rows = np.arange(len(scored))
        whole, stopped = (np.zeros_like(self.counts[name]) for name in ("whole", "stopped"))
        cells = np.zeros((len(whole), tokens + 1), np.int64)  # that are right, by cells that are scored
        for place, (policy, setting) in enumerate(self._policies):
            stops = _STOPS[policy](stored, setting)  # [E]
            whole[place] = stored.whole[rows, stops - 1].sum()
            stopped[place] = np.bincount(stops, minlength=stopped.shape[1])
            np.add.at(cells[place], scored, stored.right[rows, stops - 1])
        merge(self.counts, {"examples": len(scored), "whole": whole, "stopped": stopped, "cells": cells})

    def result(self) -> HaltingCurves:
        """The curves of all that was added; may be called again after more. Means over no example are 0."""
        counts = self.counts
        over = max(counts["examples"], 1)
        shares = shares_mean(counts.get("cells", np.zeros((len(self._policies), 1))).T) / over
        calls = counts["stopped"][:, 1:] @ self._calls / over
        steps = counts["stopped"][:, 1:] @ np.arange(1, len(self._calls) + 1) / over
        exact = counts["whole"] / over
        columns = zip(*(column.tolist() for column in (exact, shares, calls, steps)), strict=True)
        points = [HaltingPoint(*policy, *values) for policy, values in zip(self._policies, columns, strict=True)]
        return HaltingCurves(counts["examples"], points)


def _policies(steps: int, confidence_grid: Sequence[float]) -> list[tuple[str, float | None]]:
    """Every policy with its settings; agreement over as many steps as there are, or more, is running them all."""
    settings: dict[str, Sequence[float | None]] = {
        "fixed": range(1, steps + 1),
        "q_halt": Q_HALT_GRID,
        "agreement": [k for k in AGREEMENT_GRID if k < steps],
        "confidence": confidence_grid,
        "oracle": [None],
        "oracle_cells": [None],
    }
    return [(policy, setting) for policy, of_policy in settings.items() for setting in of_policy]

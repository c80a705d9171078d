"""Accuracy against network calls of a search: what its rollouts give when fewer of them, fewer steps or another choice
are taken, and when a rule stops them. All of it from one evaluation with the most rollouts and steps.

E examples, S supervision steps, K rollouts, k ≤ K of them, M moments (`wide_rollout`).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_lab.evaluation.search import StopRule
from trm_lab.evaluation.wide_rollout import ROLLOUTS
from trm_lab.runs.answers import Answers, question_digests

ORACLE = "oracle"


@dataclass(frozen=True)
class RolloutTable:
    """What is known of each rollout after each step, all `[E, S, K]`.

    right: whether the answer is right (by the rules of the puzzle where its kind has them, else as the label).
    equal: the first rollout with the same answer.  q_halt, log_probability, change, unchanged: see `StepAnswers`.
    """

    right: NDArray[np.bool_]
    equal: NDArray[np.integer[Any]]
    q_halt: NDArray[np.floating[Any]]
    log_probability: NDArray[np.floating[Any]]
    change: NDArray[np.floating[Any]]
    unchanged: NDArray[np.floating[Any]]

    @classmethod
    def of(cls, columns: Mapping[str, NDArray[Any]]) -> "RolloutTable":
        """Of the columns of rollouts.npz."""
        names = ("equal", "q_halt", "log_probability", "change", "unchanged")
        return cls(columns["right"].astype(bool), **{name: columns[name] for name in names})

    @property
    def width(self) -> int:
        """K."""
        return self.right.shape[2]

    def first(self, width: int, steps: int | None = None) -> "RolloutTable":
        """The first so many rollouts and steps."""
        return RolloutTable(**{name: column[:, :steps, :width] for name, column in vars(self).items()})

    def questions(self, rows: NDArray[Any]) -> "RolloutTable":
        """Some of the examples."""
        return RolloutTable(**{name: column[rows] for name, column in vars(self).items()})

    def chosen(self, select: str) -> NDArray[np.intp]:
        """`[E, S]`: the rollout that answers after each step, see `trm_lab.evaluation.search.chosen_rollout`."""
        signal = self._signal(select)
        best = signal == signal.max(2, keepdims=True)
        return np.where(best, self.log_probability, -np.inf).argmax(2)

    def right_by(self, select: str) -> NDArray[np.bool_]:
        """`[E, S]`: whether the chosen answer is right; `oracle`: whether any rollout's is."""
        if select == ORACLE:
            return np.any(self.right, axis=2)
        return np.take_along_axis(self.right, self.chosen(select)[..., None], 2)[..., 0]

    def stopped(self, rule: StopRule, select: str, order: str) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Which examples are right, and supervision steps that each took over all rollouts, if a rule stopped them."""
        holds = self._holds(rule)  # [E, S, K]
        examples, steps, width = holds.shape
        rows, last = np.arange(examples), self.right_by(select)[:, -1]
        if order == "in-turn":
            in_turn = holds.swapaxes(1, 2).reshape(examples, -1)  # [E, K·S]
            right = self.right.swapaxes(1, 2).reshape(examples, -1)
            moment = in_turn.argmax(1)
            stops = in_turn.any(1)
            return np.where(stops, right[rows, moment], last), np.where(stops, moment + 1, width * steps)
        stops = holds.any((1, 2))
        moment = holds.any(2).argmax(1)  # [E]
        signal = np.where(holds, self._signal(select), -np.inf)
        best = signal == signal.max(2, keepdims=True)
        chosen = np.where(best, self.log_probability, -np.inf).argmax(2)[rows, moment]
        right = np.where(stops, self.right[rows, moment, chosen], last)
        return right, np.where(stops, moment + 1, steps) * width

    def _signal(self, select: str) -> NDArray[Any]:
        if select == "vote":
            return (self.equal[..., None] == self.equal[..., None, :]).sum(-1)
        return {
            "confidence": self.log_probability,
            "q_halt": self.q_halt,
            "convergence": -self.change,
            "valid": self.right.astype(np.int8),
        }[select]

    def _holds(self, rule: StopRule) -> NDArray[np.bool_]:
        threshold = rule.threshold or 0.0
        if rule.signal == "q_halt":
            return self.q_halt > np.float32(math.log(threshold / (1 - threshold)))
        if rule.signal == "confidence":
            return self.log_probability >= math.log(threshold)
        return self.unchanged >= threshold if rule.signal == "agreement" else self.right


def widths(most: int) -> list[int]:
    """1, 2, 4, … and `most`."""
    return sorted({2**power for power in range(most.bit_length()) if 2**power <= most} | {most})


class SearchTally:
    """Gathers what probes tell of single rollouts, of the examples with a label.

    selections: the keys of `SELECTIONS` that the method and the kind of puzzle have.
    """

    def __init__(self, selections: Sequence[str]) -> None:
        self._selections = selections
        self._parts: list[dict[str, NDArray[Any]]] = []

    def __bool__(self) -> bool:
        return bool(self._parts)

    def add(self, answers: Answers) -> None:
        """Add a part of the answers."""
        probes = {n.removeprefix(ROLLOUTS): a for n, a in answers.probes.items() if n.startswith(ROLLOUTS)}
        if probes:
            rows = answers.scored.any(1)
            columns = {name: array[rows] for name, array in probes.items()}
            self._parts.append({**columns, "question": question_digests(answers.inputs[rows])})

    def columns(self) -> dict[str, NDArray[Any]]:
        """The columns of rollouts.npz; {} without a search."""
        names = self._parts[0] if self._parts else {}
        return {name: np.concatenate([part[name] for part in self._parts]) for name in names}

    def scores(self, calls: float) -> dict[str, Any]:
        """For scores.json: the share that is right, by selection, width and step.

        calls: network calls of one step of all K rollouts.
        """
        table = RolloutTable.of(self.columns())
        each = calls / table.width
        points = [
            {"select": select, "width": width, "step": step, "network_calls": each * width * step, "right": share}
            for width in widths(table.width)
            for select in ((*self._selections, ORACLE) if width > 1 else self._selections[:1])
            for step, share in enumerate(table.first(width).right_by(select).mean(0).tolist(), start=1)
        ]
        return {"examples": len(table.right), "width": table.width, "points": points}

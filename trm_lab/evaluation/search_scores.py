"""Accuracy against network calls of a search: what its rollouts give when fewer of them, fewer steps or another choice
are taken, and when a rule stops them. All of it from one evaluation with the most rollouts and steps.

E examples, S supervision steps, K rollouts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_lab.evaluation.counts import in_order
from trm_lab.evaluation.search import ROLLOUTS, RolloutSignals, StopRule
from trm_lab.runs.answers import Answers, question_digests

ORACLE = "oracle"  # any rollout right
SIGNALS = ("q_halt_logits", "log_probability", "change", "unchanged", "right", "equal")


@dataclass(frozen=True)
class RolloutTable(RolloutSignals):
    """The signals of K rollouts after each step, each `[K, E, S]`.

    right: whether the answer is right, by the rules of the puzzle where its kind has them, else as the label.
    """

    right: NDArray[np.bool_]
    equal: NDArray[np.integer[Any]]

    @classmethod
    def read(cls, columns: Mapping[str, NDArray[Any]]) -> "RolloutTable":
        """From the columns of rollouts.npz, `[E, S, K]`."""
        arrays = {name: np.moveaxis(columns[name], 2, 0) for name in SIGNALS}
        return cls(**{**arrays, "right": arrays["right"].astype(bool)})

    @property
    def width(self) -> int:
        """K."""
        return len(self.right)

    @property
    def steps(self) -> int:
        """S."""
        return self.right.shape[2]

    def first(self, width: int, steps: int | None = None) -> "RolloutTable":
        """The first so many rollouts, and of each the first so many steps; None: all of them."""
        return RolloutTable(**{name: column[:width, :, :steps] for name, column in vars(self).items()})

    def questions(self, rows: NDArray[Any]) -> "RolloutTable":
        """Some of the examples."""
        return RolloutTable(**{name: column[:, rows] for name, column in vars(self).items()})

    def right_by(self, select: str) -> NDArray[np.bool_]:
        """`[E, S]`: whether the chosen answer is right; `oracle`: whether any rollout's is."""
        if select == ORACLE:
            return np.any(self.right, axis=0)
        return np.take_along_axis(self.right, self.choice(select)[None], 0)[0]

    def stopped(self, rule: StopRule, select: str, order: str) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Which examples `[E]` are right, and the supervision steps `[E]` of all rollouts, if a rule had stopped them.

        Equals an evaluation with `--stop rule --order order` (tested); of unstopped examples the last answer counts.
        """
        holds = rule.holds(self)
        width, examples, steps = holds.shape
        rows, last = np.arange(examples), self.right_by(select)[:, -1]
        if order == "in-turn":
            in_turn, right = (each.swapaxes(0, 1).reshape(examples, -1) for each in (holds, self.right))  # [E, K·S]
            stops, moment = in_turn.any(1), in_turn.argmax(1)
            return np.where(stops, right[rows, moment], last), np.where(stops, moment + 1, width * steps)
        stops, moment = holds.any((0, 2)), holds.any(0).argmax(1)  # [E]
        chosen = self.choice(select, among=holds | ~holds.any(0))[rows, moment]
        return np.where(stops, self.right[chosen, rows, moment], last), np.where(stops, moment + 1, steps) * width


def widths(most: int) -> list[int]:
    """1, 2, 4, … and `most`."""
    return sorted({2**power for power in range(most.bit_length()) if 2**power <= most} | {most})


class SearchTally:
    """Collects the probes of single rollouts, for the examples with a label.

    selections: the keys of `SELECTIONS` that the method and the kind of puzzle have.
    """

    def __init__(self, selections: Sequence[str]) -> None:
        self._selections = selections
        self.counts: dict[str, list[tuple[int, dict[str, NDArray[Any]]]]] = {"parts": []}  # see `in_order`

    def __bool__(self) -> bool:
        return bool(self.counts["parts"])

    def add(self, answers: Answers) -> None:
        """Add a part of the answers."""
        probes = {n.removeprefix(ROLLOUTS): a for n, a in answers.probes.items() if n.startswith(ROLLOUTS)}
        if probes:
            rows = answers.scored.any(1)
            columns = {name: array[rows] for name, array in probes.items()}
            columns["question"] = question_digests(answers.inputs[rows])
            self.counts["parts"].append((answers.first, columns))

    def columns(self) -> dict[str, NDArray[Any]]:
        """The columns of rollouts.npz; {} without a search."""
        parts = in_order(self.counts["parts"])
        columns = {name: np.concatenate([part[name] for part in parts]) for name in (parts[0] if parts else {})}
        return {n: column.astype(np.float32) if column.dtype == np.float64 else column for n, column in columns.items()}

    def scores(self, calls: float) -> dict[str, Any]:
        """For scores.json: the share that is right, by selection, width and step.

        calls: network calls of one step of all K rollouts.
        """
        table = RolloutTable.read(self.columns())
        calls_of_one = calls / table.width
        points = [
            {
                "select": select,
                "width": width,
                "step": step,
                "network_calls": calls_of_one * width * step,
                "right": share,
            }
            for width in widths(table.width)
            for select in ((*self._selections, ORACLE) if width > 1 else self._selections[:1])
            for step, share in enumerate(table.first(width).right_by(select).mean(0).tolist(), start=1)
        ]
        return {"examples": table.right.shape[1], "width": table.width, "points": points}

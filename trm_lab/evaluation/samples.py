"""Rows of an evaluation that are kept whole: a few of each task for pictures, and what somebody asked for."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_lab.puzzles.layout import BLANK
from trm_lab.puzzles.selection import task_name
from trm_lab.runs.answers import Answers

SAMPLES = 64  # tasks of which a rollout is kept whole, for pictures


class Samples:
    """For pictures, of each task: its first test input, augmented or not, that ends right; else its first one.

    So a share of right samples is no score. At most `SAMPLES` tasks, in file order. A puzzle without an identity (its
    identifier is the blank one) is a task of its own, called "example <n>", counted from 1 over all examples.
    """

    def __init__(self, identifiers: Sequence[str]) -> None:
        self._identifiers = identifiers
        self._taken: dict[str, tuple[str, list[NDArray[Any]]]] = {}  # task → name of the puzzle, arrays
        self._right: set[str] = set()

    def add(self, made: Answers) -> None:
        """Look a part of the answers through."""
        last = made.predictions[:, -1]
        right = made.scored.any(1) & ((last == made.labels) | ~made.scored).all(1)  # [B]
        for row, identifier in enumerate(made.puzzle_identifiers.tolist()):
            name = self._identifiers[identifier]
            if name == BLANK:
                name = f"example {made.first + row + 1}"
            task = task_name(name)
            room = len(self._taken) < SAMPLES and task not in self._taken
            if room or (right[row] and task in self._taken and task not in self._right):
                kept = [made.inputs[row], made.labels[row], made.predictions[row]]
                self._taken[task] = (name, kept)
                if right[row]:
                    self._right.add(task)

    def stacked(self) -> dict[str, NDArray[Any]]:
        """names, inputs, labels, preds; empty without any."""
        if not self._taken:
            return {}
        names, kept = zip(*self._taken.values(), strict=True)
        inputs, labels, predictions = zip(*kept, strict=True)
        return {
            "names": np.array(names, dtype=np.str_),
            "inputs": np.stack(inputs),
            "labels": np.stack(labels),
            "preds": np.stack(predictions),
        }


class Kept:
    """Arrays of every example, by their published names: inputs, labels, preds, q_halt_logits and so on."""

    def __init__(self, names: Sequence[str]) -> None:
        self._parts: dict[str, list[NDArray[Any]]] = {name: [] for name in names}

    def add(self, made: Answers) -> None:
        """Keep a part's; of what each step gives, the last step's."""
        last: dict[str, NDArray[Any]] = {
            "preds": made.predictions[:, -1],
            "q_halt_logits": made.q_halt_logits[:, -1],
            "confidence": made.confidence[:, -1],
        }
        arrays = made.arrays() | last
        for name, parts in self._parts.items():
            parts.append(arrays[name])

    def stacked(self) -> dict[str, NDArray[Any]]:
        """`[E, …]` each."""
        return {name: np.concatenate(parts) for name, parts in self._parts.items() if parts}

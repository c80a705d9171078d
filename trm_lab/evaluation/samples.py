"""Rows of an evaluation that are kept whole: one of each task for pictures, and the arrays of --save-outputs."""

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

    def add(self, answers: Answers) -> None:
        """Take samples from a part of the answers."""
        last = answers.predictions[:, -1]
        right = answers.scored.any(1) & ((last == answers.labels) | ~answers.scored).all(1)  # [B]
        for row, identifier in enumerate(answers.puzzle_identifiers.tolist()):
            name = self._identifiers[identifier]
            if name == BLANK:
                name = f"example {answers.first + row + 1}"
            task = task_name(name)
            room = len(self._taken) < SAMPLES and task not in self._taken
            if room or (right[row] and task in self._taken and task not in self._right):
                sample = [answers.inputs[row], answers.labels[row], answers.predictions[row]]
                self._taken[task] = (name, sample)
                if right[row]:
                    self._right.add(task)

    def stacked(self) -> dict[str, NDArray[Any]]:
        """names, inputs, labels, preds; empty without any."""
        if not self._taken:
            return {}
        names, samples = zip(*self._taken.values(), strict=True)
        inputs, labels, predictions = zip(*samples, strict=True)
        return {
            "names": np.array(names, dtype=np.str_),
            "inputs": np.stack(inputs),
            "labels": np.stack(labels),
            "preds": np.stack(predictions),
        }


class SavedOutputs:
    """Arrays of every example, by their published names: inputs, labels, preds, q_halt_logits and so on."""

    def __init__(self, names: Sequence[str]) -> None:
        self._parts: dict[str, list[NDArray[Any]]] = {name: [] for name in names}

    def add(self, answers: Answers) -> None:
        """Keep a part's; of what each step gives, the last step's."""
        last: dict[str, NDArray[Any]] = {
            "preds": answers.predictions[:, -1],
            "q_halt_logits": answers.q_halt_logits[:, -1],
            "confidence": answers.confidence[:, -1],
        }
        arrays = answers.arrays() | last
        for name, parts in self._parts.items():
            parts.append(arrays[name])

    def stacked(self) -> dict[str, NDArray[Any]]:
        """`[E, …]` each."""
        return {name: np.concatenate(parts) for name, parts in self._parts.items() if parts}

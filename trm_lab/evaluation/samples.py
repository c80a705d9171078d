"""Rows of an evaluation that are kept whole: one of each task for pictures, and the arrays of --save-outputs."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_lab.evaluation.counts import in_order
from trm_lab.puzzles.layout import BLANK
from trm_lab.puzzles.selection import task_name
from trm_lab.runs.answers import Answers

SAMPLES = 64  # tasks of which a rollout is kept whole, for pictures


class Samples:
    """For pictures, of each task: its first test input, augmented or not, that ends right; else its first one.

    So a share of right samples is no score. At most `SAMPLES` tasks, in file order. A puzzle without an identity (its
    identifier is the blank one) is a task of its own, called "example <n>", counted from 1 over all examples.

    identifiers: puzzle names by identifier.  puzzles: the identifier of every example's puzzle, in file order.
    """

    def __init__(self, identifiers: Sequence[str], puzzles: Iterable[int]) -> None:
        self._identifiers = identifiers
        # task → samples to choose from: (did not end right, place among all examples), name of the puzzle, arrays
        self.counts: dict[str, list[tuple[tuple[bool, int], str, list[NDArray[Any]]]]] = {}
        for place, identifier in enumerate(puzzles):
            self.counts[task_name(puzzle_name(identifiers, identifier, place))] = []
            if len(self.counts) == SAMPLES:
                break

    def add(self, answers: Answers) -> None:
        """Take samples from a part of the answers."""
        last = answers.predictions[:, -1]
        right = answers.scored.any(1) & ((last == answers.labels) | ~answers.scored).all(1)  # [B]
        for row, identifier in enumerate(answers.puzzle_identifiers.tolist()):
            place = answers.first + row
            name = puzzle_name(self._identifiers, identifier, place)
            samples, order = self.counts.get(task_name(name)), (not right[row], place)
            if samples is None or (samples and samples[0][0] < order):
                continue
            arrays = (answers.inputs, answers.labels, answers.predictions)
            samples[:] = [(order, name, [array[row] for array in arrays])]

    def stacked(self) -> dict[str, NDArray[Any]]:
        """names, inputs, labels, preds; empty without any."""
        best = [min(samples, key=lambda sample: sample[0]) for samples in self.counts.values() if samples]
        if not best:
            return {}
        _, names, samples = zip(*best, strict=True)
        inputs, labels, predictions = zip(*samples, strict=True)
        return {
            "names": np.array(names, dtype=np.str_),
            "inputs": np.stack(inputs),
            "labels": np.stack(labels),
            "preds": np.stack(predictions),
        }


def puzzle_name(identifiers: Sequence[str], identifier: int, place: int) -> str:
    """The name of a puzzle; that of one without an identity is of its place, from 0, among all examples."""
    name = identifiers[identifier]
    return f"example {place + 1}" if name == BLANK else name


class SavedOutputs:
    """Arrays of every example, by their published names: inputs, labels, preds, q_halt_logits and so on."""

    def __init__(self, names: Sequence[str]) -> None:
        self.counts: dict[str, list[tuple[int, NDArray[Any]]]] = {name: [] for name in names}  # see `in_order`

    def add(self, answers: Answers) -> None:
        """Keep a part's; of what each step gives, the last step's."""
        last: dict[str, NDArray[Any]] = {
            "preds": answers.predictions[:, -1],
            "q_halt_logits": answers.q_halt_logits[:, -1],
            "confidence": answers.confidence[:, -1],
        }
        arrays = answers.arrays() | last
        for name, parts in self.counts.items():
            parts.append((answers.first, arrays[name]))

    def stacked(self) -> dict[str, NDArray[Any]]:
        """`[E, …]` each."""
        return {name: np.concatenate(in_order(parts)) for name, parts in self.counts.items() if parts}

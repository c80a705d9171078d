"""What a dataset's own scorer says of the answers, summed over examples. B rows, S supervision steps, L tokens."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.evaluation.scorers.base import SOLVED, Scorer
from trm.puzzles.manifest import About


class TaskTally:
    """Verdicts on the answers to one dataset, kept on the first rank.

    dataset: its folder; its name stands for a dataset that says nothing of itself.  scorer: None for none.
    """

    def __init__(self, dataset: Path, about: About | None, scorer: Scorer | None) -> None:
        self.about = about or About(dataset.name, version=0, protocol="unknown")
        self._scorer = scorer
        self._examples = 0
        self._verdicts: Counter[str] = Counter()
        self._solved: NDArray[np.int64] = np.zeros(0, np.int64)  # [S]

    def add(self, arrays: dict[str, NDArray[Any]], predictions: NDArray[np.uint8]) -> None:
        """Take in a batch's inputs and labels `[B, L]` and predictions `[B, S, L]`."""
        self._examples += len(predictions)
        if self._scorer is None:
            return
        steps = predictions.shape[1]
        if not len(self._solved):
            self._solved = np.zeros(steps, np.int64)
        for step in range(steps):
            verdicts = self._scorer(arrays["inputs"], arrays["labels"], predictions[:, step])
            self._solved[step] += int(verdicts[SOLVED].sum())
        self._verdicts.update(
            {name: int(given.sum()) for name, given in verdicts.items()}
        )  # of the last step

    def result(self) -> dict[str, Any]:
        """For scores.json: the dataset in its own words, and how many answers got each verdict."""
        about = self.about
        return {
            "dataset": about.name,
            "version": about.version,
            "protocol": about.protocol,
            "facts": about.facts,
            "scorer": about.scorer,
            "examples": self._examples,
            "verdicts": dict(self._verdicts),
            "solved_per_step": self._solved.tolist(),
        }

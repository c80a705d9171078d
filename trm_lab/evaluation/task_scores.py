"""What a dataset's own scorer says of the answers, summed over examples. B rows, S supervision steps, L tokens."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_lab.puzzles.manifest import About
from trm_lab.puzzles.scorer import SOLVED, Scorer
from trm_lab.runs.answers import Answers


class TaskTally:
    """Counts of verdicts on the answers to one dataset, on the first rank.

    dataset: its folder; its name stands for a dataset that says nothing of itself.  scorer: None for none.
    """

    def __init__(self, dataset: Path, about: About | None, scorer: Scorer | None) -> None:
        self.about = about or About(dataset.name, version=0, protocol="unknown")
        self._scorer = scorer
        self._examples = 0
        self._verdicts: Counter[str] = Counter()
        self._solved: NDArray[np.int64] = np.zeros(0, np.int64)  # [S]

    def add(self, answers: Answers) -> NDArray[np.bool_] | None:
        """Judge a part of the answers; which are solved after the last step `[B]`, or None without a scorer."""
        self._examples += len(answers)
        if self._scorer is None:
            return None
        steps = answers.predictions.shape[1]
        if not len(self._solved):
            self._solved = np.zeros(steps, np.int64)
        labels = answers.labels.astype(np.int32)
        for step in range(steps):
            verdicts = self._scorer(answers.inputs, labels, answers.predictions[:, step])
            self._solved[step] += int(verdicts[SOLVED].sum())
        self._verdicts.update({name: int(rows.sum()) for name, rows in verdicts.items()})  # of the last step
        return np.asarray(verdicts[SOLVED], dtype=bool)

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

"""Scores of answers that need no learning, beside those of a model. B rows of a part, L grid tokens."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError
from trm_lab.evaluation.step_scores import StepTally
from trm_lab.evaluation.training_answers import TrainingAnswers
from trm_lab.puzzles.datasets import PuzzleSet
from trm_lab.puzzles.loading import EvaluationData
from trm_lab.puzzles.scorer import Scorer
from trm_lab.runs.answers import Answers
from trm_lab.runs.evaluation_folder import ANSWER, BASELINES, COPY, TOKENS


def best_baseline(scores: Mapping[str, Any], key: str) -> tuple[str, float]:
    """The baseline with the highest cell_accuracy or exact_accuracy in scores.json, as a table names it; its share."""
    known = {COPY: scores["copy"], **scores.get("baselines", {})}
    shares = {said: known[name][key] for name, said in BASELINES.items() if name in known}
    best = max(shares, key=lambda said: shares[said])
    return best, float(shares[best])


class Baselines:
    """Scores of the question itself, of the training set's most common answer and of its most common tokens.

    A set is answered by what its own dataset's training split has most. They are the same for every model: once all
    test examples were added and the scores taken, further ones change nothing.
    """

    def __init__(self, data: EvaluationData) -> None:
        self._sets, self._seq_len = data.sets, data.metadata.seq_len
        self._taken: dict[str, Any] | None = None
        self.begin()

    def begin(self) -> None:
        """Forget what was added, unless the scores are known."""
        if self._taken is not None:
            return
        self._tallies: dict[str, StepTally] = {}
        self._verdicts: dict[str, dict[str, Counter[str]]] = {one.name: {} for one in self._sets}

    def add(self, made: Answers, cells: NDArray[np.bool_], scorer: Scorer | None) -> None:
        """Take in a part of the questions and labels; cells: `[B, L]`, those that count."""
        if self._taken is not None:
            return
        for name, tokens in self._predictions(made).items():
            predictions = np.broadcast_to(tokens, made.inputs.shape)
            self._tallies.setdefault(name, StepTally()).add(predictions[:, None], made.labels, cells)
            if scorer is not None:
                verdicts = scorer(made.inputs, made.labels.astype(np.int32), predictions)
                counts = self._verdicts[made.set_name].setdefault(name, Counter())
                counts.update({verdict: int(given.sum()) for verdict, given in verdicts.items()})

    def scores(self) -> dict[str, Any]:
        """For scores.json: of each baseline cell_accuracy and exact_accuracy; examples that the training split gave.

        "unknown": why those of the training set are missing.
        """
        if self._taken is None:
            found = {name: tally.result() for name, tally in self._tallies.items()}
            self._taken = {
                name: {"cell_accuracy": one.cell_accuracy[0], "exact_accuracy": one.exact_accuracy[0]}
                for name, one in found.items()
            } | self._training[1]
        return self._taken

    def verdicts(self, set_name: str) -> dict[str, dict[str, int]]:
        """Of the set's own scorer, by baseline."""
        return {name: dict(counts) for name, counts in self._verdicts[set_name].items()}

    def _predictions(self, made: Answers) -> dict[str, NDArray[Any]]:
        known = self._training[0].get(made.set_name)
        learned = {} if known is None else {ANSWER: known.most_common, TOKENS: known.tokens}
        return {COPY: made.inputs, **learned}

    @cached_property
    def _training(self) -> tuple[Mapping[str, TrainingAnswers], dict[str, Any]]:
        """Of each set its dataset's, read when the first part comes; and for scores.json, how much was read."""
        return _read(self._sets, self._seq_len)


def _read(sets: Sequence[PuzzleSet], seq_len: int) -> tuple[dict[str, TrainingAnswers], dict[str, Any]]:
    datasets = {one.dataset: one.about.scorer if one.about is not None else "" for one in sets}
    try:
        found = {path: TrainingAnswers.read(path, scorer, seq_len) for path, scorer in datasets.items()}
    except UserError as error:
        return {}, {"unknown": error.given}
    counted = {
        "training_examples": sum(one.examples for one in found.values()),
        "of": sum(one.total for one in found.values()),
    }
    return {one.name: found[one.dataset] for one in sets}, counted

"""Scores of answers that need no learning, beside those of a model. B rows of a part, L grid tokens."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError
from trm_lab.evaluation.counts import Counts, merge
from trm_lab.evaluation.in_training import verdicts_of, without
from trm_lab.evaluation.step_scores import StepTally
from trm_lab.evaluation.training_answers import TrainingAnswers
from trm_lab.puzzles.datasets import PuzzleSet
from trm_lab.puzzles.loading import EvaluationData
from trm_lab.puzzles.scorer import SOLVED, Scorer
from trm_lab.puzzles.training_rows import Standing
from trm_lab.runs.answers import Answers
from trm_lab.runs.evaluation_folder import ANSWER, BASELINES, COPY, TOKENS


def best_baseline(scores: Mapping[str, Any], key: str) -> tuple[str, float]:
    """The baseline with the highest cell_accuracy or exact_accuracy in scores.json, as a table names it; its share."""
    baselines = {COPY: scores["copy"], **scores.get("baselines", {})}
    shares = {title: baselines[name][key] for name, title in BASELINES.items() if name in baselines}
    best = max(shares, key=lambda title: shares[title])
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
        """Forget what was added, unless the scores were taken."""
        if self._taken is not None:
            return
        self._tallies = {name: StepTally() for name in BASELINES}
        self._verdicts: dict[str, dict[str, Counter[str]]] = {one.name: {} for one in self._sets}
        self._without: Counts = {one.name: {} for one in self._sets}

    @property
    def counts(self) -> Counts:
        """What was counted since `begin`; {} once the scores were taken."""
        if self._taken is not None:
            return {}
        return {"verdicts": self._verdicts, "without": self._without} | {
            name: tally.counts for name, tally in self._tallies.items()
        }

    def add(
        self, answers: Answers, cells: NDArray[np.bool_], scorer: Scorer | None, standing: Standing | None = None
    ) -> None:
        """Add a part of the questions and labels.

        cells: `[B, L]`, those that count.  standing: what of them is in training; None where it is not known.
        """
        if self._taken is not None:
            return
        for name, tokens in self._predictions(answers).items():
            predictions = np.broadcast_to(tokens, answers.inputs.shape)
            self._tallies[name].add(predictions[:, None], answers.labels, cells)
            solved = None
            if scorer is not None:
                verdicts = scorer(answers.inputs, answers.labels.astype(np.int32), predictions)
                counts = self._verdicts[answers.set_name].setdefault(name, Counter())
                counts.update({verdict: int(rows.sum()) for verdict, rows in verdicts.items()})
                solved = verdicts[SOLVED]
            if standing is not None:
                new = without(standing, verdicts_of(predictions, answers, solved))
                merge(self._without[answers.set_name].setdefault(name, {}), new)

    def scores(self) -> dict[str, Any]:
        """For scores.json: of each baseline cell_accuracy and exact_accuracy; examples that the training split gave.

        "unknown": why those of the training set are missing.
        """
        if self._taken is None:
            results = {name: tally.result() for name, tally in self._tallies.items() if tally.counts}
            self._taken = {
                name: {"cell_accuracy": result.cell_accuracy[0], "exact_accuracy": result.exact_accuracy[0]}
                for name, result in results.items()
            } | self._training[1]
        return self._taken

    def verdicts(self, set_name: str) -> dict[str, dict[str, int]]:
        """Counts of the set's own scorer's verdicts, by baseline."""
        return {name: dict(counts) for name, counts in self._verdicts[set_name].items()}

    def without(self, set_name: str) -> Counts:
        """By baseline, see `in_training.without`; {} where it is not known what is in training."""
        return dict(self._without[set_name])

    def _predictions(self, answers: Answers) -> dict[str, NDArray[Any]]:
        training = self._training[0].get(answers.set_name)
        learned = {} if training is None else {ANSWER: training.most_common, TOKENS: training.tokens}
        return {COPY: answers.inputs, **learned}

    @cached_property
    def _training(self) -> tuple[Mapping[str, TrainingAnswers], dict[str, Any]]:
        """Training answers by set, read when the first part comes; and for scores.json, how much was read."""
        return _read_training(self._sets, self._seq_len)


def _read_training(sets: Sequence[PuzzleSet], seq_len: int) -> tuple[dict[str, TrainingAnswers], dict[str, Any]]:
    datasets = {each.dataset: each.about.scorer if each.about is not None else "" for each in sets}
    try:
        answers = {path: TrainingAnswers.read(path, scorer, seq_len) for path, scorer in datasets.items()}
    except UserError as error:
        return {}, {"unknown": error.given}
    counts = {
        "training_examples": sum(each.examples for each in answers.values()),
        "of": sum(each.total for each in answers.values()),
    }
    return {each.name: answers[each.dataset] for each in sets}, counts

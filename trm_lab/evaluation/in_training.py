"""How much of a test split stands in training, and the scores without it. B rows of a part, L tokens."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError
from trm_lab.evaluation.counts import Counts
from trm_lab.puzzles.arc.training_grids import TrainingGrids, pairs_of_tasks, parse_pair
from trm_lab.puzzles.loading import EvaluationData
from trm_lab.puzzles.scorer import SOLVED
from trm_lab.puzzles.splits import PuzzleSplit
from trm_lab.puzzles.training_rows import Standing, TrainingRows, open_training, rows_of_split
from trm_lab.runs.answers import Answers
from trm_lab.runs.arc_outputs import ATTEMPTS, OutputRecord

EXACT = "exact"
Verdicts = Mapping[str, NDArray[np.bool_]]  # by name, `[B]` each


class InTraining:
    """Tells what of the test examples stands in training: in splits that are read once, when it is first asked.

    trained_on: the datasets whose training splits the network learned from, none if they are not at hand; None: those
    of the test examples.
    """

    def __init__(self, data: EvaluationData, trained_on: Sequence[Path] | None = None) -> None:
        self._data, self._trained_on = data, trained_on
        self._opened: dict[Path, PuzzleSplit] = {}
        self._is_arc = bool(data.test_puzzles)

    def rows(self, set_name: str) -> TrainingRows | None:
        """What a set is looked for in; None of ARC, whose grids are compared, and where no split is at hand."""
        return self._rows.get(set_name)

    def standing(self, answers: Answers) -> Standing | None:
        """Which of a part's questions and answers stand in training; None where it is not known."""
        rows = self.rows(answers.set_name)
        return None if rows is None else rows.standing(answers.inputs, answers.labels)

    def marked(self, outputs: Sequence[OutputRecord]) -> list[OutputRecord]:
        """ARC's test outputs with whether they are in training, where that is known."""
        if self._grids is None:
            return list(outputs)
        flags = (self._arc_flags[output.task, output.test_index] for output in outputs)
        return [
            replace(output, question_in_training=question, answer_in_training=answer if output.known else None)
            for output, (question, answer) in zip(outputs, flags, strict=True)
        ]

    def arc_scores(self, model: Sequence[OutputRecord], copy: Sequence[OutputRecord]) -> dict[str, Any] | None:
        """For scores.json: how many of ARC's known test outputs are in training, and how many of the others are right.

        model: as `marked` gives them.  copy: the same outputs of the copied input.  None where it is not known.
        """
        if self._grids is None:
            return None
        numbers = [number for number, output in enumerate(model) if output.known]
        flags = [(model[number].question_in_training, model[number].answer_in_training) for number in numbers]
        standing = Standing(*np.array(flags, bool).reshape(-1, 2).T)

        def verdicts(outputs: Sequence[OutputRecord]) -> Verdicts:
            return {
                f"outputs_correct@{k}": np.array([outputs[number].correct_at(k) for number in numbers], bool)
                for k in range(1, ATTEMPTS + 1)
            }

        return {
            "compared": self._grids.compared,
            **_sizes(standing),
            **without(standing, verdicts(model)),
            "baselines": {"copy": without(standing, verdicts(copy))},
        }

    @cached_property
    def _rows(self) -> dict[str, TrainingRows]:
        sets = () if self._is_arc else self._data.sets
        tested = {each.dataset: 0 for each in sets}
        for each in sets:
            tested[each.dataset] += each.examples.count
        read: dict[Path, TrainingRows] = {}
        try:
            for each in sets:
                if each.dataset not in read:
                    rows = chain.from_iterable(map(rows_of_split, self._splits([each.dataset])))
                    read[each.dataset] = TrainingRows(rows, each.about, tested[each.dataset])
        except UserError:  # the baselines say why, or the remark on what the network was trained on
            return {}
        return {each.name: read[each.dataset] for each in sets}

    def _splits(self, tested: Sequence[Path]) -> list[PuzzleSplit]:
        """The training splits that test examples of some datasets are looked for in.

        Raises:
            UserError: one is not there, is broken, or of another length; or there is none at all.
        """
        places = tested if self._trained_on is None else self._trained_on
        if not places:
            raise UserError("no training data", "the data that the network was trained on", "build it")
        for path in places:
            if path not in self._opened:
                self._opened[path] = open_training(path, self._data.metadata.seq_len)
        return [self._opened[path] for path in places]

    @cached_property
    def _grids(self) -> TrainingGrids | None:
        canvas = math.isqrt(self._data.metadata.seq_len)
        try:
            sets = [examples for split in self._splits(self._data.paths) for examples in split.sets.values()]
            augmented = any(len(each.puzzle_identifiers) >= len(each.group_indices) for each in sets)
            return TrainingGrids(chain.from_iterable(pairs_of_tasks(each, canvas) for each in sets), augmented)
        except UserError:
            return None

    @cached_property
    def _arc_flags(self) -> dict[tuple[str, int], tuple[bool, bool]]:
        assert self._grids is not None
        tasks = self._data.test_puzzles.items()
        pairs = (((task, index), pair) for task, parts in tasks for index, pair in enumerate(parts["test"]))
        return {place: self._grids.standing(parse_pair(pair)) for place, pair in pairs}


def without(standing: Standing, verdicts: Verdicts) -> Counts:
    """How many get each verdict of those whose question, and of those whose answer, is not in training."""
    return {
        f"without_{what}": {verdict: int((rows & ~stands).sum()) for verdict, rows in verdicts.items()}
        for what, stands in vars(standing).items()
    }


def _sizes(standing: Standing) -> Counts:
    return {"examples": len(standing.questions)} | {what: int(rows.sum()) for what, rows in vars(standing).items()}


def tallied(answers: Answers, standing: Standing, solved: NDArray[np.bool_] | None, rows: TrainingRows) -> Counts:
    """Of a part, what is in training, and what is right without it after the last step.

    solved: `[B]`, by the set's own scorer.  rows: the set's training split.
    """
    last, labelled = answers.predictions[:, -1], answers.scored.any(1)
    of_labelled = Standing(standing.questions[labelled], standing.answers[labelled])
    predicted = rows.holds(last, answers.labels)[labelled]
    return {
        **_sizes(of_labelled),
        "predictions": int(predicted.sum()),
        **without(standing, verdicts_of(last, answers, solved)),
    }


def verdicts_of(
    predictions: NDArray[np.integer[Any]], answers: Answers, solved: NDArray[np.bool_] | None = None
) -> Verdicts:
    """Exact matches of predictions `[B, L]` and, with a scorer, solved ones; none of rows without a label."""
    labelled = answers.scored.any(1)
    right = ((predictions == answers.labels) | ~answers.scored).all(1) & labelled
    return {EXACT: right} | ({} if solved is None else {SOLVED: solved & labelled})

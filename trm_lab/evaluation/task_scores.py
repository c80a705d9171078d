"""What a dataset's own scorer says of the answers, in all and by category. B rows, S supervision steps, L tokens."""

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_lab.evaluation.counts import Counts, in_order
from trm_lab.evaluation.step_scores import RightCells
from trm_lab.puzzles.manifest import About, CategoryNames
from trm_lab.puzzles.scorer import SOLVED, Scorer
from trm_lab.runs.answers import Answers
from trm_lab.runs.recorded_evaluations import CategoryScores


class TaskTally:
    """Counts of verdicts on the answers to one dataset, on the first rank.

    dataset: its folder; its name stands for a dataset that says nothing of itself.  scorer: None for none.
    categories: their names, and the number of each example's in file order; None for none.
    first: place of the set's first example among all.
    """

    def __init__(
        self,
        dataset: Path,
        about: About | None,
        scorer: Scorer | None,
        categories: tuple[CategoryNames, NDArray[np.integer]] | None = None,
        first: int = 0,
    ) -> None:
        self.about = about or About(dataset.name, version=0, protocol="unknown")
        self._scorer = scorer
        self._categories = None if categories is None else CategoryTally(*categories, first)
        self.counts: Counts = {"examples": 0, "verdicts": Counter(), "solved": Counter()}
        if self._categories is not None:
            self.counts["categories"] = self._categories.counts

    def add(self, answers: Answers, cells: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
        """Judge a part of the answers; which are solved after the last step `[B]`, or None without a scorer.

        cells: `[B, L]`, those that count.
        """
        self.counts["examples"] += len(answers)
        solved = None if self._scorer is None else self._judge(answers, self._scorer)
        if self._categories is not None:
            self._categories.add(answers, cells, solved)
        return solved

    def _judge(self, answers: Answers, scorer: Scorer) -> NDArray[np.bool_]:
        labels = answers.labels.astype(np.int32)
        for step in range(answers.predictions.shape[1]):
            verdicts = scorer(answers.inputs, labels, answers.predictions[:, step])
            self.counts["solved"][step] += int(verdicts[SOLVED].sum())
        self.counts["verdicts"].update({name: int(rows.sum()) for name, rows in verdicts.items()})  # of the last step
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
            "examples": self.counts["examples"],
            "verdicts": dict(self.counts["verdicts"]),
            "solved_per_step": list(self.counts["solved"].values()),
            **({} if self._categories is None else {"categories": asdict(self._categories.result())}),
        }


class CategoryTally:
    """Scores of answers by category, after the last supervision step. E examples, C categories.

    numbers: the category of each example, in file order.  first: place of the first of them among all examples.
    """

    def __init__(self, names: CategoryNames, numbers: NDArray[np.integer], first: int = 0) -> None:
        self._names, self._numbers, self._first = names, numbers, first
        # see `in_order`; of each row: category, whether it is exact, share of right cells, whether it is solved
        self.counts: dict[str, list[tuple[int, tuple[NDArray[Any], ...]]]] = {"parts": []}

    def add(self, answers: Answers, cells: NDArray[np.bool_], solved: NDArray[np.bool_] | None) -> None:
        """Add a part of the answers; cells, solved: as in `TaskTally.add`."""
        categories = self._numbers[answers.first - self._first :][: len(answers)]
        last = RightCells.of(answers.predictions[:, -1:], answers.labels, cells)
        share = last.right[:, 0] / np.maximum(last.cells, 1)
        verdicts = () if solved is None else (solved[last.labelled],)
        rows = (categories[last.labelled], last.whole[:, 0], share, *verdicts)
        self.counts["parts"].append((answers.first, rows))

    def result(self) -> CategoryScores:
        """The scores of all categories of which there was an example with a label."""
        parts = in_order(self.counts["parts"])
        categories, *columns = (np.concatenate(column) for column in zip(*parts, strict=True))  # [E]
        examples = np.bincount(categories, minlength=len(self._names.names))  # [C]
        there = np.flatnonzero(examples)
        exact, cells, *solved = (np.bincount(categories, column, len(examples))[there] for column in columns)
        return CategoryScores(
            by=self._names.by,
            names=[self._names.names[number] for number in there],
            examples=examples[there].tolist(),
            exact=exact.astype(int).tolist(),
            cell_accuracy=(cells / examples[there]).tolist(),
            solved=solved[0].astype(int).tolist() if solved else [],
        )

"""ARC voting the straightforward way: one prediction after the other is cropped, mapped back, hashed and looked up.

Equal candidates keep the order in which they were first seen, and every candidate keeps its grid.

Legend: E predictions, L = C·C tokens of a canvas with side C.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_lab.puzzles.arc.augmentation import Augmentation, parse_name
from trm_lab.puzzles.arc.grids import CANVAS, Grid, Tokens, crop_all, grid_hash, parse_grid
from trm_lab.runs.arc_outputs import OutputRecord, Submission, VotingResult, attempts

_CHUNK = 8192  # predictions cropped at a time


@dataclass
class Candidate:
    """One mapped-back grid and its votes so far."""

    grid: Grid
    votes: int = 0
    confidence_sum: float = 0.0

    @property
    def standing(self) -> tuple[int, float]:
        """What ranks it: votes, then mean confidence."""
        return self.votes, self.confidence_sum / self.votes


class ReferenceVoting:
    """Has the methods of `ArcVoting`, and its results where no two candidates are equal in votes and confidence."""

    def __init__(self, identifiers: Sequence[str], test_puzzles: Mapping[str, Any], canvas: int = CANVAS) -> None:
        self._identifiers, self._canvas = identifiers, canvas
        self._names: dict[int, tuple[str, Augmentation]] = {}
        self._pairs = [
            (task, index, grid_hash(parse_grid(pair["input"], task, None)), _answer(task, pair))
            for task, puzzle in test_puzzles.items()
            for index, pair in enumerate(puzzle["test"])
        ]
        self._votes: dict[tuple[str, str], dict[str, Candidate]] = {
            (task, question): {} for task, _, question, _ in self._pairs
        }

    def add(
        self,
        puzzle_identifiers: NDArray[np.integer[Any]],
        inputs: Tokens,
        preds: Tokens,
        confidence: NDArray[np.float64],
    ) -> None:
        """Count predictions: identifiers `[E]`, inputs and preds `[E, L]`, confidence `[E]`; no padding rows."""
        for start in range(0, len(puzzle_identifiers), _CHUNK):
            part = slice(start, start + _CHUNK)
            grids = crop_all(inputs[part], self._canvas), crop_all(preds[part], self._canvas)
            given = puzzle_identifiers[part].tolist(), *grids, confidence[part].tolist()
            for identifier, question, answer, certainty in zip(*given, strict=True):
                task, augmentation = self._name(identifier)
                grid = augmentation.inverse(answer)
                candidates = self._votes[task, grid_hash(augmentation.inverse(question))]
                candidate = candidates.setdefault(grid_hash(grid), Candidate(grid))
                candidate.votes += 1
                candidate.confidence_sum += certainty

    def _name(self, identifier: int) -> tuple[str, Augmentation]:
        if identifier not in self._names:
            self._names[identifier] = parse_name(self._identifiers[identifier])
        return self._names[identifier]

    def result(self) -> VotingResult:
        """Rank the candidates of every test input and score them."""
        records: list[OutputRecord] = []
        submission: Submission = {task: [] for task, *_ in self._pairs}
        for task, index, question, answer in self._pairs:
            candidates = self._votes[task, question]
            ranked = sorted(candidates.items(), key=lambda item: item[1].standing, reverse=True)
            records.append(_record(task, index, ranked, answer))
            submission[task].append(attempts([candidate.grid.tolist() for _, candidate in ranked[:2]]))
        return VotingResult.of(records, submission)


def _answer(task: str, pair: Mapping[str, Any]) -> str | None:
    return None if pair.get("output") is None else grid_hash(parse_grid(pair["output"], task, None))


def _record(task: str, index: int, ranked: Sequence[tuple[str, Candidate]], answer: str | None) -> OutputRecord:
    hashes = [grid for grid, _ in ranked]
    right = hashes.index(answer) if answer in hashes else None
    votes_of_best, confidence_of_best = ranked[0][1].standing if ranked else (0, 0.0)
    return OutputRecord(
        task=task,
        test_index=index,
        known=answer is not None,
        rank=None if right is None else right + 1,
        votes=sum(candidate.votes for _, candidate in ranked),
        candidates=len(ranked),
        votes_of_best=votes_of_best,
        confidence_of_best=confidence_of_best,
        votes_of_right=0 if right is None else ranked[right][1].votes,
    )

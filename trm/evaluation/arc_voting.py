"""ARC scoring: the predictions for a test input's augmentations vote on its answer.

Each prediction is cropped and mapped back through its augmentation; equal grids are one candidate. Candidates
rank by (votes, mean confidence), highest first; equal ones stay in the order in which they were first seen. A
test input is known by its task and the hash of its grid, so equal test inputs of a task share their votes and
each is held against its own answer.

Copying the input is scored by giving the inputs as predictions too.

Legend: E predictions, L = C·C tokens of a canvas with side C, k attempts.
Source: evaluators/arc.py of the TRM release; but an `ArcVoting` holds one evaluation and never pools several.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError
from trm.puzzles.arc_augmentation import Augmentation, parse_name
from trm.puzzles.arc_grids import CANVAS, Grid, crop_all, grid_hash, parse_grid

PASS_KS = (1, 2, 5, 10, 100, 1000)
ATTEMPTS = 2  # of a submission, and of the ARC Prize score
ARC_SCORES = (*(f"ARC/pass@{k}" for k in PASS_KS), "ARC/prize_score")
FALLBACK_GRID = [[0, 0], [0, 0]]
"""Submitted where there is no grid: nobody voted, or the candidate is empty. As in Kaggle's sample submission."""

_CHUNK = 8192  # predictions cropped at a time: bounds memory, not the result


@dataclass(frozen=True)
class OutputRecord:
    """What the votes made of one test output.

    test_index: position among the task's test inputs.
    known: whether the right answer is known; if not, the output is in no score.
    rank: place of the right answer among the candidates, from 1; None if it has no vote or is unknown.
    votes, candidates: predictions for this input, and different grids among them.
    votes_of_best, confidence_of_best: votes and mean confidence of the first-ranked grid; 0 without any.
    """

    task: str
    test_index: int
    known: bool
    rank: int | None
    votes: int
    candidates: int
    votes_of_best: int
    confidence_of_best: float

    def correct_at(self, k: int) -> bool:
        """Whether the right answer is among the k best."""
        return self.rank is not None and self.rank <= k


@dataclass(frozen=True)
class VotingResult:
    """Scores of one evaluation.

    scores: "ARC/pass@<k>", the mean over tasks of the share of their outputs that are right; and
        "ARC/prize_score", the share of all outputs that one of two attempts gets right. Empty when no answer
        is known.
    counts: tasks and outputs with a known answer, and among these outputs: outputs_correct@1,
        outputs_correct@2, outputs_without_votes.
    submission: task -> for each test input {"attempt_1": grid, "attempt_2": grid}, unknown answers included.
    outputs: one record for each test output, in the order of test_puzzles.
    """

    scores: dict[str, float]
    counts: dict[str, int]
    submission: dict[str, list[dict[str, list[list[int]]]]]
    outputs: list[OutputRecord]

    def write(self, folder: Path) -> None:
        """Write `submission.json` and `outputs.jsonl` (read with `read_outputs`) into an existing folder."""
        (folder / "submission.json").write_text(json.dumps(self.submission))
        rows = (
            json.dumps({**asdict(output), **{f"correct@{k}": output.correct_at(k) for k in (1, 2)}})
            for output in self.outputs
        )
        (folder / "outputs.jsonl").write_text("".join(row + "\n" for row in rows))


@dataclass
class _Candidate:
    """One mapped-back grid and its votes so far."""

    grid: Grid
    votes: int = 0
    confidence_sum: float = 0.0

    @property
    def standing(self) -> tuple[int, float]:
        return self.votes, self.confidence_sum / self.votes


class _TestInput(NamedTuple):
    """A test input of a task, by the hash of its grid."""

    task: str
    input_hash: str


class ArcVoting:
    """Collects the votes of one evaluation.

    Args:
        identifiers: puzzle names by puzzle identifier (identifiers.json).
        test_puzzles: task -> {"test": [{"input": grid, "output": grid}, ...]} (test_puzzles.json); an answer
            that is missing or null is unknown.
        canvas: side C of the token canvas.
        blank_identifier: identifier of padding rows, which have no vote.

    Raises:
        UserError: a test puzzle holds something that is not a grid.
    """

    def __init__(
        self,
        identifiers: Sequence[str],
        test_puzzles: Mapping[str, Any],
        canvas: int = CANVAS,
        blank_identifier: int = 0,
    ) -> None:
        self._identifiers = identifiers
        self._canvas = canvas
        self._blank = blank_identifier
        self._names: dict[int, tuple[str, Augmentation]] = {}
        self._tests = {
            task: [_parse_test(task, pair) for pair in puzzle["test"]]
            for task, puzzle in test_puzzles.items()
        }
        self._votes: dict[_TestInput, dict[str, _Candidate]] = {
            question: {} for pairs in self._tests.values() for question, _ in pairs
        }

    def add(
        self,
        puzzle_identifiers: NDArray[np.integer[Any]],
        inputs: NDArray[np.uint8],
        preds: NDArray[np.uint8],
        confidence: NDArray[np.floating[Any]],
    ) -> None:
        """Count the votes of some predictions.

        Args:
            puzzle_identifiers: `[E]`; rows of the blank identifier are skipped.
            inputs, preds: `[E, L]` tokens of the augmented test input and of its predicted answer.
            confidence: `[E]` in the form whose mean ranks equal counts. TRM: the halting probability, in float64.
                DIS has no halting head: mean token log-probability of the answer.

        Raises:
            UserError: an input is no test input of its task in test_puzzles.
        """
        for start in range(0, len(puzzle_identifiers), _CHUNK):
            rows = start + np.flatnonzero(puzzle_identifiers[start : start + _CHUNK] != self._blank)
            self._add_rows(
                puzzle_identifiers[rows].tolist(),
                crop_all(inputs[rows], self._canvas),
                crop_all(preds[rows], self._canvas),
                confidence[rows].astype(np.float64).tolist(),
            )

    def _add_rows(
        self, identifiers: list[int], inputs: list[Grid], answers: list[Grid], confidence: list[float]
    ) -> None:
        for identifier, question, answer, certainty in zip(
            identifiers, inputs, answers, confidence, strict=True
        ):
            task, augmentation = self._name(identifier)
            candidates = self._candidates(task, augmentation.inverse(question))
            grid = augmentation.inverse(answer)
            candidate = candidates.setdefault(grid_hash(grid), _Candidate(grid))
            candidate.votes += 1
            candidate.confidence_sum += certainty

    def _name(self, identifier: int) -> tuple[str, Augmentation]:
        if identifier not in self._names:
            self._names[identifier] = parse_name(self._identifiers[identifier])
        return self._names[identifier]

    def _candidates(self, task: str, question: Grid) -> dict[str, _Candidate]:
        candidates = self._votes.get(_TestInput(task, grid_hash(question)))
        if candidates is None:
            raise UserError(
                f"a prediction for task {task!r} has a {question.shape[0]}x{question.shape[1]} input that, mapped "
                f"back, is none of the task's {len(self._tests.get(task, []))} test inputs in test_puzzles.json",
                "predictions for the test split of the dataset whose test_puzzles.json is used",
                "use test_puzzles.json, identifiers.json and the test split of one build of the dataset",
            )
        return candidates

    def result(self) -> VotingResult:
        """Rank the candidates of every test input and score them; may be called again after further votes."""
        outputs: list[OutputRecord] = []
        submission: dict[str, list[dict[str, list[list[int]]]]] = {task: [] for task in self._tests}
        for task, index, question, answer in self._pairs():
            ranked = sorted(self._votes[question].items(), key=lambda item: item[1].standing, reverse=True)
            outputs.append(_record(task, index, ranked, answer))
            submission[task].append(_attempts([candidate.grid for _, candidate in ranked]))
        return VotingResult(_scores(outputs), _counts(outputs), submission, outputs)

    def _pairs(self) -> Iterator[tuple[str, int, _TestInput, str | None]]:
        for task, pairs in self._tests.items():
            for index, (question, answer) in enumerate(pairs):
                yield task, index, question, answer


def task_shares(outputs: Sequence[OutputRecord], k: int) -> list[float]:
    """Return for each task the share of its outputs that are right within k attempts; unknown ones left out."""
    correct: dict[str, list[bool]] = {}
    for output in outputs:
        if output.known:
            correct.setdefault(output.task, []).append(output.correct_at(k))
    return [sum(of_task) / len(of_task) for of_task in correct.values()]


def read_outputs(path: Path) -> list[OutputRecord]:
    """Read the records that `VotingResult.write` wrote."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [OutputRecord(**{name: row[name] for name in OutputRecord.__dataclass_fields__}) for row in rows]


def _parse_test(task: str, pair: Mapping[str, Any]) -> tuple[_TestInput, str | None]:
    """The test input and the hash of its answer, if known."""
    where = f"test_puzzles.json, task {task}"
    question = parse_grid(pair["input"], f"{where}, test input", largest=None)
    known = pair.get("output") is not None
    answer = grid_hash(parse_grid(pair["output"], f"{where}, test output", largest=None)) if known else None
    return _TestInput(task, grid_hash(question)), answer


def _record(
    task: str, index: int, ranked: Sequence[tuple[str, _Candidate]], answer: str | None
) -> OutputRecord:
    hashes = [grid for grid, _ in ranked]
    votes_of_best, confidence_of_best = ranked[0][1].standing if ranked else (0, 0.0)
    return OutputRecord(
        task=task,
        test_index=index,
        known=answer is not None,
        rank=hashes.index(answer) + 1 if answer in hashes else None,
        votes=sum(candidate.votes for _, candidate in ranked),
        candidates=len(ranked),
        votes_of_best=votes_of_best,
        confidence_of_best=confidence_of_best,
    )


def _attempts(grids: Sequence[Grid]) -> dict[str, list[list[int]]]:
    """The two best grids; a single one is given twice; without any, and for an empty one, `FALLBACK_GRID`."""
    best = [grid.tolist() if grid.size else FALLBACK_GRID for grid in grids[:ATTEMPTS]] or [FALLBACK_GRID]
    return {f"attempt_{number}": best[min(number, len(best)) - 1] for number in range(1, ATTEMPTS + 1)}


def _scores(outputs: Sequence[OutputRecord]) -> dict[str, float]:
    known = [output for output in outputs if output.known]
    if not known:
        return {}
    scores = {}
    for k in PASS_KS:
        shares = task_shares(outputs, k)
        scores[f"ARC/pass@{k}"] = sum(shares) / len(shares)
    scores["ARC/prize_score"] = sum(output.correct_at(ATTEMPTS) for output in known) / len(known)
    return scores


def _counts(outputs: Sequence[OutputRecord]) -> dict[str, int]:
    known = [output for output in outputs if output.known]
    return {
        "tasks": len({output.task for output in known}),
        "outputs": len(known),
        "outputs_correct@1": sum(output.correct_at(1) for output in known),
        "outputs_correct@2": sum(output.correct_at(2) for output in known),
        "outputs_without_votes": sum(output.votes == 0 for output in known),
    }

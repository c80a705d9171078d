"""The outcome of ARC votes: a record for each test output, the two scores, the submission, and the table to read.

"ARC/pass@k" is TRM's: the mean over tasks of the share of their outputs that are right within k attempts.
"ARC/prize_score" is the official one: the share of all outputs that are right within two attempts. They differ where
tasks have several test inputs.

Legend: k attempts.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from trm_lab.commands.choices import PASS_KS
from trm_lab.commands.tables import percent
from trm_lab.runs.recorded_files import read_as, read_lines, unreadable

ATTEMPTS = 2  # of a submission, and of the ARC Prize score
FALLBACK_GRID = [[0, 0], [0, 0]]
"""Submitted where there is no grid: nobody voted, or the candidate is empty. As in Kaggle's sample submission."""

_HEADER = ["task", "output", "votes", "candidates", "agreement", "rank of right", "right in 1", "right in 2"]
_UNKNOWN, _NONE = "?", "–"

Rows = list[list[int]]
Submission = dict[str, list[dict[str, Rows]]]


@dataclass(frozen=True)
class OutputRecord:
    """The outcome of the votes on one test output.

    test_index: position among the task's test inputs.
    known: whether the right answer is known; if not, the output is in no score.
    rank: place of the right answer among the candidates, from 1; None if it has no vote or is unknown.
    votes, candidates: predictions for this input, and different grids among them.
    votes_of_best, confidence_of_best: votes and mean confidence of the first-ranked grid; 0 without any.
    votes_of_right: votes of the right answer; 0 if it has none or is unknown.
    question_in_training, answer_in_training: whether input and output are trained on; None where that is not known.
    """

    task: str
    test_index: int
    known: bool
    rank: int | None
    votes: int
    candidates: int
    votes_of_best: int
    confidence_of_best: float
    votes_of_right: int = 0
    question_in_training: bool | None = None
    answer_in_training: bool | None = None

    @property
    def agreement(self) -> float:
        """Share of the votes that the first-ranked grid has; 0 without votes."""
        return self.votes_of_best / self.votes if self.votes else 0.0

    def correct_at(self, k: int) -> bool:
        """Whether the right answer is among the k best."""
        return self.rank is not None and self.rank <= k


@dataclass(frozen=True)
class VotingResult:
    """Scores of one evaluation.

    scores: ARC_SCORES, see above. Empty when no answer is known.
    counts: tasks and outputs with a known answer, and among these outputs: outputs_correct@1,
        outputs_correct@2, outputs_without_votes.
    submission: task -> for each test input {"attempt_1": grid, "attempt_2": grid}, unknown answers included.
    outputs: one record for each test output, in the order of test_puzzles.
    """

    scores: dict[str, float]
    counts: dict[str, int]
    submission: Submission
    outputs: list[OutputRecord]

    @classmethod
    def of(cls, outputs: list[OutputRecord], submission: Submission) -> "VotingResult":
        """Score the records of outputs whose answers are known."""
        scored = [output for output in outputs if output.known]
        return cls(_scores(scored), _counts(scored), submission, outputs)

    def write(self, folder: Path) -> None:
        """Write `submission.json` and `outputs.jsonl` (read with `read_outputs`) into an existing folder."""
        (folder / "submission.json").write_text(json.dumps(self.submission), encoding="utf-8")
        (folder / "outputs.jsonl").write_text(
            "".join(json.dumps(_row(o)) + "\n" for o in self.outputs), encoding="utf-8"
        )


def _row(output: OutputRecord) -> dict[str, str | int | float | bool | None]:
    correct = {f"correct@{k}": output.correct_at(k) for k in (1, 2)}
    return {**asdict(output), "agreement": output.agreement, **correct}


def read_outputs(path: Path) -> list[OutputRecord]:
    """Read the records that `VotingResult.write` wrote; numbers that older files lack are their defaults.

    Raises:
        UserError: a line is something else.
    """
    outputs = []
    for line, record in enumerate(read_lines(path), start=1):
        output = read_as(OutputRecord, record, f"line {line} of {path}")
        if output.rank is not None and output.rank < 1:
            raise unreadable(f"line {line} of {path} has rank={output.rank}, which begins at 1")
        outputs.append(output)
    return outputs


def outputs_table(outputs: Sequence[OutputRecord]) -> list[list[str]]:
    """A heading and a row for each test output, for `trm_lab.commands.tables.table`."""
    return [_HEADER, *map(_cells, outputs)]


def _cells(output: OutputRecord) -> list[str]:
    """ "?" stands for what is unknown without the answer, "–" for the rank of an answer that nobody gave."""
    right = (
        [_NONE if output.rank is None else str(output.rank)]
        + ["yes" if output.correct_at(k) else "no" for k in range(1, ATTEMPTS + 1)]
        if output.known
        else [_UNKNOWN] * (1 + ATTEMPTS)
    )
    numbers = [output.test_index + 1, output.votes, output.candidates]
    return [output.task, *map(str, numbers), percent(output.agreement), *right]


def attempts(grids: Sequence[Rows]) -> dict[str, Rows]:
    """The two best of these; a single one is given twice; without any, and for an empty one, `FALLBACK_GRID`."""
    best = [grid if any(grid) else FALLBACK_GRID for grid in grids[:ATTEMPTS]] or [FALLBACK_GRID]
    return {f"attempt_{number}": best[min(number, len(best)) - 1] for number in range(1, ATTEMPTS + 1)}


def task_shares(outputs: Sequence[OutputRecord], k: int) -> list[float]:
    """For each task the share of its outputs that are right within k attempts; unknown ones left out."""
    return list(shares_by_task(outputs, k).values())


def shares_by_task(outputs: Sequence[OutputRecord], k: int) -> dict[str, float]:
    """The same by the names of the tasks, in the order of the outputs."""
    right: dict[str, list[bool]] = {}
    for output in outputs:
        if output.known:
            right.setdefault(output.task, []).append(output.correct_at(k))
    return {task: sum(of_task) / len(of_task) for task, of_task in right.items()}


def _scores(outputs: Sequence[OutputRecord]) -> dict[str, float]:
    """ARC_SCORES of outputs whose answers are known; empty without any."""
    if not outputs:
        return {}
    scores = {}
    for k in PASS_KS:
        shares = task_shares(outputs, k)
        scores[f"ARC/pass@{k}"] = sum(shares) / len(shares)
    scores["ARC/prize_score"] = sum(output.correct_at(ATTEMPTS) for output in outputs) / len(outputs)
    return scores


def _counts(outputs: Sequence[OutputRecord]) -> dict[str, int]:
    """Counts over outputs whose answers are known."""
    return {
        "tasks": len({output.task for output in outputs}),
        "outputs": len(outputs),
        "outputs_correct@1": sum(output.correct_at(1) for output in outputs),
        "outputs_correct@2": sum(output.correct_at(2) for output in outputs),
        "outputs_without_votes": sum(output.votes == 0 for output in outputs),
    }

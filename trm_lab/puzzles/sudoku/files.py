"""Sudokus in CSV files of the form of Sudoku-Extreme: `source,question,answer,rating`.

R records, C = 81 cells in row-major order. In a question "." or "0" is a blank.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError, shown
from trm_lab.commands.progress import track
from trm_lab.puzzles.published_csv import bad_record, place, read_rows
from trm_lab.puzzles.sudoku.geometry import GEOMETRIES, Digits, keeps_rules
from trm_lab.puzzles.sudoku.solver import candidates_of, count_solutions

GEOMETRY = GEOMETRIES[9]
_CELLS = GEOMETRY.cells
_DOT = np.uint8(ord(".") - ord("0") + 256)
_SOLVED_TOGETHER = 1024
_ALLOWED = (
    "source,question,answer,rating: 81 characters of 1..9 and . or 0 for a blank, with one solution, which is the "
    "answer, and a whole number"
)
_RATING = re.compile(r"([0-9]{1,9})(?:\.0*)?")  # pandas may write 3 as 3.0


@dataclass(frozen=True)
class Records:
    """Checked records.

    questions, answers: uint8 `[R, 81]`, 0 a blank.
    ratings: `[R]` difficulty.
    lines: `[R]` where they stand in the file.
    """

    questions: Digits
    answers: Digits
    ratings: NDArray[np.int64]
    lines: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.lines)

    def take(self, which: NDArray[np.integer] | NDArray[np.bool_]) -> "Records":
        """Select records by index or mask."""
        return Records(*(getattr(self, field.name)[which] for field in fields(self)))

    @staticmethod
    def joined(parts: Sequence["Records"]) -> "Records":
        """All records of the parts, in their order."""
        return Records(*(np.concatenate([getattr(p, field.name) for p in parts]) for field in fields(Records)))


def read_records(file: Path) -> Iterator[Records]:
    """The records of a file, some twenty thousand at a time.

    Raises:
        UserError: the header or a record is not of that form, an answer is no full grid by the rules, or it does not
            keep its question's digits.
    """
    for line, rows in read_rows(file):
        yield _checked(file, rows, line)


def check_unique(file: Path, records: Records) -> None:
    """Refuse a question with several solutions.

    Raises:
        UserError: at the first such record.
    """
    starts = range(0, len(records), _SOLVED_TOGETHER)
    for start in track(starts, f"solving questions of {file.name}"):
        part = records.take(np.arange(start, min(len(records), start + _SOLVED_TOGETHER)))
        several = np.flatnonzero(count_solutions(GEOMETRY, candidates_of(GEOMETRY, part.questions)) > 1)
        if len(several):
            raise _refused(file, int(part.lines[several[0]]), "the question has several solutions")


def _refused(file: Path, line: int, reason: str) -> UserError:
    return bad_record(place(file, line), reason, _ALLOWED)


def _fault_of_shape(file: Path, line: int, row: list[str]) -> UserError:
    for name, cells in (("question", row[1]), ("answer", row[2])):
        if len(cells) != _CELLS:
            return _refused(file, line, f"{name} of {len(cells)} characters instead of {_CELLS}")
    return _refused(file, line, f"rating {shown(repr(row[3]), 40)}")


def _checked(file: Path, rows: list[list[str]], line: int) -> Records:
    for below, row in enumerate(rows):
        if not (len(row[1]) == len(row[2]) == _CELLS and _rating(row[3]) is not None):
            raise _fault_of_shape(file, line + below, row)
    _, question_texts, answer_texts, rating_texts = zip(*rows, strict=True)
    ratings = np.array([_rating(text) for text in rating_texts], np.int64)
    questions, answers = _digits(question_texts), _digits(answer_texts)
    questions[questions == _DOT] = 0
    faults = {
        "question with another character than 1..9, . and 0": (questions > 9).any(1),
        "answer with another character than 1..9": ((answers > 9) | (answers == 0)).any(1),
        "answer with a digit twice in a row, column or box": ~keeps_rules(GEOMETRY, np.minimum(answers, 9)),
        "answer that changes a digit of its question": ((questions != 0) & (questions != answers)).any(1),
    }
    for reason, faulty in faults.items():
        if faulty.any():
            raise _refused(file, line + int(faulty.argmax()), reason)
    return Records(questions, answers, ratings, line + np.arange(len(rows)))


def _rating(text: str) -> int | None:
    """The number that a rating is; None for what is none."""
    whole = _RATING.fullmatch(text.strip())
    return None if whole is None else int(whole[1])


def _digits(cells: Sequence[str]) -> Digits:
    """`[R, 81]`; what is no digit becomes more than 9."""
    characters = np.frombuffer("".join(cells).encode("latin-1", "replace"), np.uint8)
    return (characters - np.uint8(ord("0"))).reshape(len(cells), -1)

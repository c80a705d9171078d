"""Sudokus in CSV files of the form of Sudoku-Extreme: `source,question,answer,rating`.

R records, C = 81 cells in row-major order. In a question "." or "0" is a blank.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from generators.published_csv import COLUMNS
from generators.sudoku.geometry import GEOMETRIES, Digits, keeps_rules
from generators.sudoku.solver import candidates_of, count_solutions
from trm.errors import UserError
from trm.puzzles.progress import track

GEOMETRY = GEOMETRIES[9]
_CELLS = GEOMETRY.cells
_DOT = np.uint8(ord(".") - ord("0") + 256)
_BLOCK = 4 << 20  # bytes read at once: about 20,000 records
_SOLVED_TOGETHER = 4096


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
        """Some of the records, by index or mask."""
        return Records(*(getattr(self, field.name)[which] for field in fields(self)))

    @staticmethod
    def joined(parts: Sequence["Records"]) -> "Records":
        """All records of the parts, in their order."""
        return Records(
            *(np.concatenate([getattr(p, field.name) for p in parts]) for field in fields(Records))
        )


def read_records(file: Path) -> Iterator[Records]:
    """The records of a file, some twenty thousand at a time.

    Raises:
        UserError: the header or a record is not of that form, an answer is no full grid by the rules, or it does not
            keep its question's digits.
    """
    blocks = range(1 + file.stat().st_size // _BLOCK)
    with file.open("rb") as stream:
        header = _rows(file, 1, stream.readline())[:1]
        if header != [COLUMNS]:
            raise bad_record(file, 1, f"no header {','.join(COLUMNS)}")
        line = 2
        for _ in track(blocks, f"reading {file.name}"):
            rows = _rows(file, line, stream.read(_BLOCK) + stream.readline())
            if rows:
                yield _checked(file, rows, line)
                line += len(rows)


def bad_record(file: Path, line: int, reason: str) -> UserError:
    """The error for a record that cannot be used."""
    return UserError(
        given=f"{file}, line {line:,}: {reason}",
        allowed="source,question,answer,rating: 81 characters of 1..9 and . or 0 for a blank, the full grid that keeps "
        "them, and an integer",
        remedy="correct or remove the record; copy the file again if it was cut off",
    )


def check_unique(file: Path, records: Records) -> None:
    """Refuse a question with several solutions.

    Raises:
        UserError: at the first such record.
    """
    starts = range(0, len(records), _SOLVED_TOGETHER)
    for start in track(starts, f"solving the questions of {file.name}"):
        part = records.take(np.arange(start, min(len(records), start + _SOLVED_TOGETHER)))
        several = np.flatnonzero(count_solutions(GEOMETRY, candidates_of(GEOMETRY, part.questions)) > 1)
        if len(several):
            raise bad_record(file, int(part.lines[several[0]]), "the question has several solutions")


def check_end(file: Path) -> None:
    """Refuse a file whose last line does not end.

    Raises:
        UserError: it was cut off there.
    """
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - 1))
        if stream.read() != b"\n":
            stream.seek(0)
            raise bad_record(
                file, sum(1 for _ in stream) or 1, "the last line does not end: the file was cut off"
            )


def _rows(file: Path, line: int, text: bytes) -> list[list[str]]:
    """The rows of whole lines, of which the first is the file's line `line`; one row a line."""
    # A byte that is no UTF-8 becomes a character that no sudoku has, and is refused with its line.
    reader = csv.reader(io.StringIO(text.decode("utf-8", "replace"), newline=""), strict=True)
    rows: list[list[str]] = []
    try:
        rows.extend(reader)
    except csv.Error as error:
        raise bad_record(file, line + len(rows), str(error)) from error
    for before, row in enumerate(rows if reader.line_num > len(rows) else []):
        if any("\n" in field for field in row):
            raise bad_record(file, line + before, "a record over several lines")
    return rows


def _fault_of_shape(file: Path, line: int, row: list[str]) -> UserError:
    if len(row) != len(COLUMNS):
        return bad_record(file, line, f"{len(row)} columns instead of {len(COLUMNS)}")
    for name, cells in (("question", row[1]), ("answer", row[2])):
        if len(cells) != _CELLS:
            return bad_record(file, line, f"{name} of {len(cells)} characters instead of {_CELLS}")
    return bad_record(file, line, f"rating {row[3]!r}")


def _checked(file: Path, rows: list[list[str]], line: int) -> Records:
    for below, row in enumerate(rows):
        if not (len(row) == 4 and len(row[1]) == len(row[2]) == _CELLS and row[3].isdecimal()):
            raise _fault_of_shape(file, line + below, row)
    _, question_texts, answer_texts, ratings = zip(*rows, strict=True)
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
            raise bad_record(file, line + int(faulty.argmax()), reason)
    return Records(questions, answers, np.array(list(map(int, ratings))), line + np.arange(len(rows)))


def _digits(cells: Sequence[str]) -> Digits:
    """`[R, 81]`; what is no digit becomes more than 9."""
    characters = np.frombuffer("".join(cells).encode("latin-1", "replace"), np.uint8)
    return (characters - np.uint8(ord("0"))).reshape(len(cells), -1)

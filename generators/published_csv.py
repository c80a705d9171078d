"""The CSV files of the published puzzle sets: `train.csv` and `test.csv`, columns source, question, answer, rating."""

import csv
from dataclasses import dataclass
from pathlib import Path

from trm.errors import UserError

COLUMNS = ["source", "question", "answer", "rating"]
SPLITS = ("train", "test")


@dataclass(frozen=True)
class Record:
    """One puzzle.

    where: its file and line, for errors.
    """

    where: str
    question: str
    answer: str

    def refused(self, problem: str, allowed: str) -> UserError:
        """The error for a record that is not what it should be."""
        return UserError(
            given=f"{self.where}: {problem}",
            allowed=allowed,
            remedy="correct the record or take it out, and build again",
        )


def published_files(folder: Path | None, repository: str) -> dict[str, Path]:
    """`train.csv` and `test.csv` of a folder, or without one of a dataset repository on the Hugging Face Hub.

    Raises:
        UserError: they are not there, or cannot be fetched.
    """
    if folder is None:
        return {split: _fetched(repository, f"{split}.csv") for split in SPLITS}
    files = {split: folder / f"{split}.csv" for split in SPLITS}
    missing = [str(file) for file in files.values() if not file.is_file()]
    if missing:
        raise UserError(
            given=f"--source {folder} without {' and '.join(missing)}",
            allowed="a folder with train.csv and test.csv",
            remedy="name the folder that holds both",
        )
    return files


def read_records(file: Path) -> list[Record]:
    """The puzzles of a file.

    Raises:
        UserError: no such CSV, other columns, or no record.
    """
    records: list[Record] = []
    # A byte that is no UTF-8 becomes a character that no puzzle has, and is refused with its line.
    with file.open(encoding="utf-8", errors="replace", newline="") as stream:
        reader = csv.reader(stream, strict=True)
        try:
            header = next(reader, [])
            if header != COLUMNS:
                raise _broken(f"{file}:1", f"columns {','.join(header) or '(none)'}")
            for row in reader:
                where = f"{file}:{reader.line_num}"
                if len(row) != len(COLUMNS):
                    raise _broken(where, f"{len(row)} columns instead of {len(COLUMNS)}")
                records.append(Record(where, row[1], row[2]))
        except csv.Error as error:
            raise _broken(f"{file}:{reader.line_num}", str(error)) from error
    if not records:
        raise _broken(str(file), "no puzzle")
    return records


def _broken(where: str, problem: str) -> UserError:
    return UserError(
        given=f"{where}: {problem}",
        allowed=f"a CSV file with the columns {','.join(COLUMNS)} and at least one record",
        remedy="correct the file, or fetch it again",
    )


def _fetched(repository: str, name: str) -> Path:
    remedy = (
        f"fetch train.csv and test.csv of {repository} by other means and name their folder with --source"
    )
    try:
        from huggingface_hub import hf_hub_download
    except ImportError as error:
        raise UserError(
            given=f"{repository} is to be fetched, but huggingface_hub is not installed",
            allowed="the package huggingface_hub, or local files",
            remedy=f"pip install huggingface_hub, or {remedy}",
        ) from error
    try:
        return Path(hf_hub_download(repository, name, repo_type="dataset"))
    except (OSError, ValueError) as error:  # what the hub's own exceptions derive from
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(
            given=f"{name} of {repository} cannot be fetched: {reason[0]}",
            allowed="a dataset repository that can be reached, or local files",
            remedy=remedy,
        ) from error

"""The CSV files of the published puzzle sets: `train.csv` and `test.csv`, columns source, question, answer, rating.

A record is one line; errors name it as "train.csv, line 3".
"""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from trm.errors import UserError
from trm.puzzles.progress import track

COLUMNS = ["source", "question", "answer", "rating"]
SPLITS = ("train", "test")
_BLOCK = 4 << 20  # bytes read at once: about 20,000 sudokus
_ALLOWED = f"a CSV file with the columns {','.join(COLUMNS)}, a line for each record, and at least one record"


def place(file: Path, line: int) -> str:
    """How errors name a record."""
    return f"{file}, line {line:,}"


def bad_record(where: str, reason: str, allowed: str = _ALLOWED) -> UserError:
    """The error for a record, or a file, that cannot be used."""
    return UserError(
        given=f"{where}: {reason}",
        allowed=allowed,
        remedy="correct or remove the record; copy the file again if it was cut off",
    )


def published_files(folder: Path | None, repository: str) -> dict[str, Path]:
    """`train.csv` and `test.csv` of a folder, or without one of a dataset repository on the Hugging Face Hub.

    Raises:
        UserError: they are not there, one was cut off inside its last line, or they cannot be fetched.
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
    for file in files.values():  # what is fetched the hub's client checks
        _check_end(file)
    return files


def read_rows(file: Path) -> Iterator[tuple[int, list[list[str]]]]:
    """The rows of the four columns below the header, some megabytes at a time, each time with the first row's line.

    Raises:
        UserError: another header, a row of other columns or over several lines, or no record.
    """
    blocks = range(1 + file.stat().st_size // _BLOCK)
    with file.open("rb") as stream:
        header = _rows(file, 1, stream.readline())[:1]
        if not header:
            raise bad_record(str(file), "empty")
        if header != [COLUMNS]:
            raise bad_record(
                place(file, 1), f"the columns are {','.join(header[0]) or 'none'}, not {','.join(COLUMNS)}"
            )
        line = 2
        for _ in track(blocks, f"reading {file.name}"):
            rows = _rows(file, line, stream.read(_BLOCK) + stream.readline())
            for below, row in enumerate(rows):
                if len(row) != len(COLUMNS):
                    raise bad_record(
                        place(file, line + below), f"{len(row)} columns instead of {len(COLUMNS)}"
                    )
            if rows:
                yield line, rows
                line += len(rows)
    if line == 2:
        raise bad_record(str(file), "no record in it")


def _rows(file: Path, line: int, text: bytes) -> list[list[str]]:
    """The rows of whole lines, of which the first is the file's line `line`; one row a line."""
    # A byte that is no UTF-8 becomes a character that no puzzle has, and is refused with its line.
    reader = csv.reader(io.StringIO(text.decode("utf-8", "replace"), newline=""), strict=True)
    rows: list[list[str]] = []
    try:
        rows.extend(reader)
    except csv.Error as error:
        raise bad_record(place(file, line + len(rows)), str(error)) from error
    for before, row in enumerate(rows if reader.line_num > len(rows) else []):
        if any("\n" in field for field in row):
            raise bad_record(place(file, line + before), "a record over several lines")
    return rows


def _check_end(file: Path) -> None:
    """Refuse a file whose last line does not end: it was cut off there."""
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - 1))
        if stream.read() not in (b"\n", b""):
            stream.seek(0)
            line = sum(1 for _ in stream)
            raise bad_record(place(file, line), "the last line does not end: the file was cut off")


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

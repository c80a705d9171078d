"""The CSV files of the published puzzle sets: `train.csv` and `test.csv`, columns source, question, answer, rating.

The columns may stand in any order, and further ones are not looked at. A record is one line; errors name it as
"train.csv, line 3".
"""

import codecs
import csv
import io
from collections.abc import Iterator
from pathlib import Path

from trm.errors import UserError, shown
from trm_lab.commands.progress import track
from trm_lab.puzzles.source_files import open_source

COLUMNS = ["source", "question", "answer", "rating"]
SPLITS = ("train", "test")
_BLOCK = 4 << 20  # bytes read at once: about 20,000 sudokus
_LONGEST_LINE = 1 << 20  # bytes
_ALLOWED = f"a CSV file in UTF-8 with the columns {','.join(COLUMNS)}, a line for each record, and at least one record"


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
        return {split: _download(repository, f"{split}.csv") for split in SPLITS}
    files = {split: folder / f"{split}.csv" for split in SPLITS}
    missing = [str(file) for file in files.values() if not file.exists()]
    if missing:
        raise UserError(
            given=f"--source {folder} without {' and '.join(missing)}",
            allowed="a folder with train.csv and test.csv",
            remedy="name the folder that holds both",
        )
    for file in files.values():  # what is fetched the hub's client checks
        with open_source(file) as stream:
            _check_end(file, stream)
    return files


def read_rows(file: Path) -> Iterator[tuple[int, list[list[str]]]]:
    """The rows below the header as `COLUMNS`, some megabytes at a time, each time with the first row's line.

    Empty lines may follow the last record, and none may precede it.

    Raises:
        UserError: another header, a row of other columns or over several lines, or no record.
    """
    with open_source(file) as stream:
        columns = _columns(file, stream)
        places = [columns.index(name) for name in COLUMNS]
        line, empty = 2, 0
        for _ in track(range(1 + file.stat().st_size // _BLOCK), f"reading {file.name}"):
            rows, records = _rows(file, line, _block(file, line, stream)), []
            for number, row in enumerate(rows, start=line):
                if not any(field.strip() for field in row):
                    empty = empty or number
                    continue
                if empty:
                    raise bad_record(place(file, empty), f"0 columns instead of {len(columns)}")
                if len(row) != len(columns):
                    raise bad_record(place(file, number), f"{len(row)} columns instead of {len(columns)}")
                records.append([row[i] for i in places])
            if records:
                yield line, records
            line += len(rows)
    if line == 2 or empty == 2:
        raise bad_record(str(file), "no record in it")


def _columns(file: Path, stream: io.BufferedReader) -> list[str]:
    """The names in the first line."""
    text = stream.readline(_LONGEST_LINE).removeprefix(codecs.BOM_UTF8)
    if text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in text:
        raise bad_record(str(file), "no text in UTF-8")
    header = _rows(file, 1, text) or [[]]
    if not any(header[0]):
        empty_file = not text.strip() and not stream.read(1)
        raise bad_record(str(file), "empty" if empty_file else "its first line is empty")
    names = [name.strip() for name in header[0]]
    if not set(COLUMNS) <= set(names):
        columns = shown(",".join(names), 80) or "none"
        raise bad_record(place(file, 1), f"the columns are {columns}, not {','.join(COLUMNS)}")
    for name in COLUMNS:
        if names.count(name) > 1:
            raise bad_record(place(file, 1), f"the column {name} twice")
    return names


def _block(file: Path, line: int, stream: io.BufferedReader) -> bytes:
    """Some megabytes of whole lines, of which the first is the file's line `line`."""
    text = stream.read(_BLOCK)
    text += stream.readline(_LONGEST_LINE)
    if not text.endswith(b"\n") and stream.read(1):
        last_line = line + text.count(b"\n")
        raise bad_record(place(file, last_line), f"a line of more than {_LONGEST_LINE:,} bytes")
    return text


def _rows(file: Path, line: int, text: bytes) -> list[list[str]]:
    """The rows of whole lines, of which the first is the file's line `line`; one row a line."""
    # A byte that is no UTF-8 becomes a character that no puzzle has, and is refused with its line.
    reader = csv.reader(io.StringIO(text.decode("utf-8", "replace"), newline=""), strict=True)
    rows: list[list[str]] = []
    try:
        rows.extend(reader)
    except csv.Error as error:
        raise bad_record(place(file, line + len(rows)), str(error)) from error
    if reader.line_num > len(rows):
        for number, row in enumerate(rows, start=line):
            if any("\n" in field for field in row):
                raise bad_record(place(file, number), "a record over several lines")
    return rows


def _check_end(file: Path, stream: io.BufferedReader) -> None:
    """Refuse a file whose last line has text and does not end: it was cut off there."""
    stream.seek(max(0, file.stat().st_size - _LONGEST_LINE))
    if stream.read().rpartition(b"\n")[2].strip():
        stream.seek(0)
        line = sum(1 for _ in stream)
        raise bad_record(place(file, line), "the last line does not end: the file was cut off")


def _download(repository: str, name: str) -> Path:
    remedy = f"fetch train.csv and test.csv of {repository} by other means and name their folder with --source"
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
            given=f"{name} of {repository} cannot be fetched: {shown(reason[0])}",
            allowed="a dataset repository that can be reached, or local files",
            remedy=remedy,
        ) from error

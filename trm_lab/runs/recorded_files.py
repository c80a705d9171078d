"""Reading the files of a run, which may be a stranger's: bounded, typed, and with an error that names the file.

K stored samples, S supervision steps.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from trm.errors import UserError, shown
from trm_lab.files.untrusted import check_regular, load_json, parse_json
from trm_lab.files.untrusted_arrays import load_arrays

MOST_STEPS = 4096  # supervision steps: rows are as wide as the widest, so that one record could widen all
LARGEST_JSON = 16 << 20  # bytes
LARGEST_RECORDS = 1 << 30  # bytes; a run of a million records has about 600 MB
LARGEST_LINE = 1 << 20  # characters
LARGEST_ARRAY = 64 << 20  # bytes of an array of samples, once it is unpacked
MOST = 2**63 - 1


class UnreadableError(UserError):
    """A file is damaged or of another format."""


def unreadable(given: str, remedy: str = "") -> UnreadableError:
    """The error for a file of another format; remedy: what helps, where it is not one that evaluate.py wrote."""
    return UnreadableError(
        given,
        "the files as this version's trainer and evaluation write them",
        remedy or "evaluate the run again with evaluate.py, or read it with the version that wrote it",
    )


@contextmanager
def remedied(remedy: str) -> Iterator[None]:
    """`with remedied(remedy):` what is unreadable within has this remedy."""
    try:
        yield
    except UnreadableError as error:
        raise unreadable(error.given, remedy) from None


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file; UserError for anything else."""
    try:
        content = load_json(path, LARGEST_JSON, finite=False)
    except ValueError as error:
        raise unreadable(f"{path} is not JSON: {shown(error)}") from None
    if not isinstance(content, dict):
        raise unreadable(f"{path} holds a {type(content).__name__}, not a mapping")
    return content


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The JSON objects of a file in its order; for one that may still be written, see `read_growing`.

    Raises:
        UserError: a line is something else.
    """
    return read_growing(path)[0]


def read_growing(path: Path) -> tuple[list[dict[str, Any]], str]:
    """The JSON objects of a file in its order, and its last line if that has no newline yet: it is still being written.

    Raises:
        UserError: a line is something else.
    """
    records: list[dict[str, Any]] = []
    try:
        check_regular(path, LARGEST_RECORDS)
    except ValueError as error:
        raise unreadable(f"{path}: {error}") from None
    with path.open(encoding="utf-8", errors="replace", newline="\n") as stream:
        for number, line in enumerate(iter(lambda: stream.readline(LARGEST_LINE + 1), ""), start=1):
            if len(line) > LARGEST_LINE:
                raise unreadable(f"line {number} of {path} has more than {LARGEST_LINE:,} characters")
            if not line.endswith("\n"):
                return records, line
            try:
                record = parse_json(line, finite=False)
            except ValueError as error:
                raise unreadable(f"line {number} of {path} is not JSON: {shown(error)}") from None
            if not isinstance(record, dict):
                raise unreadable(f"line {number} of {path} is no record")
            records.append(record)
    return records, ""


def read_arrays(path: Path, kinds: Mapping[str, str]) -> dict[str, NDArray[Any]]:
    """Arrays of a .npz file, each of the given kinds of numbers (numpy's letters).

    What is packed small and unpacks to more than `LARGEST_ARRAY` bytes is not unpacked.

    Raises:
        UserError: the file is something else, or lacks an array.
    """
    try:
        arrays = load_arrays(path, kinds, len(kinds) * LARGEST_ARRAY, LARGEST_ARRAY)
    except ValueError as error:
        raise unreadable(f"{path}: {shown(error)}") from None
    missing = [name for name in kinds if name not in arrays]
    if missing:
        raise unreadable(f"{path} has no array {', '.join(missing)}")
    return arrays


def whole(record: Mapping[str, Any], key: str, source: str) -> int:
    """A whole number of a record; KeyError where it is missing, UserError where it is something else."""
    value = record[key]
    if type(value) is not int or abs(value) > MOST:
        raise unreadable(f"{source} has {key}={shown(repr(value))}, no whole number")
    return value


def number(record: Mapping[str, Any], key: str, source: str) -> float:
    """A number of a record, which may be NaN; errors as for `whole`."""
    value = record[key]
    if type(value) not in (int, float) or abs(value) > MOST:
        raise unreadable(f"{source} has {key}={shown(repr(value))}, no number")
    return float(value)


def text(record: Mapping[str, Any], key: str, source: str) -> str:
    """A text of a record, fit to be printed in a line; errors as for `whole`."""
    value = record[key]
    if not isinstance(value, str):
        raise unreadable(f"{source} has {key}={shown(repr(value))}, no text")
    return shown(value)


def mapping(record: Mapping[str, Any], key: str, source: str) -> dict[str, Any]:
    """An object of a record; errors as for `whole`."""
    value = record[key]
    if not isinstance(value, dict):
        raise unreadable(f"{source} has {key}={shown(repr(value))}, no mapping")
    return value


def numbers(record: Mapping[str, Any], key: str, source: str) -> list[float]:
    """A list `[S]` of numbers of a record; errors as for `whole`."""
    return [number({key: value}, key, source) for value in _list(record, key, source)]


def wholes(record: Mapping[str, Any], key: str, source: str) -> list[int]:
    """A list `[S]` of whole numbers of a record; errors as for `whole`."""
    return [whole({key: value}, key, source) for value in _list(record, key, source)]


def _list(record: Mapping[str, Any], key: str, source: str) -> list[Any]:
    value = record[key]
    if not isinstance(value, list) or len(value) > MOST_STEPS:
        raise unreadable(f"{source} has {key}={shown(repr(value))}, no list of at most {MOST_STEPS} numbers")
    return value

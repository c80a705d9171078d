"""Reading the files of a run, which may be a stranger's: bounded, typed, and with an error that names the file.

A dataclass is the schema: `read_as` fills its fields from a JSON object, each checked against its type.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

from numpy.typing import NDArray

from trm.errors import UserError, shown
from trm_lab.files.untrusted import check_regular, load_json, parse_json
from trm_lab.files.untrusted_arrays import load_arrays

MOST_STEPS = 4096  # supervision steps: a list of numbers has one for each
LARGEST_JSON = 16 << 20  # bytes
LARGEST_RECORDS = 1 << 30  # bytes; a run of a million records has about 600 MB
LARGEST_LINE = 1 << 20  # characters
LARGEST_ARRAY = 64 << 20  # bytes of an array of samples, once it is unpacked
MOST = 2**63 - 1
T = TypeVar("T")


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
    """`with remedied(remedy):` gives this remedy to every unreadable file within."""
    try:
        yield
    except UnreadableError as error:
        raise unreadable(error.given, remedy) from None


def read_object(path: Path, largest: int = LARGEST_JSON) -> dict[str, Any]:
    """The JSON object in a file of at most `largest` bytes; UserError for anything else."""
    try:
        content = load_json(path, largest, finite=False)
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
    records, last_line = read_growing(path)
    return [*records, _record(last_line, len(records) + 1, path)] if last_line else records


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
            records.append(_record(line, number, path))
    return records, ""


def _record(line: str, number: int, path: Path) -> dict[str, Any]:
    try:
        record = parse_json(line, finite=False)
    except ValueError as error:
        raise unreadable(f"line {number} of {path} is not JSON: {shown(error)}") from None
    if not isinstance(record, dict):
        raise unreadable(f"line {number} of {path} is no record")
    return record


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


def read_as(schema: type[T], record: Any, source: str, **values: Any) -> T:
    """An object of the dataclass `schema`, out of a JSON object; keys without a field are passed over.

    The key of a field is its name, or the path in an annotation: `Annotated[list[float], "per_step.cell_accuracy"]`.
    Types: int, float (also NaN), int | float, str (made fit to be printed in a line), bool, X | None, list[X],
    dict[str, X], dict[float, X], a dataclass, and Any, which is taken as it is. A field with a default may be missing.

    source: names the file in errors.  values: of fields that are not in the record.

    Raises:
        UserError: a key is missing, or a value is of another type.
    """
    if not isinstance(record, dict):
        raise unreadable(f"{source} is no record of an evaluation")
    types = _types(schema)  # type: ignore[arg-type]
    for own in fields(schema):  # type: ignore[arg-type]
        if own.name in values:
            continue
        kind = types[own.name]
        *outer, key = (kind.__metadata__[0] if get_origin(kind) is Annotated else own.name).split(".")
        try:
            inner = record
            for name in outer:
                inner = _mapping(inner[name], name, source)
            value = inner[key]
        except KeyError as missing:
            if own.default is MISSING and own.default_factory is MISSING:
                raise unreadable(f"{source} has no key {missing}") from None
            continue
        values[own.name] = _typed(value, kind, key, source)
    return schema(**values)


@cache
def _types(schema: Any) -> dict[str, Any]:
    return get_type_hints(schema, include_extras=True)


def _typed(value: Any, kind: Any, key: str, source: str) -> Any:
    """The value if it is of this type; UserError if it is not."""
    kind = kind.__origin__ if get_origin(kind) is Annotated else kind
    arguments = get_args(kind)
    if kind is Any:
        return value
    if NoneType in arguments:
        return None if value is None else _typed(value, arguments[0], key, source)
    if arguments == (int, float):
        return value if type(value) is int and abs(value) <= MOST else _typed(value, float, key, source)
    if is_dataclass(kind):
        return read_as(kind, _mapping(value, key, source), source)  # type: ignore[arg-type]
    if get_origin(kind) is dict:
        entries = _mapping(value, key, source)
        typed = {name: _typed(entry, arguments[1], name, source) for name, entry in entries.items()}
        return _by_number(typed, key, source) if arguments[0] is float else _by_text(typed)
    if get_origin(kind) is list:
        if not isinstance(value, list) or (len(value) > MOST_STEPS and arguments[0] in (int, float)):
            raise _mistyped(value, key, source, f"no list of at most {MOST_STEPS} entries")
        return [_typed(entry, arguments[0], key, source) for entry in value]
    if kind is str:
        if not isinstance(value, str):
            raise _mistyped(value, key, source, "no text")
        return shown(value)
    if kind is bool:
        if not isinstance(value, bool):
            raise _mistyped(value, key, source, "neither true nor false")
        return value
    if type(value) not in ((int,) if kind is int else (int, float)) or abs(value) > MOST:
        raise _mistyped(value, key, source, "no whole number" if kind is int else "no number")
    return kind(value)


def _mapping(value: Any, key: str, source: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _mistyped(value, key, source, "no mapping")
    return value


def _by_text(entries: Mapping[str, T]) -> dict[str, T]:
    return {shown(name): entry for name, entry in entries.items()}


def _by_number(entries: Mapping[str, T], key: str, source: str) -> dict[float, T]:
    try:
        numbered = {float(name): entry for name, entry in entries.items()}
    except ValueError:
        raise unreadable(f"{source} has {key} with names that are no numbers") from None
    return dict(sorted(numbered.items(), key=lambda entry: entry[0]))


def _mistyped(value: Any, key: str, source: str, problem: str) -> UnreadableError:
    return unreadable(f"{source} has {shown(key, 60)}={shown(repr(value), 60)}, {problem}")

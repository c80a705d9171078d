"""Reading what a stranger may have written: of bounded size and depth, from regular files only, and never as code.

Links are followed, since the caches of download tools are made of them; nothing is written or deleted through one.
"""

import json
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.errors import shown

DEEPEST = 32  # lists and objects in each other
_STEP = 1 << 20  # elements of an array that are looked at together


def check_regular(file: Path, largest: int | None = None) -> int:
    """The bytes of a file.

    Raises:
        OSError: it is not there.
        ValueError: it is no regular file (a pipe would be waited for without end), or larger than `largest` bytes.
    """
    status = file.stat()
    _check_status(status, largest)
    return status.st_size


@contextmanager
def open_regular(file: Path, largest: int | None = None) -> Iterator[BufferedReader]:
    """A file's bytes to read; what it is is looked at once it is open, so that it cannot become something else.

    Raises:
        OSError: it is not there, or may not be read.
        ValueError: no regular file, or one larger than `largest` bytes; a pipe is not waited for.
    """
    check_regular(file, largest)  # a device may act on being opened
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    try:
        _check_status(os.fstat(descriptor), largest)
    except ValueError:
        os.close(descriptor)
        raise
    with open(descriptor, "rb") as stream:
        yield stream


def read_regular(file: Path, largest: int | None = None) -> bytes:
    """The bytes of a file; errors as for `open_regular`."""
    with open_regular(file, largest) as stream:
        return stream.read()


def load_json(file: Path, largest: int, finite: bool = True) -> Any:
    """The content of a JSON file of at most `largest` bytes.

    finite: refuse NaN and Infinity, which are not JSON but which Python reads.

    Raises:
        OSError: it cannot be read.
        ValueError: not JSON in UTF-8 (with or without a byte-order mark), too large or too deep, or a key twice.
    """
    return parse_json(read_regular(file, largest).decode("utf-8-sig"), finite)


def parse_json(text: str, finite: bool = True) -> Any:
    """What a JSON text says; ValueError where it says nothing, says a key twice, or is too deep. See `load_json`."""
    try:
        content = json.loads(
            text, parse_constant=_refuse_constant if finite else None, object_pairs_hook=_object
        )
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    level = [content]
    for _ in range(DEEPEST):
        level = [inner for outer in level for inner in _members(outer) if isinstance(inner, dict | list)]
        if not level:
            return content
    raise ValueError(f"more than {DEEPEST} lists and objects in each other")


def map_array(file: Path) -> NDArray[Any]:
    """The array of a .npy file, mapped and not read; what its header declares is exactly what the file holds.

    Raises:
        OSError: it cannot be read.
        ValueError: no such file, or an array that is not of integers.
    """
    with open_regular(file) as stream:
        size = os.fstat(stream.fileno()).st_size
        if not size:
            raise ValueError("cut off: an empty file")
        try:
            version = np.lib.format.read_magic(stream)
            if version != (1, 0):  # later ones only have longer headers, which integers never need
                raise ValueError(f"format version {version}")
            shape, by_columns, dtype = np.lib.format.read_array_header_1_0(stream)
        except (TypeError, SyntaxError, RecursionError, MemoryError, OverflowError) as error:
            raise ValueError("an unreadable header") from error
        start = stream.tell()
    if dtype.kind not in "iu":
        raise ValueError(f"{len(shape)}-dimensional {dtype}, not integers")
    declared = start + dtype.itemsize * product(shape)
    if min(shape, default=0) < 0 or declared != size:
        raise ValueError(f"cut off or changed: it declares {declared:,} bytes and has {size:,}")
    if declared == start:
        return np.empty(shape, dtype)  # nothing can be mapped
    return np.memmap(file, dtype, "r", start, shape, "F" if by_columns else "C")


def product(shape: Iterable[int]) -> int:
    """The elements of an array of this shape, however many."""
    count = 1
    for side in shape:
        count *= int(side)
    return count


def rises(values: NDArray[np.integer]) -> bool:
    """Whether each value is larger than the one before; reads no further than the first that is not.

    Compared, not subtracted: a difference of unsigned integers is never negative.
    """
    for start in range(0, len(values) - 1, _STEP):
        part = values[start : start + _STEP + 1]
        if not (part[1:] > part[:-1]).all():
            return False
    return True


def _check_status(status: os.stat_result, largest: int | None) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("no regular file")
    if largest is not None and status.st_size > largest:
        raise ValueError(f"{status.st_size:,} bytes, more than the {largest:,} that such a file may have")


def _members(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these pairs; Python itself would keep the last of two equal keys and say nothing."""
    made: dict[str, Any] = {}
    for key, value in pairs:
        if key in made:
            raise ValueError(f"the key {shown(repr(key), 60)} twice in one object")
        made[key] = value
    return made


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name}, which is no JSON number")

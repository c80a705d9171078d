"""Reading what a stranger may have written: of bounded size and depth, from regular files only, and never as code.

Links are followed, since the caches of download tools are made of them; nothing is written or deleted through one.
"""

import json
import math
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any

from trm.errors import shown

DEEPEST = 32  # lists and objects in each other


def check_regular(file: Path, largest: int | None = None) -> int:
    """The size of a file in bytes.

    Raises:
        OSError: it is not there.
        ValueError: no regular file (reading a pipe would never end), or larger than `largest` bytes.
    """
    return _checked_size(file.stat(), largest)


@contextmanager
def open_regular(file: Path, largest: int | None = None) -> Iterator[BufferedReader]:
    """Open a file for reading; it is checked before and after opening, so that it cannot be swapped in between.

    Raises:
        OSError: it is not there, or may not be read.
        ValueError: no regular file, or one larger than `largest` bytes.
    """
    check_regular(file, largest)  # before opening: a device may act on being opened
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    with open(descriptor, "rb") as stream:
        _checked_size(os.fstat(descriptor), largest)
        yield stream


def read_regular(file: Path, largest: int | None = None) -> bytes:
    """The bytes of a file; errors as for `open_regular`."""
    with open_regular(file, largest) as stream:
        return stream.read()


def load_json(file: Path, largest: int, finite: bool = True) -> Any:
    """The content of a JSON file of at most `largest` bytes; `finite` as for `parse_json`.

    Raises:
        OSError: it cannot be read.
        ValueError: not JSON in UTF-8 (with or without a byte-order mark), too large or too deep, or a key twice.
    """
    return parse_json(read_regular(file, largest).decode("utf-8-sig"), finite)


def parse_json(text: str, finite: bool = True) -> Any:
    """The content of a JSON text.

    finite: refuse NaN and Infinity, which are not JSON but which Python reads, and numbers that become infinite.

    Raises:
        ValueError: not JSON, nested too deeply, or a key twice in one object.
    """
    hooks: dict[str, Any] = {"parse_constant": _refuse_constant, "parse_float": _finite} if finite else {}
    try:
        content = json.loads(text, object_pairs_hook=_object, **hooks)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    level = [content]
    for _ in range(DEEPEST):
        level = [member for outer in level for member in _members(outer)]
        if not level:
            return content
    raise ValueError(f"more than {DEEPEST} lists and objects in each other")


def _checked_size(status: os.stat_result, largest: int | None) -> int:
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("no regular file")
    if largest is not None and status.st_size > largest:
        raise ValueError(f"{status.st_size:,} bytes, more than the {largest:,} that such a file may have")
    return status.st_size


def _members(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A dictionary of these pairs; Python itself would silently keep the last of two equal keys."""
    content: dict[str, Any] = {}
    for key, value in pairs:
        if key in content:
            raise ValueError(f"the key {shown(repr(key), 60)} twice in one object")
        content[key] = value
    return content


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{shown(text, 60)}, which is beyond every float64")
    return number


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name}, which is no JSON number")

"""A safetensors file that is filled from the first row to the last, so that it never has to be in memory.

Every tensor is `[E, …]`. The header, for the whole length, comes first; then rows are put where they belong. Format:
https://huggingface.co/docs/safetensors.
"""

import json
import math
import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from trm_lab.files.untrusted import open_regular

LONGEST_HEADER = 1 << 20  # bytes
DTYPES = {
    "uint8": "U8",
    "uint16": "U16",
    "int16": "I16",
    "int32": "I32",
    "float16": "F16",
    "float32": "F32",
    "float64": "F64",
}
_OURS = {theirs: ours for ours, theirs in DTYPES.items()}


@dataclass(frozen=True)
class Column:
    """One tensor of the file.

    row: the shape of a row.  start: where its bytes begin.
    """

    dtype: np.dtype[Any]
    row: tuple[int, ...]
    start: int

    @property
    def row_bytes(self) -> int:
        """Of one row."""
        return self.dtype.itemsize * math.prod(self.row)


@dataclass(frozen=True)
class RowFile:
    """The file's columns by name, in the order of its header; all have `rows` rows."""

    path: Path
    columns: Mapping[str, Column]
    rows: int

    @classmethod
    def create(cls, path: Path, arrays: Mapping[str, NDArray[Any]], rows: int) -> "RowFile":
        """An empty file for columns like `arrays`, the disk's room for all its rows taken.

        Raises:
            OSError: there is no room.
        """
        told: dict[str, Any] = {}
        end = 0
        for name, array in arrays.items():
            start, end = end, end + rows * array.itemsize * math.prod(array.shape[1:])
            shape = [rows, *array.shape[1:]]
            told[name] = {"dtype": DTYPES[array.dtype.name], "shape": shape, "data_offsets": [start, end]}
        text = json.dumps(told).encode()
        text += b" " * (-len(text) % 8)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)  # a second name of the file keeps what it has
        with path.open("xb") as stream:
            stream.write(len(text).to_bytes(8, "little") + text)
            stream.flush()
            try:
                _take_room(stream.fileno(), 8 + len(text) + end)
            except OSError as error:
                raise OSError(error.errno, f"{error.strerror} ({end:,} bytes wanted)", str(path)) from error
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> "RowFile":
        """What a file says that it holds, and does.

        Raises:
            OSError: it cannot be read.
            ValueError: it is cut off, or no such file.
        """
        with open_regular(path) as stream:
            size = os.fstat(stream.fileno()).st_size
            length = int.from_bytes(stream.read(8), "little")
            if not 0 < length <= min(LONGEST_HEADER, size):
                raise ValueError("no safetensors header")
            try:
                header = json.loads(stream.read(length))
                header.pop("__metadata__", None)
                columns = {name: _column(told, 8 + length) for name, told in header.items()}
                counts = {int(told["shape"][0]) for told in header.values()}
            except (KeyError, TypeError, AttributeError, IndexError, RecursionError, OverflowError) as error:
                raise ValueError("an unreadable header") from error
        if len(counts) != 1 or min(counts) < 0:
            raise ValueError("columns of different lengths")
        made = cls(path, columns, counts.pop())
        for name, column in columns.items():
            if min((column.start, *column.row)) < 0 or column.start + made.rows * column.row_bytes > size:
                raise ValueError(f"{name} is cut off")
        return made

    def write(self, first: int, arrays: Mapping[str, NDArray[Any]]) -> int:
        """Put rows at `first` and sync them; the CRC-32 of their bytes, column by column.

        Raises:
            OSError: the disk refused.
        """
        checksum = 0
        with open(os.open(self.path, os.O_RDWR | os.O_NOFOLLOW), "r+b") as stream:
            for name, column in self.columns.items():
                assert arrays[name].dtype == column.dtype, (name, arrays[name].dtype, column.dtype)
                data = np.ascontiguousarray(arrays[name]).tobytes()
                checksum = zlib.crc32(data, checksum)
                stream.seek(column.start + first * column.row_bytes)
                stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        return checksum

    def checksum(self, first: int, rows: int) -> int:
        """The CRC-32 of some rows' bytes, as `write` gave it."""
        checksum = 0
        with self.path.open("rb") as stream:
            for column in self.columns.values():
                checksum = zlib.crc32(_bytes(stream, column, first, rows), checksum)
        return checksum

    @contextmanager
    def reading(self) -> Iterator["RowReader"]:
        """Read rows while the file stays open."""
        with self.path.open("rb") as stream:
            yield RowReader(self, stream)


@dataclass(frozen=True)
class RowReader:
    """An open file's rows."""

    file: RowFile
    stream: BinaryIO

    def rows(self, start: int, end: int) -> dict[str, NDArray[Any]]:
        """Rows [start, end) of every column, in memory of their own."""
        return {
            name: np.frombuffer(
                bytearray(_bytes(self.stream, column, start, end - start)), column.dtype
            ).reshape(end - start, *column.row)
            for name, column in self.file.columns.items()
        }


def _column(told: Mapping[str, Any], data_start: int) -> Column:
    if told["dtype"] not in _OURS:
        raise ValueError(f"dtype {str(told['dtype'])[:20]}")
    row = tuple(int(side) for side in told["shape"][1:])
    return Column(np.dtype(_OURS[told["dtype"]]), row, data_start + int(told["data_offsets"][0]))


def _take_room(descriptor: int, size: int) -> None:
    """Where the system can, refuse now what the disk would refuse later."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
    else:
        os.truncate(descriptor, size)


def _bytes(stream: BinaryIO, column: Column, first: int, rows: int) -> bytes:
    stream.seek(column.start + first * column.row_bytes)
    return stream.read(rows * column.row_bytes)

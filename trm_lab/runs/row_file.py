"""A safetensors file that is filled from the first row to the last, so that it never has to be in memory.

Every tensor is `[E, …]`. The header, for the whole length, comes first; then rows are put where they belong. Format:
https://huggingface.co/docs/safetensors.
"""

import json
import math
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from trm_lab.files.untrusted import open_regular

LONGEST_HEADER = 1 << 20  # bytes
DTYPES = {
    "U8": "uint8",
    "U16": "uint16",
    "I16": "int16",
    "I32": "int32",
    "F16": "float16",
    "F32": "float32",
    "F64": "float64",
}
_NAMES = {dtype: name for name, dtype in DTYPES.items()}


@dataclass(frozen=True)
class Column:
    """One tensor of the file: the shape of a row, and where in the file its bytes begin."""

    dtype: np.dtype[Any]
    row: tuple[int, ...]
    start: int

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return self.dtype.itemsize * math.prod(self.row)


@dataclass(frozen=True)
class RowFile:
    """The file's columns by name, in the order of its header; all have `rows` rows."""

    path: Path
    columns: Mapping[str, Column]
    rows: int

    @classmethod
    def create(cls, path: Path, arrays: Mapping[str, NDArray[Any]], rows: int) -> "RowFile":
        """An empty file for columns like `arrays`, with disk space for all its rows.

        Raises:
            OSError: there is no room.
        """
        header: dict[str, Any] = {}
        end = 0
        for name, array in arrays.items():
            start, end = end, end + rows * array.itemsize * math.prod(array.shape[1:])
            shape = [rows, *array.shape[1:]]
            header[name] = {"dtype": _NAMES[array.dtype.name], "shape": shape, "data_offsets": [start, end]}
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)  # a second name of the file keeps what it has
        with path.open("xb") as stream:
            stream.write(len(text).to_bytes(8, "little") + text)
            stream.flush()
            try:
                _reserve(stream.fileno(), 8 + len(text) + end)
            except OSError as error:
                raise OSError(error.errno, f"{error.strerror} ({end:,} bytes wanted)", str(path)) from error
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> "RowFile":
        """The columns that a file's header declares and the file holds.

        Raises:
            OSError: it cannot be read.
            ValueError: it is cut off, or no such file.
        """
        with open_regular(path) as stream:
            length = int.from_bytes(stream.read(8), "little")
            if not 0 < length <= LONGEST_HEADER:
                raise ValueError("no safetensors header")
            text = stream.read(length)
        try:
            with safe_open(path, "numpy"):  # compares the header with the file's size
                header = json.loads(text)
            header.pop("__metadata__", None)
            columns = {name: _column(entry, 8 + length) for name, entry in header.items()}
            (rows,) = {entry["shape"][0] for entry in header.values()}
        except (SafetensorError, KeyError, IndexError, ValueError) as error:
            raise ValueError(f"no file of rows: {error}") from error
        return cls(path, columns, rows)

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

    def read(self, first: int, rows: int) -> dict[str, NDArray[Any]]:
        """Rows from `first` on of every column, in memory of their own."""
        arrays = {}
        with self.path.open("rb") as stream:
            for name, column in self.columns.items():
                stream.seek(column.start + first * column.row_bytes)
                values = np.fromfile(stream, column.dtype, rows * math.prod(column.row))
                arrays[name] = values.reshape(rows, *column.row)
        return arrays

    def checksum(self, first: int, rows: int) -> int:
        """The CRC-32 of some rows' bytes, as `write` gave it."""
        checksum = 0
        for array in self.read(first, rows).values():
            checksum = zlib.crc32(array.tobytes(), checksum)
        return checksum


def _column(entry: Mapping[str, Any], data_start: int) -> Column:
    return Column(
        np.dtype(DTYPES[entry["dtype"]]), tuple(entry["shape"][1:]), data_start + entry["data_offsets"][0]
    )


def _reserve(descriptor: int, size: int) -> None:
    """Where the system can, refuse now what the disk would refuse later."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
    else:
        os.truncate(descriptor, size)

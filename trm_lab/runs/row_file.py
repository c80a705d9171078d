"""A safetensors file that is filled from the first row to the last, so that it never has to be in memory.

Every tensor is a column, `[E, …]`. The header, for the whole length, comes first; then rows are put where they belong.
Format: https://huggingface.co/docs/safetensors.
"""

import json
import math
import os
from collections.abc import Mapping
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
Columns = dict[str, np.memmap[Any, Any]]  # in the order of the header, all of E rows, mapped and not read


def create_rows(path: Path, arrays: Mapping[str, NDArray[Any]], rows: int) -> None:
    """Make a file for columns like `arrays`, with disk space for all its rows.

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
        reserve = getattr(os, "posix_fallocate", lambda file, _, size: os.truncate(file, size))
        try:  # where the system can, refuse now what the disk would refuse later
            reserve(stream.fileno(), 0, 8 + len(text) + end)
        except OSError as error:
            raise OSError(error.errno, f"{error.strerror} ({end:,} bytes wanted)", str(path)) from error


def open_rows(path: Path) -> Columns:
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
        columns = {
            name: np.memmap(
                path, DTYPES[entry["dtype"]], "r", 8 + length + entry["data_offsets"][0], tuple(entry["shape"])
            )
            for name, entry in header.items()
        }
    except (SafetensorError, KeyError, ValueError) as error:
        raise ValueError(f"no file of rows: {error}") from error
    if len({column.shape[:1] for column in columns.values()}) != 1:
        raise ValueError("columns of different lengths")
    return columns


def write_rows(path: Path, columns: Columns, first: int, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Put rows into a file from row `first` on, and sync them.

    Raises:
        OSError: the disk refused.
    """
    with open(os.open(path, os.O_RDWR | os.O_NOFOLLOW), "r+b") as stream:
        for name, column in columns.items():
            assert arrays[name].dtype == column.dtype, (name, arrays[name].dtype, column.dtype)
            stream.seek(column.offset + first * column.strides[0])
            stream.write(arrays[name].tobytes())
        stream.flush()
        os.fsync(stream.fileno())

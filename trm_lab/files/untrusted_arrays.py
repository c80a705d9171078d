"""Arrays of .npy and .npz files that a stranger may have written: of bounded size, of known types, never pickles."""

import math
import zipfile
import zlib
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_lab.files.untrusted import check_regular, open_regular

_FORMAT_VERSION = (1, 0)  # later ones only have longer headers, whose length is not bounded
_STEP = 1 << 20  # elements that are compared at a time
_LAST_CHARACTER = 0x10FFFF  # of Unicode; Python stops with a SystemError at a larger one
# what numpy raises at a header that is none, or that declares more than the memory
_UNREADABLE_HEADER = (TypeError, SyntaxError, OverflowError, RecursionError, MemoryError)
_UNREADABLE_ARCHIVE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


def map_array(file: Path) -> NDArray[Any]:
    """The integer array of a .npy file, memory-mapped: nothing is read, and nothing allocated for it.

    Raises:
        OSError: the file cannot be read.
        ValueError: no .npy file, not of integers, or its header declares another size than the file has.
    """
    with open_regular(file) as stream:
        if not stream.peek(1):
            raise ValueError("cut off: an empty file")
        version = np.lib.format.read_magic(stream)
    if version != _FORMAT_VERSION:
        raise ValueError(f"format version {version}")
    try:
        with np.errstate(over="ignore"):  # numpy refuses a shape whose product wraps around
            array = np.lib.format.open_memmap(file, mode="r")
    except (ValueError, *_UNREADABLE_HEADER) as error:
        raise ValueError(f"cut off, or an unreadable header: {error}") from error
    if array.dtype.kind not in "iu":
        raise ValueError(f"{array.ndim}-dimensional {array.dtype}, not integers")
    declared_bytes, file_bytes = array.offset + array.nbytes, file.stat().st_size
    if declared_bytes != file_bytes:
        raise ValueError(f"cut off or changed: it declares {declared_bytes:,} bytes and has {file_bytes:,}")
    return array


def rises(values: NDArray[np.integer]) -> bool:
    """Whether each value is larger than the one before; stops reading soon after the first that is not.

    Compared, not subtracted: a difference of unsigned integers is never negative.
    """
    parts = (values[start : start + _STEP + 1] for start in range(0, len(values) - 1, _STEP))
    return all((part[1:] > part[:-1]).all() for part in parts)


def load_arrays(file: Path, kinds: Mapping[str, str], largest_file: int, largest_array: int) -> dict[str, NDArray[Any]]:
    """Those arrays of a .npz file that `kinds` names; arrays that the file lacks are left out.

    Args:
        kinds: for each array, numpy's letters of the element types that it may have.
        largest_file: bytes of a file that is still read.
        largest_array: bytes of an array that is still unpacked.

    Raises:
        OSError: the file cannot be read.
        ValueError: no .npz file, or an array of another type or too large.
    """
    check_regular(file, largest_file)
    try:
        with zipfile.ZipFile(file) as archive:
            names = set(archive.namelist())
            return {
                name: _unpacked(archive, f"{name}.npy", allowed_kinds, largest_array)
                for name, allowed_kinds in kinds.items()
                if f"{name}.npy" in names
            }
    except (*_UNREADABLE_HEADER, *_UNREADABLE_ARCHIVE) as error:
        raise ValueError(str(error) or type(error).__name__) from error


def _unpacked(archive: zipfile.ZipFile, member: str, kinds: str, largest: int) -> NDArray[Any]:
    if archive.getinfo(member).compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError("an archive packed otherwise than numpy does")  # others declare the memory that they need
    size = archive.getinfo(member).file_size  # no more is unpacked than this
    if size > largest:
        raise ValueError(f"an array of {size:,} bytes, more than {largest:,}")
    stream = BytesIO(archive.read(member))
    if np.lib.format.read_magic(stream) != _FORMAT_VERSION:
        raise ValueError("another format of arrays")
    shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.kind not in kinds:
        raise ValueError(f"an array of {dtype}")
    declared_bytes = stream.tell() + dtype.itemsize * math.prod(shape)
    if min(shape, default=0) < 0 or declared_bytes != size:
        raise ValueError("an array that declares more or less than it holds")
    stream.seek(0)
    array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
    if dtype.kind == "U" and array.size:
        characters = np.frombuffer(array.tobytes(), np.dtype("u4").newbyteorder(dtype.byteorder))
        if characters.max(initial=0) > _LAST_CHARACTER:
            raise ValueError("a text with characters that there are not")
    return array

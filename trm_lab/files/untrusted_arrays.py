"""Arrays of .npz files that a stranger may have written: of bounded size, of known kinds, and never as code."""

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from trm_lab.files.untrusted import check_regular, product

_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what numpy writes
_LAST_CHARACTER = 0x10FFFF  # of Unicode; Python stops with a SystemError at a larger one
_NUMPYS = (ValueError, TypeError, SyntaxError, OverflowError, RecursionError, MemoryError)  # of a header
_ARCHIVES = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


def load_arrays(
    file: Path, kinds: Mapping[str, str], largest_file: int, largest_array: int
) -> dict[str, NDArray[Any]]:
    """Those of the named arrays that a .npz file has, each of its kinds of elements (numpy's letters).

    A file of more than `largest_file` bytes is not read, an array of more than `largest_array` not unpacked.

    Raises:
        OSError: the file cannot be read.
        ValueError: no such file, or an array of another kind or size.
    """
    check_regular(file, largest_file)
    try:
        with zipfile.ZipFile(file) as archive:
            members = {member.filename: member for member in archive.infolist()}
            return {
                name: _load(archive, members[f"{name}.npy"], allowed, largest_array)
                for name, allowed in kinds.items()
                if f"{name}.npy" in members
            }
    except (*_NUMPYS, *_ARCHIVES) as error:
        raise ValueError(str(error) or type(error).__name__) from error


def _load(archive: zipfile.ZipFile, member: zipfile.ZipInfo, kinds: str, largest: int) -> NDArray[Any]:
    if member.file_size > largest:
        raise ValueError(f"an array of {member.file_size:,} bytes, more than {largest:,}")
    if member.compress_type not in _PACKINGS:
        raise ValueError("an archive packed otherwise than numpy does")
    with archive.open(member) as stream:
        return _array(stream, kinds)


def _array(stream: IO[bytes], kinds: str) -> NDArray[Any]:
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("another format of arrays")
    shape, by_columns, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.kind not in kinds:
        raise ValueError(f"an array of {dtype}")
    held = stream.read()
    if min(shape, default=0) < 0 or len(held) != dtype.itemsize * product(shape):
        raise ValueError("an array that declares more or less than it holds")
    if dtype.kind == "U" and not _is_text(held, dtype):
        raise ValueError("a text with characters that there are not")
    return np.frombuffer(held, dtype).reshape(shape, order="F" if by_columns else "C")


def _is_text(held: bytes, dtype: np.dtype[Any]) -> bool:
    characters = np.frombuffer(held, np.dtype("u4").newbyteorder(dtype.byteorder))
    return bool(characters.max(initial=0) <= _LAST_CHARACTER)

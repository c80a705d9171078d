"""Arrays of .npy and .npz files that a stranger may have written: of bounded size, of known types, never pickles."""

import math
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray

from trm.errors import shown
from trm_lab.files.untrusted import check_regular, open_regular

_MAGIC = b"\x93NUMPY\x01\x00"  # format version 1.0; later ones only have longer headers, whose length is not bounded
# What numpy writes of numbers and texts. Numpy itself reads headers as Python: which exceptions that raises depends on
# the version of Python, and at a type such as M8[s/0] it divides by zero, which ends the process.
_HEADER = re.compile(
    r"\{ *'descr' *: *'(\|[biu]1|[<>][iu][248]|[<>]f[248]|[<>]U\d{1,6})' *, *'fortran_order' *: *(True|False) *, *"
    r"'shape' *: *\(((?:\d{1,18} *, *)*(?:\d{1,18})?)\) *,? *\} *\n?",
    re.ASCII,
)
_STEP = 1 << 20  # elements that are compared at a time
_LAST_CHARACTER = 0x10FFFF  # of Unicode; Python stops with a SystemError at a larger one
_UNREADABLE_ARCHIVE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError)


@dataclass(frozen=True)
class _Header:
    """What a .npy file declares; its elements begin `offset` bytes after its first byte."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    order: Literal["C", "F"]
    offset: int

    @classmethod
    def read(cls, stream: IO[bytes]) -> "_Header":
        """Read the header at the stream's start; ValueError for none, and for other types than numbers and texts."""
        magic = stream.read(len(_MAGIC))
        if not magic:
            raise ValueError("cut off: an empty file")
        if magic != _MAGIC:
            version = f"format version {tuple(magic[-2:])}" if magic[:-2] == _MAGIC[:-2] else "no .npy file"
            raise ValueError(version)
        text = stream.read(int.from_bytes(stream.read(2), "little")).decode("latin-1")
        parts = _HEADER.fullmatch(text)
        if parts is None:
            raise ValueError(f"cut off, or a header of neither numbers nor texts: {shown(text.strip())}")
        shape = tuple(map(int, re.findall(r"\d+", parts[3])))
        return cls(np.dtype(parts[1]), shape, "F" if parts[2] == "True" else "C", len(_MAGIC) + 2 + len(text))

    @property
    def file_bytes(self) -> int:
        """Size of the file."""
        return self.offset + self.dtype.itemsize * math.prod(self.shape)


def map_array(file: Path) -> NDArray[Any]:
    """The integer array of a .npy file, memory-mapped: nothing is read, and nothing allocated for it.

    Raises:
        OSError: the file cannot be read.
        ValueError: no .npy file, not of integers, or its header declares another size than the file has.
    """
    with open_regular(file) as stream:
        header = _Header.read(stream)
    if header.dtype.kind not in "iu":
        raise ValueError(f"{len(header.shape)}-dimensional {header.dtype}, not integers")
    file_bytes = file.stat().st_size
    if header.file_bytes != file_bytes:
        raise ValueError(f"cut off or changed: it declares {header.file_bytes:,} bytes and has {file_bytes:,}")
    return np.memmap(file, header.dtype, "r", header.offset, header.shape, header.order)


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
    except _UNREADABLE_ARCHIVE as error:
        raise ValueError(str(error) or type(error).__name__) from error


def _unpacked(archive: zipfile.ZipFile, member: str, kinds: str, largest: int) -> NDArray[Any]:
    if archive.getinfo(member).compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError("an archive packed otherwise than numpy does")  # others declare the memory that they need
    size = archive.getinfo(member).file_size  # no more is unpacked than this
    if size > largest:
        raise ValueError(f"an array of {size:,} bytes, more than {largest:,}")
    content = archive.read(member)
    header = _Header.read(BytesIO(content))
    if header.dtype.kind not in kinds:
        raise ValueError(f"an array of {header.dtype}")
    if header.file_bytes != size:
        raise ValueError("an array that declares more or less than it holds")
    flat = np.frombuffer(content, header.dtype, offset=header.offset)
    array: NDArray[Any] = flat.reshape(header.shape, order=header.order).copy()
    if header.dtype.kind == "U" and array.size:
        characters = np.frombuffer(array.tobytes(), np.dtype("u4").newbyteorder(header.dtype.byteorder))
        if characters.max(initial=0) > _LAST_CHARACTER:
            raise ValueError("a text with characters that there are not")
    return array

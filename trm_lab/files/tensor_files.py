"""Writing a safetensors file: with the rights of the umask, reproducible bytes, and errors that name the file."""

import json
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor


def save_tensors(file: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors into a new file; they are on the CPU, contiguous, and share no memory.

    Raises:
        OSError: the system refused; it names `file`.
    """
    file.touch()
    rights = stat.S_IMODE(file.stat().st_mode)  # the library's own files may be read by their owner alone
    try:
        save_file(dict(tensors), file, None if metadata is None else dict(metadata))
    except SafetensorError as error:  # a refusal of the system, in the library's words
        refusal = re.search(r"os error (\d+)", str(error))
        if refusal is None:
            raise
        number = int(refusal[1])
        raise OSError(number, os.strerror(number), str(file)) from error
    if metadata is not None:
        _order_metadata(file)
    file.chmod(rights)


def _order_metadata(file: Path) -> None:
    """Sort the keys of a safetensors file's metadata, whose order the library leaves to chance.

    Such a file begins with the length of its header, in 8 bytes, and the header, JSON with spaces behind.
    """
    with file.open("r+b") as stream:
        length = int.from_bytes(stream.read(8), "little")
        header = json.loads(stream.read(length))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        ordered = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        assert len(ordered) <= length
        stream.seek(8)
        stream.write(ordered.ljust(length))

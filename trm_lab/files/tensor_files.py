"""Writing a safetensors file: the umask decides on its rights, errors name it, the same tensors give the same bytes."""

import json
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor


def save_tensors(
    file: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Write tensors on the CPU, contiguous and of separate memory, into a new file; the same ones give the same bytes.

    Raises:
        OSError: the system refused; it names `file`.
    """
    file.touch()
    rights = stat.S_IMODE(
        file.stat().st_mode
    )  # the library replaces the file by one that its owner alone may read
    try:
        save_file(dict(tensors), file, None if metadata is None else dict(metadata))
    except SafetensorError as error:  # how it words what the system refused
        refusal = re.search(r"os error (\d+)", str(error))
        if refusal is None:
            raise
        number = int(refusal[1])
        raise OSError(number, os.strerror(number), str(file)) from error
    if metadata is not None:
        _order_metadata(file)
    file.chmod(rights)


def _order_metadata(file: Path) -> None:
    """Put the metadata of a safetensors file in the order of its keys, which the library writes in any.

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

"""Writing a safetensors file as any other file is written: with the umask's rights, and OSErrors that name it."""

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
    """Write tensors on the CPU, contiguous and of separate memory, into a new file.

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
    file.chmod(rights)

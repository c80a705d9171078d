"""Small files that are either written whole or left as they were."""

import os
from pathlib import Path


def write_whole(file: Path, content: str | bytes) -> None:
    """Write a file that survives a power cut, or leave the one there.

    Raises:
        OSError: the system refused; it names `file`.
    """
    partial = file.with_name(file.name + ".partial")
    try:
        with partial.open("wb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:  # a full disk's does not say where
        raise OSError(error.errno, error.strerror, str(file)) from error
    partial.replace(file)

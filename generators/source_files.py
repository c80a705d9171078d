"""Opening the files that a dataset is made of: what is no file that can be read is named, and never waited for."""

from pathlib import Path
from typing import BinaryIO

from trm.errors import UserError
from trm.untrusted import check_regular


def open_source(file: Path) -> BinaryIO:
    """A source file, open for reading.

    Raises:
        UserError: it is a folder, a pipe or another thing that is no regular file, or it cannot be read.
    """
    try:
        check_regular(file)
        return file.open("rb")
    except OSError as error:
        raise UserError(
            f"{file}: {error.strerror or 'unreadable'}",
            "a file that can be read",
            "correct the path, or the permissions of the file",
        ) from error
    except ValueError as error:
        raise UserError(f"{file}: {error}", "a regular file", "put the file itself there") from error

"""Opening the files that a dataset is made of; what cannot be read is named in the error, and never waited for."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BufferedReader
from pathlib import Path

from trm.errors import UserError
from trm_lab.files.untrusted import open_regular


@contextmanager
def open_source(file: Path) -> Iterator[BufferedReader]:
    """A source file's bytes to read.

    Raises:
        UserError: it is a folder, a pipe or another thing that is no regular file, or it cannot be opened.
    """
    with ExitStack() as streams:
        try:
            stream = streams.enter_context(open_regular(file))
        except OSError as error:
            raise UserError(
                f"{file}: {error.strerror or 'unreadable'}",
                "a file that can be read",
                "correct the path, or the permissions of the file",
            ) from error
        except ValueError as error:
            raise UserError(f"{file}: {error}", "a regular file", "put the file itself there") from error
        yield stream

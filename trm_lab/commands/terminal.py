"""The process's standard streams: they print in every encoding, and nothing ends because nobody reads them."""

import codecs
import errno
import io
import os
import sys
import unicodedata

PLAIN = "trm.plain"  # the name of the error handler
SIGNS = {  # what the programs print, for terminals that have no such character
    **dict.fromkeys("–—−", "-"),
    **dict.fromkeys("“”″", '"'),
    **dict.fromkeys("‘’′", "'"),
    "→": "->",
    "←": "<-",
    "…": "...",
    "·": "*",
    "×": "x",
    "±": "+/-",
    "≤": "<=",
    "≥": ">=",
    "≈": "~",
    "²": "^2",
    **dict.fromkeys("█▀▄■", "#"),
}


def settle_streams() -> None:
    """Make stdout and stderr print what they can and outlast whoever reads them; open those that are closed.

    A stream that a test or a notebook has put in their place is left alone.
    """
    codecs.register_error(PLAIN, _plain)
    _open_closed()
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8", errors=PLAIN))  # noqa: SIM115
        elif type(stream) is io.TextIOWrapper and stream is getattr(sys, f"__{name}__"):
            setattr(sys, name, OutlastingStream(stream))


def lost_output() -> OSError | None:
    """Why part of what was printed to stdout is lost; None too where its reader only went away, as `head` does."""
    error = getattr(sys.stdout, "lost", None)
    return None if error is None or error.errno == errno.EPIPE else error


class OutlastingStream(io.TextIOWrapper):
    """A standard stream that goes on in /dev/null when the system refuses it."""

    def __init__(self, stream: io.TextIOWrapper) -> None:
        self.lost: OSError | None = None
        super().__init__(
            stream.buffer,
            encoding=stream.encoding,
            errors=PLAIN,
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )

    def write(self, text: str) -> int:
        """See `TextIOWrapper`."""
        try:
            return super().write(text)
        except OSError as error:
            return self._lose(error, len(text))

    def flush(self) -> None:
        """See `TextIOWrapper`."""
        try:
            super().flush()
        except OSError as error:
            self._lose(error, 0)

    def _lose(self, error: OSError, length: int) -> int:
        self.lost = self.lost or error
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)
        return length


def _plain(error: UnicodeError) -> tuple[str, int]:
    """ASCII for the characters that cannot be encoded."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_in_ascii(sign) for sign in error.object[error.start : error.end]), error.end


def _in_ascii(sign: str) -> str:
    if sign in SIGNS:
        return SIGNS[sign]
    letter = unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode()
    return letter or "?"


def _open_closed() -> None:
    """Open /dev/null as each standard descriptor that is closed, so that no file of ours takes its number."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != descriptor:
                os.dup2(nowhere, descriptor)
                os.close(nowhere)

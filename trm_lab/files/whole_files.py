"""Single files: written whole or left as they were, never through a link, and never over a file of somebody else.

A file that a command may replace holds a mark of the kind of command that wrote it: in a comment of a page or a
table, in the metadata of a picture.
"""

import os
import stat
import tempfile
from pathlib import Path

from trm.errors import UserError, shown
from trm_lab.files.untrusted import open_regular, read_regular

DAMAGED, EARLIER = ".damaged", ".earlier"  # suffixes of what is set aside
_LARGEST = 256 << 20  # bytes of a file that is searched for a mark


def write_whole(file: Path, content: str | bytes) -> None:
    """Replace a file by a new one that survives a power cut, or leave it as it is; a link is replaced, not followed.

    Raises:
        OSError: the system refused; it names `file`.
    """
    partial = file.with_name(file.name + ".partial")
    try:
        if partial.is_symlink() or partial.is_file():  # what a kill left, or what a stranger laid there
            partial.unlink()
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
        with open(descriptor, "wb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(file)
    except OSError as error:  # a full disk's does not say where
        if partial.is_file() and not partial.is_symlink():
            partial.unlink()  # a full disk takes no half file
        raise OSError(error.errno, error.strerror, str(file)) from error


def open_for_appending(file: Path) -> int:
    """A descriptor that appends to `file`, which is created if it is missing.

    Raises:
        UserError: it is a link, a pipe or a folder.
        OSError: the system refused.
    """
    check_plain(file)
    if file.exists() and file.stat().st_nlink > 1:  # a copy of a folder may share its files with the original
        write_whole(file, read_regular(file))
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):  # it became something else since
        os.close(descriptor)
        raise not_plain(file)
    return descriptor


def check_plain(file: Path) -> None:
    """UserError where `file` is a link, a pipe or a folder; a missing file is fine."""
    try:
        mode = os.lstat(file).st_mode
    except OSError:  # missing, or not to be reached: writing it will say so
        return
    if not stat.S_ISREG(mode):
        raise not_plain(file)


def not_plain(file: Path) -> UserError:
    """The error for a link, a pipe or a folder in the place of a file."""
    kind = "a link" if file.is_symlink() else "a folder" if file.is_dir() else "no plain file"
    return UserError(
        f"{shown(file)} is {kind}",
        "plain files: nothing is written through a link, and no pipe is waited for",
        "see what it is and who made it; move it away, or choose another place",
    )


def set_aside(path: Path, suffix: str = DAMAGED) -> Path:
    """Rename a file or a folder to a free name, which is returned."""
    aside = name_aside(path, suffix)
    path.rename(aside)
    return aside


def name_aside(path: Path, suffix: str = DAMAGED) -> Path:
    """A free name for what is set aside, or for a copy of it."""
    aside, number = path.with_name(path.name + suffix), 1
    while os.path.lexists(aside):
        number += 1
        aside = path.with_name(f"{path.name}{suffix}-{number}")
    return aside


def mark(kind: str) -> str:
    """The mark in a file that a command of ours wrote; kind: such as `figure` or `page`.

    It is not the command's name: a text that quotes `trm-lab export` must not pass for an export.
    """
    return f"dis-trm {kind}"


def check_output_file(file: Path, kind: str, flag: str = "--output") -> None:
    """Check that a command may write `file`: nothing is there, or a file with the mark of the same kind.

    Raises:
        UserError: another file, a link or a folder; or a place where nothing can be written.
    """
    if not is_there(file, flag):
        check_parent(file, flag)
        return
    check_plain(file)
    if not carries(file, mark(kind)):
        raise UserError(
            f"{shown(file)} is there, and no {kind} that we wrote",
            "a new file, or one that we wrote, which is written anew",
            f"move it away, or choose another {flag}",
        )


def write_output(file: Path, content: str | bytes, kind: str, flag: str = "--output") -> None:
    """Write a file whose `content` holds the mark of its kind, and replace nothing but such a file.

    Raises:
        UserError: see `check_output_file`.
        OSError: the system refused; it names `file`.
    """
    check_output_file(file, kind, flag)
    assert mark(kind).encode() in (content.encode() if isinstance(content, str) else content)
    write_whole(file, content)


def is_there(path: Path, flag: str) -> bool:
    """Whether something exists at `path`, a link that leads nowhere included.

    Raises:
        UserError: nothing can exist there (the name is too long, a folder above it is a file), or `path` goes through
            a missing folder and back by `..`: creating that folder would make it lead somewhere else.
    """
    try:
        os.lstat(path)
    except FileNotFoundError:
        if os.path.lexists(os.path.realpath(path)):
            raise _no_place(path, flag, "`..` behind a folder that is not there") from None
        return False
    except (OSError, ValueError) as error:
        raise _no_place(path, flag, getattr(error, "strerror", None) or str(error)) from error
    return True


def check_parent(path: Path, flag: str) -> None:
    """UserError where nothing can be written in the nearest existing folder above `path`."""
    parent = next(folder for folder in path.absolute().parents if os.path.lexists(folder))
    if not parent.exists():
        raise _no_place(path, flag, f"{shown(parent)} is a link to something that is not there")
    try:
        os.rmdir(tempfile.mkdtemp(dir=parent))
    except OSError as error:
        problem = f"nothing can be written in {shown(parent)} ({error.strerror})"
        raise _no_place(path, flag, problem) from error


def _no_place(path: Path, flag: str, problem: str) -> UserError:
    return UserError(
        f"output {shown(path)}: {problem}",
        "a place that you may write to, with a name that the file system takes",
        f"choose another {flag}",
    )


def carries(file: Path, text: str) -> bool:
    """Whether a plain file holds `text`, such as a mark; False where it cannot be read."""
    try:
        with open_regular(file, _LARGEST) as stream:
            return text.encode() in stream.read()
    except (OSError, ValueError):
        return False

"""The one way to write a folder, and the one rule for what a folder that is already there means.

- Ours and finished: an error, or replaced with --overwrite.
- Ours and unfinished: continued or cleared.
- Anything else: never touched; the error names what is in it.

A folder is ours if it is of the kind that the command writes and holds nothing else: no other file, and no link.

A folder is written under a temporary name beside its place, synced to the disk, and renamed. What it replaces stays
until then; if the process is killed between the two renames, the next command puts it back.
"""

import glob
import os
import platform
import re
import shutil
import signal
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from trm.errors import UserError, shown
from trm_lab.files.whole_files import check_parent, is_there

PARTIAL, OLD = (".partial", ".replaced")  # suffixes of temporary names; not `.old`, which a user may have chosen


@dataclass(frozen=True)
class Kind:
    """A kind of folder that a command writes.

    noun: for messages, such as "a dataset".
    names: a regular expression for the relative path of every file in such a folder, and of every folder with a slash
        behind it.
    is_one: whether a folder in which all names match is of this kind, by the content of its files.
    flag: the command line's flag that chooses the place.
    """

    noun: str
    names: str
    is_one: Callable[[Path], bool]
    flag: str = "--output-dir"


@contextmanager
def new_folder(output: Path | str, kind: Kind, overwrite: bool = False, alone: bool = False) -> Iterator[Path]:
    """A temporary folder to write into, which is renamed to `output` when the block ends and deleted when it raises.

    Its name is `<output>.partial-<host>-<pid>`. A process that is killed leaves it behind, for the next one to delete,
    and never half a folder under `output`. SIGTERM ends the block as an interrupt does.

    alone: no other process writes there, because a lock is held; temporary names are then the same for every process.

    Raises:
        UserError: `output` is in use; see `check_output`.
        OSError: the system refused; it names a path.
    """
    output = Path(output)
    check_place(output, kind.flag)
    output = output.resolve()  # a folder above it may be a link
    tidy(output, kind, alone)
    check_output(output, kind, overwrite)
    tag = "" if alone else own_tag()
    partial, old = beside(output, PARTIAL + tag), beside(output, OLD + tag)
    try:
        with _ended_by_sigterm(), naming(output):
            partial.mkdir(parents=True)
            yield partial
            check_output(output, kind, overwrite)  # again: something may have come there meanwhile
            install(partial, output, old)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def check_output(output: Path, kind: Kind, overwrite: bool = False) -> None:
    """Check that a folder of this kind may be written at `output`.

    Raises:
        UserError: a folder with anything else in it, one of this kind without `overwrite`, or no place for one.
    """
    check_place(output, kind.flag)
    if is_empty(output):
        return
    name = foreign(output, kind)
    if name is not None:
        raise refusal(output, kind, name)
    if not overwrite:
        raise UserError(
            f"output {shown(output)} already holds {kind.noun}",
            f"a new folder, an empty one, or {kind.noun} with --overwrite",
            f"pass --overwrite to write it anew, or choose another {kind.flag}",
        )


def refusal(output: Path, kind: Kind, name: str, flag: str = "") -> UserError:
    """The error for a folder that holds `name`, which is of no such kind; flag: instead of the kind's own."""
    return UserError(
        f"output {shown(output)} holds other things than {kind.noun}, such as {shown(name)}",
        f"a new folder, an empty one, or one with nothing but {kind.noun} in it",
        f"choose another {flag or kind.flag}",
    )


def check_place(output: Path, flag: str = "--output-dir", replaced: bool = True) -> None:
    """Check that a folder may be written at `output`, whatever is in it now.

    replaced: whether a folder that is there is replaced; else files are written into it.

    Raises:
        UserError: a file or a link is there, or it is the working directory or a folder above it; or nothing can be
            written there.
    """
    if not is_there(output, flag):
        check_parent(output, flag)
        is_there(beside(output.absolute(), PARTIAL + own_tag()), flag)  # the temporary name may be too long
        return
    problem = None
    if output.is_symlink():
        problem = "is a link, and what it points to is not replaced"
    elif not output.is_dir():
        problem = "is a file"
    elif Path.cwd().resolve().is_relative_to(output.resolve()):
        problem = "is the working directory or a folder above it"
    elif replaced and output.is_mount():
        problem = "is where a disk is mounted, which cannot be replaced"
    if problem is not None:
        within = output.is_dir() and not output.is_symlink()
        suggestion = f", such as a new folder in it: {shown(output / 'results')}" if within else ""
        raise UserError(
            f"output {shown(output)} {problem}", "a new folder, or an empty one", f"choose another {flag}{suggestion}"
        )


def check_no_links(path: Path, root: Path, flag: str = "--output-dir") -> None:
    """UserError where `path` lies below `root`, perhaps a stranger's folder, and a link on the way leads elsewhere."""
    if root not in path.parents:
        return
    for place in (path, *path.parents):
        if place == root:
            return
        if place.is_symlink():
            raise UserError(
                f"{shown(place)} is a link",
                f"plain folders in {shown(root)}: nothing is written through a link in it",
                f"see where it leads and who made it; remove it, or choose another place with {flag}",
            )


def is_empty(folder: Path) -> bool:
    """Whether nothing is there, or a folder with nothing in it."""
    return not os.path.lexists(folder) or (folder.is_dir() and not any(folder.iterdir()))


def foreign(folder: Path, kind: Kind) -> str | None:
    """The name of something because of which a folder is not of this kind; None where it is, or is empty."""
    name = _unknown_name(folder, kind)
    if name is None and not is_empty(folder) and not kind.is_one(folder):
        return next(_names(folder))
    return name


def _unknown_name(folder: Path, kind: Kind) -> str | None:
    """The name of something that no folder of this kind holds: another file, a link, a pipe."""
    for name in _names(folder):
        mode = os.lstat(folder / name).st_mode
        if not re.fullmatch(kind.names, name) or not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            return name
    return None


def is_temporary(name: str) -> bool:
    """Whether a folder has a temporary name, which a killed process left behind."""
    return re.search(rf"({re.escape(PARTIAL)}|{re.escape(OLD)})(-.+-[0-9]+)?$", name) is not None


def _names(folder: Path) -> Iterator[str]:
    """Relative paths of everything in a folder, folders with a slash behind; links are not followed."""
    for place, folders, files in os.walk(folder):
        folders.sort()
        within = Path(place).relative_to(folder)
        yield from ((within / name).as_posix() + "/" for name in folders)
        yield from ((within / name).as_posix() for name in sorted(files))


def install(partial: Path, output: Path, old: Path) -> None:
    """Rename the complete folder `partial` to `output`; one that is there is renamed to `old`, and then deleted."""
    sync_tree(partial)
    if is_empty(output):
        partial.rename(output)
    else:
        output.rename(old)  # a kill after this is put right by `put_back`
        try:
            partial.rename(output)
        except OSError:
            old.rename(output)
            raise
    sync(output.parent)
    shutil.rmtree(old, ignore_errors=True)


def put_back(old: Path, output: Path) -> None:
    """Undo or finish a replacement that a kill cut short: `old` comes back if there is no new folder."""
    if old.is_symlink() or not old.is_dir():
        return
    if os.path.lexists(output):
        remove_tree(old)
    else:
        old.rename(output)


def remove_tree(folder: Path) -> None:
    """Delete a folder of ours with a temporary name; of a link, the link and not what it leads to."""
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


def tidy(output: Path, kind: Kind, alone: bool = False) -> None:
    """Put back or delete what killed processes of this host have left beside `output`, and nothing else."""
    for path in _leftovers(output, OLD, alone):
        half_deleted = os.path.lexists(output) and _unknown_name(path, kind) is None
        if half_deleted or foreign(path, kind) is None:
            put_back(path, output)
    for path in _leftovers(output, PARTIAL, alone):
        shutil.rmtree(path, ignore_errors=True)


def beside(output: Path, suffix: str) -> Path:
    """A temporary name beside a folder."""
    return output.with_name(output.name + suffix)


def own_tag() -> str:
    """What this process puts behind its temporary names."""
    return f"-{platform.node()}-{os.getpid()}"


def _leftovers(output: Path, suffix: str, alone: bool) -> Iterator[Path]:
    """Folders beside `output` with a temporary name of a process that no longer runs."""
    if alone:
        paths = [beside(output, suffix)]
    else:
        prefix = f"{output.name}{suffix}-{platform.node()}-"
        paths = sorted(output.parent.glob(glob.escape(prefix) + "*"))
        paths = [path for path in paths if _has_ended(path.name.removeprefix(prefix))]
    return (path for path in paths if path.is_dir() and not path.is_symlink())


def _has_ended(process: str) -> bool:
    """Whether a text is the number of a process that no longer runs; of our own too, which writes one at a time."""
    if not process.isdecimal():
        return False
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:  # somebody else's
        return False
    return int(process) == os.getpid()


def sync_tree(folder: Path) -> None:
    """Write a folder and every file in it through to the disk."""
    for place, _, files in os.walk(folder):
        for name in files:
            sync(Path(place) / name)
        sync(Path(place))


def sync(path: Path) -> None:
    """Write a file, or a folder's list of names, through to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        os.close(descriptor)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name `path` in an OSError of the block that names no path, such as that of a full disk."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM raise SystemExit in the block, so that it cleans up; does nothing where SIGTERM has a handler."""

    def stop(number: int, frame: object) -> None:
        sys.exit(128 + number)

    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

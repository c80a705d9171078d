"""The one way to write a folder, and the one rule for what an existing folder means.

*Ours and finished*: refused, or replaced with --overwrite. *Ours and unfinished*: gone on with, or cleared. *Anything
else*: never touched, and named. A folder is ours if it is of the very kind that is to be written and holds nothing but
what such a folder holds: no file that somebody laid into it, and no link.

A folder is written under another name beside its place, synced and renamed. What it replaces stays until then, and is
put back by the next command where a kill came between the two renames.
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

PARTIAL, OLD = ".partial", ".replaced"  # behind a folder's name; a user's own copy may well be called `.old`


@dataclass(frozen=True)
class Kind:
    """What a command writes as a folder.

    noun: such as "a dataset".
    names: matches the path in such a folder, with slashes, of every file in it; of a folder in it, with a slash behind.
    is_one: whether a folder all of whose names match is one: what it says of itself.
    flag: of the command line, which chooses the place.
    """

    noun: str
    names: str
    is_one: Callable[[Path], bool]
    flag: str = "--output-dir"


@contextmanager
def new_folder(
    output: Path | str, kind: Kind, overwrite: bool = False, alone: bool = False
) -> Iterator[Path]:
    """A folder to write into, which becomes `output` when the block ends and vanishes when it raises.

    It lies beside `output` as `<output>.partial-<host>-<pid>`. A process that is killed leaves that (the next one takes
    it away) and never half a folder under `output`. SIGTERM ends the block as an interrupt does.

    alone: nobody else writes there, since a lock is held; then the names beside it are the same for every process.

    Raises:
        UserError: `output` is in use; see `check_output`.
        OSError: the system refused; it names a path.
    """
    output = Path(output)
    check_place(output, kind.flag)
    output = output.resolve()  # it is no link, but a folder above it may be one
    tidy(output, kind, alone)
    check_output(output, kind, overwrite)
    tag = "" if alone else own_tag()
    partial, old = beside(output, PARTIAL + tag), beside(output, OLD + tag)
    try:
        with _ended_by_sigterm(), naming(output):
            partial.mkdir(parents=True)
            yield partial
            check_output(output, kind, overwrite)  # what came there meanwhile is not lost either
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
    """The error for a folder with something of another kind in it; flag: in place of the kind's."""
    return UserError(
        f"output {shown(output)} holds other things than {kind.noun}, such as {shown(name)}",
        f"a new folder, an empty one, or one with nothing but {kind.noun} in it",
        f"choose another {flag or kind.flag}",
    )


def check_place(output: Path, flag: str = "--output-dir", replaced: bool = True) -> None:
    """Check that a folder may stand at `output`, whatever is in it.

    replaced: a folder that is there gives way to another one; else files are written into it.

    Raises:
        UserError: a file or a link is there, or it is the working directory or a folder above it; or a place where
            nothing can be written.
    """
    if not is_there(output, flag):
        check_parent(output, flag)
        is_there(beside(output.absolute(), PARTIAL + own_tag()), flag)  # its name is longer
        return
    if output.is_symlink():
        raise _no_folder(output, flag, "is a link, and what it points to is not replaced")
    if not output.is_dir():
        raise _no_folder(output, flag, "is a file")
    if Path.cwd().resolve().is_relative_to(output.resolve()):
        raise _no_folder(output, flag, "is the working directory or a folder above it")
    if replaced and output.is_mount():
        raise _no_folder(output, flag, "is where a disk is mounted, which cannot be replaced")


def _no_folder(output: Path, flag: str, problem: str) -> UserError:
    remedy = f"choose another {flag}"
    if output.is_dir() and not output.is_symlink():
        remedy += f", such as a new folder in it: {shown(output / 'results')}"
    return UserError(f"output {shown(output)} {problem}", "a new folder, or an empty one", remedy)


def check_no_links(path: Path, root: Path, flag: str = "--output-dir") -> None:
    """Check that no link below `root`, which may be a stranger's folder, leads a `path` in it elsewhere.

    Raises:
        UserError: one does.
    """
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
    """The name of something in a folder that makes it none of this kind; None where it is one, or empty."""
    name = _stray(folder, kind)
    if name is None and not is_empty(folder) and not kind.is_one(folder):
        return next(_names(folder))
    return name


def _stray(folder: Path, kind: Kind) -> str | None:
    """The name of something in a folder that no folder of this kind holds."""
    names = _names(folder)
    return next((n for n in names if not re.fullmatch(kind.names, n) or not _is_plain(folder / n)), None)


def _is_plain(path: Path) -> bool:
    mode = os.lstat(path).st_mode
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def is_on_its_way(name: str) -> bool:
    """Whether a folder's name is of something half done, or half replaced, that a kill left."""
    return re.search(rf"({re.escape(PARTIAL)}|{re.escape(OLD)})(-.+-[0-9]+)?$", name) is not None


def _names(folder: Path) -> Iterator[str]:
    """Everything in a folder by its path with slashes, a folder before what is in it; links are not followed."""
    for place, folders, files in os.walk(folder):
        folders.sort()
        within = Path(place).relative_to(folder)
        yield from ((within / name).as_posix() + "/" for name in folders)
        yield from ((within / name).as_posix() for name in sorted(files))


def install(partial: Path, output: Path, old: Path) -> None:
    """Give a complete folder its name; what had it before is renamed to `old`, and deleted at the end."""
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
    """Undo or finish a replacement that a kill cut short: `old` comes back where the new folder never arrived."""
    if old.is_symlink() or not old.is_dir():
        return
    if os.path.lexists(output):
        remove_tree(old)
    else:
        old.rename(output)


def remove_tree(folder: Path) -> None:
    """Delete a folder of ours that has a name for what is on its way; a link of that name goes, not where it leads."""
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


def tidy(output: Path, kind: Kind, alone: bool = False) -> None:
    """Put right what processes of this host that no longer run have left beside `output`, and nothing else."""
    for path in _leftovers(output, OLD, alone):
        half_deleted = os.path.lexists(output) and _stray(path, kind) is None
        if half_deleted or foreign(path, kind) is None:
            put_back(path, output)
    for path in _leftovers(output, PARTIAL, alone):
        shutil.rmtree(path, ignore_errors=True)


def beside(output: Path, suffix: str) -> Path:
    """The name beside a folder for what is on its way."""
    return output.with_name(output.name + suffix)


def own_tag() -> str:
    """What this process puts behind the names of what it has on its way."""
    return f"-{platform.node()}-{os.getpid()}"


def _leftovers(output: Path, suffix: str, alone: bool) -> Iterator[Path]:
    """alone: those of any process; else those that name a dead process of this host, as no folder of a user does."""
    beginning = f"{output.name}{suffix}" if alone else f"{output.name}{suffix}-{platform.node()}-"
    for path in sorted(output.parent.glob(glob.escape(beginning) + "*")):
        number = path.name.removeprefix(beginning)
        dead = number == "" if alone else number.isdecimal() and _is_over(int(number))
        if dead and path.is_dir() and not path.is_symlink():
            yield path


def _is_over(process: int) -> bool:
    return process == os.getpid() or not _runs(process)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def sync_tree(folder: Path) -> None:
    """Bring every file of a folder and the folder to the disk."""
    for place, _, files in os.walk(folder):
        for name in files:
            sync(Path(place) / name)
        sync(Path(place))


def sync(path: Path) -> None:
    """Bring a file or a folder's list of files to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        os.close(descriptor)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let what the system refuses in the block name a path: a full disk's error does not."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM raise SystemExit in the block, so that it cleans up; nothing where somebody else listens to it."""

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

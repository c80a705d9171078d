"""A lock's file: who holds it, whether that process still lives, and how the file is made, read and taken away."""

import contextlib
import json
import os
import secrets
import socket
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trm_lab.files.untrusted import open_regular
from trm_lab.files.whole_files import check_plain, not_plain

LOCK = "lock.json"


@dataclass(frozen=True)
class Holder:
    """Who holds a lock.

    started, boot, space: of the process, in clock ticks since the machine's boot; the boot's name; the process-number
    space (of a container, say); each None where the system does not tell.
    """

    host: str
    pid: int
    started: int | None
    boot: str | None
    space: str | None
    since: str
    token: str

    @classmethod
    def this_process(cls) -> "Holder":
        """A holder with a token of its own."""
        pid = os.getpid()
        since = time.strftime("%Y-%m-%d %H:%M:%S%z")
        token = secrets.token_hex(16)
        return cls(socket.gethostname(), pid, _started(pid), _boot(), _space(), since, token)

    @property
    def is_local(self) -> bool:
        """Whether its process number means something here."""
        return self.host == socket.gethostname() and self.space == _space()

    @property
    def lives(self) -> bool:
        """Of a local holder: whether its process, and no later one of the same number, still runs."""
        if self.boot != _boot():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:  # another user's
            pass
        started = _started(self.pid)
        if started is None:  # ended but not waited for, or a system without /proc
            return not Path("/proc/self/stat").exists()
        return self.started is None or started == self.started


@dataclass(frozen=True)
class Seen:
    """A lock file as it was read; any touch makes it another. holder: None where the content says nothing."""

    holder: Holder | None
    file: tuple[int, ...]


def create(file: Path, holder: Holder) -> bool:
    """Make the lock file; False where there is one."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        return False
    try:
        with open(descriptor, "w", encoding="utf-8") as stream:
            json.dump(asdict(holder), stream)
            stream.flush()
            os.fsync(descriptor)
    except OSError as error:
        file.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(file)) from error  # the original does not say where
    return True


def look(file: Path) -> Seen | None:
    """The lock file now, None without one. It is opened, since a network file system may answer from memory else.

    Raises:
        UserError: a link, a pipe or a folder is there.
    """
    check_plain(file)
    try:
        with open_regular(file) as stream:
            found = os.fstat(stream.fileno())
            content = stream.read(65_536)
    except FileNotFoundError:
        return None
    except ValueError:  # it became something else since
        raise not_plain(file) from None
    return Seen(_holder(content), (found.st_ino, found.st_mtime_ns, found.st_size))


def _holder(content: bytes) -> Holder | None:
    try:
        found = json.loads(content)
        holder = Holder(**found)
    except (ValueError, TypeError, RecursionError):
        return None
    return holder if _plausible(holder) else None


def _plausible(holder: Holder) -> bool:
    texts: tuple[Any, ...] = (holder.host, holder.since, holder.token)
    known = isinstance(holder.pid, int) and 0 < holder.pid < 2**31
    return known and all(isinstance(text, str) for text in texts)


@contextlib.contextmanager
def exclusively(folder: Path) -> Iterator[None]:
    """Alone among the processes that do the same, where the file system can lock a folder; else not alone."""
    try:
        import fcntl
    except ImportError:  # not a POSIX system
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # the system's lock ends with its process, however that ends
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _started(pid: int) -> int | None:
    """When a process began, in clock ticks since the boot; None where it has ended or the system does not tell."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace", encoding="utf-8")
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()  # behind the command, which may hold anything; proc(5)
    return None if fields[0] in "ZX" else int(fields[19])


def _boot() -> str | None:
    return _read("/proc/sys/kernel/random/boot_id")


def _space() -> str | None:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return None


def _read(file: str) -> str | None:
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except OSError:
        return None

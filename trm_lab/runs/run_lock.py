"""One run at a time on a directory: a lock of the operating system, and lock.json beside it, which says who holds it.

The system's lock ends with its process, however that ends, so that a dead run never blocks the next one. It also holds
between machines, where a network file system passes locks on.
"""

import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from trm.errors import UserError, report, shown
from trm_lab.files.untrusted import load_json
from trm_lab.files.whole_files import check_plain, write_whole

if TYPE_CHECKING:  # with it comes torch, which a reader of runs need not wait for
    from trm_lab.cluster.ranks import Ranks

LOCK, SYSTEM_LOCK = "lock.json", ".lock"  # who holds the lock; the file that the system locks
LOCK_NAMES = r"lock\.json(\.partial)?|\.lock|\.lock\.json\.\w+\.stale"  # the last: a kill left it in older runs
LONGEST = 1 << 16  # bytes of lock.json
NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL)  # of a file system without locks


class RunLock:
    """The right to write into a run's directory; held by one process for all of its ranks."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / LOCK
        self._system_lock = FileLock(folder / SYSTEM_LOCK, timeout=0, thread_local=False, fallback_to_soft=False)

    def acquire(self) -> None:
        """Take the lock; make the folder if need be. A file system without locks is reported, and not waited for.

        Raises:
            UserError: another run holds it, or a link or a pipe is in the place of a lock's file.
        """
        folder = self.file.parent
        folder.mkdir(parents=True, exist_ok=True)
        check_plain(self.file)
        check_plain(folder / SYSTEM_LOCK)
        try:
            self._system_lock.acquire()
        except Timeout:
            raise self._refusal() from None
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            report(
                f"the file system of {folder} has no locks ({error.strerror})",
                "the run goes on; a second run on the same directory would not be noticed",
            )
            return
        holder = {"host": socket.gethostname(), "pid": os.getpid(), "since": time.strftime("%Y-%m-%d %H:%M:%S%z")}
        write_whole(self.file, json.dumps(holder))

    def release(self) -> None:
        """Give the lock back, if this process holds it."""
        if self._system_lock.is_locked:
            self.file.unlink(missing_ok=True)
            (self.file.parent / SYSTEM_LOCK).unlink(missing_ok=True)
            self._system_lock.release()

    def __enter__(self) -> "RunLock":
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _refusal(self) -> UserError:
        in_use, remedy = f"{self.file.parent} is in use by ", "wait for that run or stop it"
        try:
            holder = load_json(self.file, LONGEST)
            host, pid, since = shown(holder["host"], 60), int(holder["pid"]), shown(holder["since"], 60)
            in_use += f"process {pid} on {host}, since {since}"
            remedy += f" (on {host}: kill {pid})"
        except (OSError, ValueError, TypeError, KeyError):  # not written yet, or damaged
            in_use += "another process"
        return UserError(
            in_use, "one run at a time on a directory", f"{remedy}, or choose another run_name or --output-dir"
        )


@contextmanager
def only_run(folder: Path, ranks: "Ranks") -> Iterator[None]:
    """Hold a run's directory, through the first rank; every rank calls it.

    Raises:
        UserError: another run holds it.
    """
    lock = RunLock(folder)
    ranks.first_decides(lock.acquire)
    try:
        yield
    finally:
        lock.release()


@contextmanager
def exclusively(folder: Path) -> Iterator[None]:
    """Hold an exclusive lock on `folder`, once others have given it back; does nothing where there are no locks."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)

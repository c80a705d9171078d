"""One run on a directory: lock.json says who, and a lock whose holder is gone is taken over.

On the holder's own machine its process answers at once whether it still lives. From another machine only the file
speaks: its holder touches it every 20 s, so a lock that stays as it is for 120 s is stale. Changes are compared, never
the clocks of two machines.
"""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from trm.errors import UserError, report
from trm_lab.cluster.ranks import Ranks
from trm_lab.runs.lock_file import LOCK, Holder, Seen, create, exclusively, look

TOUCH_SECONDS = 20.0
WAIT_SECONDS = 120.0  # several touches, also through the caches of a network file system


class RunLock:
    """The right to write into a run's directory; held by one process for all of its ranks.

    lost: what happened, when another run took the lock (as it may after this machine slept for minutes); whoever
    writes into the directory should look before it does.
    """

    def __init__(self, folder: Path, touch_seconds: float = TOUCH_SECONDS, poll_seconds: float = 1.0) -> None:
        """
        Args:
            touch_seconds: between two touches of the thread that keeps the lock fresh; 0: no thread, `touch` is
                called by the holder.
            poll_seconds: between two looks at another machine's lock.
        """
        self.file, self.lost = folder / LOCK, ""
        self._touch_seconds, self._poll_seconds = touch_seconds, poll_seconds
        self._mine: Holder | None = None
        self._released = threading.Event()

    def acquire(self, wait: float = WAIT_SECONDS) -> "RunLock":
        """Take the lock; make the folder if need be.

        Args:
            wait: seconds without a change after which another machine's lock, or an unreadable one, is stale.

        Raises:
            UserError: another run holds it.
        """
        self.file.parent.mkdir(parents=True, exist_ok=True)
        mine = Holder.this_process()
        while not create(self.file, mine):
            found = look(self.file)
            if found is None:
                continue
            if found.holder is not None and found.holder.is_local:
                if found.holder.lives:
                    raise self._refusal(found.holder)
                reason = f"process {found.holder.pid} that held it is gone"
            elif not self._stays_as_it_is(found, wait):
                continue
            else:
                reason = f"nothing has touched it for {wait:.0f} s"
            if self._set_aside(found, mine.token):
                print(f"{self.file} was stale ({reason}): taken over", file=sys.stderr, flush=True)
        self._mine, self.lost = mine, ""
        self._released = threading.Event()
        if self._touch_seconds > 0:
            threading.Thread(
                target=self._keep_fresh, args=(self._released,), name="lock", daemon=True
            ).start()
        return self

    def touch(self) -> None:
        """Show other machines that the holder lives; notice whether the lock is still ours."""
        if self._mine is None or self.lost:
            return
        try:
            found = look(self.file)
            if found is None or found.holder is None or found.holder.token != self._mine.token:
                self._lose(found)
                return
            os.utime(self.file, follow_symlinks=False)
        except OSError as error:  # a file system that is away for a while
            print(f"{self.file} could not be touched: {error.strerror}", file=sys.stderr, flush=True)

    def release(self) -> None:
        """Give the lock back; another run's is left alone."""
        self._released.set()
        mine, self._mine = self._mine, None
        if mine is None or mine.pid != os.getpid():  # never held, or a forked child's copy
            return
        with contextlib.suppress(OSError), exclusively(self.file.parent):
            found = look(self.file)
            if found is not None and found.holder is not None and found.holder.token == mine.token:
                self.file.unlink()

    def __enter__(self) -> "RunLock":
        return self if self._mine is not None else self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _stays_as_it_is(self, found: Seen, wait: float) -> bool:
        """Watch a lock that only the file speaks for; False when it was released meanwhile.

        Raises:
            UserError: its holder touched it.
        """
        who = (
            "an unreadable holder"
            if found.holder is None
            else f"process {found.holder.pid} on {found.holder.host}"
        )
        print(f"{self.file} is held by {who}: watching it for {wait:.0f} s", file=sys.stderr, flush=True)
        deadline = time.monotonic() + wait
        while time.monotonic() < deadline:
            time.sleep(min(self._poll_seconds, max(0.0, deadline - time.monotonic())))
            now = look(self.file)
            if now is None:
                return False
            if now.holder != found.holder:  # another's by now, or not yet whole when we looked
                return False
            if now != found and found.holder is not None:
                raise self._refusal(found.holder)
        return True

    def _set_aside(self, stale: Seen, token: str) -> bool:
        """Take a stale lock away; False where another taker was quicker.

        Takers of one machine, or of a file system with locks, exclude each other; elsewhere a taker that finds it
        took a fresh lock gives that back.
        """
        aside = self.file.with_name(f".{LOCK}.{token}.stale")
        with exclusively(self.file.parent):
            if look(self.file) != stale:
                return False
            try:
                self.file.rename(aside)
            except FileNotFoundError:
                return False
            taken = look(aside)
            mistaken = taken is not None and taken.holder != stale.holder
            if mistaken:
                with contextlib.suppress(FileExistsError):
                    os.link(aside, self.file)
            aside.unlink(missing_ok=True)
            return not mistaken

    def _keep_fresh(self, released: threading.Event) -> None:
        while not released.wait(self._touch_seconds):
            self.touch()

    def _lose(self, found: Seen | None) -> None:
        holder = found.holder if found is not None else None
        by = f"process {holder.pid} on {holder.host} holds it" if holder is not None else "its file is gone"
        self.lost = f"the lock {self.file} is no longer ours: {by}"
        report(
            self.lost,
            f"one run at a time may write into {self.file.parent}",
            "stop one of the two; this one saves nothing more there",
        )

    def _refusal(self, holder: Holder) -> UserError:
        return UserError(
            f"{self.file.parent} is in use by process {holder.pid} on {holder.host}, since {holder.since}",
            "one run at a time on a directory",
            f"wait for that run or stop it (on {holder.host}: kill {holder.pid}), or choose another run_name; "
            f"if it is certainly gone, rename {self.file}",
        )


@contextmanager
def only_run(folder: Path, ranks: Ranks) -> Iterator[RunLock]:
    """Hold a run's directory, through the first rank; every rank calls it.

    Raises:
        UserError: another run holds it.
    """
    lock = RunLock(folder)

    def acquire() -> None:
        lock.acquire()

    ranks.first_decides(acquire)
    try:
        yield lock
    finally:
        lock.release()

"""A rank that hangs says so: what it was doing, who is behind, and every thread's stack; then it ends to be restarted.

The loop calls `beat` at each step. One thread looks at the last beat; another exchanges the ranks' progress through
a store and may block there as long as it likes. Ages are compared, never the clocks of two machines.
"""

import faulthandler
import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from types import TracebackType
from typing import Any

from trm_lab.cluster.ranks import Ranks
from trm_lab.cluster.rendezvous import SharedStore

HOUR, DAY = 3600.0, 86400.0  # seconds
EXIT_HUNG = 70  # EX_SOFTWARE of sysexits.h
EXIT_OTHER_FAILED = 74  # as `command_line.EXIT_SYSTEM_REFUSED`: another attempt may succeed
LOOK_SECONDS = 5.0  # between two checks whether another rank has failed
FAREWELL_SECONDS = 30.0  # that a rank has to end by itself after another one failed; torchrun gives as many
REPORT_SECONDS = 30.0  # a report that cannot be written in this time is given up
CLOSE_SECONDS = 5.0
STDERR = 2


class Watchdog:
    """Ends the process with `EXIT_HUNG` when the loop gives no sign of life for `timeout_seconds`.

    A loop that hangs inside a C function that never gives up the interpreter cannot be ended from here: its stacks
    are printed all the same, and its peers, which wait for it, end the run.
    """

    def __init__(
        self, timeout_seconds: float | None, rank: int = 0, world_size: int = 1, store: SharedStore | None = None
    ) -> None:
        """Start watching; without a timeout nobody watches.

        Args:
            store: where `world_size` ranks post their progress, a connection of its own (`Store.clone` of torch),
                so that no post waits behind what others wait for; None: only this rank is watched.
        """
        self._timeout = timeout_seconds or 0.0
        self._rank, self._world_size, self._store = rank, world_size, store
        self._what, self._beats, self._at, self._allowed = "starting", 0, time.monotonic(), self._timeout
        self._peers: dict[int, tuple[dict[str, Any], float]] = {}  # rank → its last post, and when it came
        self._answered = time.monotonic()  # when the store did
        self._failure = ""  # of this rank
        self._other_failed: float | None = None  # when another rank's failure was first seen
        self._closed = threading.Event()
        self._threads: list[threading.Thread] = []
        if timeout_seconds is not None:
            self._start(self._watch, "watchdog")
            if store is not None:
                self._start(self._exchange, "heartbeat", store)

    @classmethod
    def over(cls, ranks: Ranks, timeout_seconds: float | None) -> "Watchdog":
        """The watchdog of this rank among all; it may start only after the process group."""
        store = ranks.store() if timeout_seconds is not None else None
        return cls(timeout_seconds, ranks.rank, ranks.world_size, store)

    def _start(self, work: Callable[..., None], name: str, *arguments: Any) -> None:
        thread = threading.Thread(target=work, args=arguments, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def beat(self, what: str, within: float | None = None) -> None:
        """The loop lives, and now begins `what`.

        Args:
            within: seconds that it may take, where that is more than usual (compiling, say).
        """
        self._at = time.monotonic()  # before a shorter time is allowed again
        self._allowed = self._timeout if within is None else within
        self._what = what
        self._beats += 1

    def close(self) -> None:
        """Stop watching."""
        self._closed.set()
        for thread in self._threads:  # an interpreter must not end under a thread that is inside torch
            thread.join(CLOSE_SECONDS)
        if self._threads:
            faulthandler.cancel_dump_traceback_later()

    def __enter__(self) -> "Watchdog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and not isinstance(error, SystemExit):
            self._failure = f"{type(error).__name__}: {error}"[:500]
        self.close()

    def _watch(self) -> None:
        pause, woke = self._timeout / 20, time.monotonic()
        while not self._closed.wait(pause):
            now = time.monotonic()
            if now - woke > pause + self._timeout / 2:  # the process was stopped: the loop gets its time again
                self._at = now
            woke = now
            if now - self._at > self._allowed:
                self._report(now)
            # of the C library: also when this thread never gets the interpreter again
            faulthandler.dump_traceback_later(self._allowed * 1.25 + 4 * pause, file=STDERR)

    def _report(self, now: float) -> None:
        """Say everything that is known, then end the process; whatever of it blocks, the process ends."""
        try:
            threading.Timer(REPORT_SECONDS, os._exit, (EXIT_HUNG,)).start()
            ranks = f"rank {self._rank} of {self._world_size}" if self._world_size > 1 else "this process"
            head = f"{ranks} hangs: no sign of life for {now - self._at:.0f} s in: {self._what}"
            others = "\n".join(f"  {line}" for line in self._others(now))
            _say(f"error: {head}\n{others}\n  ending with exit code {EXIT_HUNG}; stacks of all threads:\n")
            faulthandler.dump_traceback(STDERR, all_threads=True)
            _say("  to do:   see the stacks; the same command resumes from the last checkpoint\n")
        finally:
            os._exit(EXIT_HUNG)

    def _others(self, now: float) -> list[str]:
        """What is known of the other ranks."""
        if self._store is None:
            return []
        lines, patience = [], 0.4 * self._timeout  # we post and read each quarter
        if now - self._answered > patience:
            lines.append(f"the store has not answered for {now - self._answered:.0f} s: what follows is older")
        for rank in range(self._world_size):
            if rank == self._rank:
                continue
            peer = self._peers.get(rank)
            behind = "has never been heard of" if peer is None else lag(*peer, now, self._beats, patience)
            if behind:
                lines.append(f"behind: rank {rank} {behind}")
        return lines or ["no other rank is behind: all wait, or a message between them is lost"]

    def _exchange(self, store: SharedStore) -> None:
        """Until the end: post our progress and read the others', four times in each timeout, and see who failed."""
        number, due = 1, time.monotonic()
        while not self._closed.is_set():
            with suppress(OSError, RuntimeError, ValueError):  # torch's DistError is a RuntimeError; it may be gone
                if time.monotonic() >= due:
                    self._post(store, number)
                    number, due = number + 1, time.monotonic() + self._timeout / 4
                if store.check([_key("failed")]):
                    self._leave_after(store.get(_key("failed")).decode())
                self._answered = time.monotonic()
            self._closed.wait(min(self._timeout / 4, LOOK_SECONDS))
        if self._failure:
            with suppress(OSError, RuntimeError, ValueError):
                store.set(_key("failed"), f"rank {self._rank} failed: {self._failure}")

    def _post(self, store: SharedStore, number: int) -> None:
        age = time.monotonic() - self._at
        post = {"number": number, "what": self._what, "beats": self._beats, "age": age}
        store.set(_key(self._rank), json.dumps(post))
        for rank in range(self._world_size):
            if rank != self._rank and store.check([_key(rank)]):
                theirs = json.loads(store.get(_key(rank)))
                before = self._peers.get(rank)
                if before is None or before[0]["number"] != theirs["number"]:
                    self._peers[rank] = theirs, time.monotonic()

    def _leave_after(self, failure: str) -> None:
        """End this process if it still runs `FAREWELL_SECONDS` after another rank's failure: it waits for that rank."""
        self._other_failed = self._other_failed or time.monotonic()
        if time.monotonic() - self._other_failed > FAREWELL_SECONDS:
            ends = f"ends with exit code {EXIT_OTHER_FAILED}"
            _say(f"error: {failure}\n  rank {self._rank}, which waited for it in: {self._what}, {ends}\n")
            os._exit(EXIT_OTHER_FAILED)


def patience(hang_timeout: float | None) -> timedelta:
    """How long a rank waits for the others: longer than the watchdog, which can say who is behind."""
    return timedelta(days=1) if hang_timeout is None else timedelta(seconds=2 * hang_timeout + 600)


def lag(post: Mapping[str, Any], heard: float, now: float, beats: int, patience: float) -> str:
    """Why the rank whose last `post` was `heard` may be what we wait for; empty if it is not.

    beats: our own.  patience: seconds of silence that mean nothing.
    """
    silent, what = now - heard, str(post.get("what"))[:200]
    if silent > patience:
        return f"has not been heard of for {silent:.0f} s or longer; its last word was: {what}"
    if post.get("beats", 0) < beats:
        return f"is {beats - post['beats']} beats behind: {what}, for {post['age'] + silent:.0f} s"
    return ""


def _key(name: int | str) -> str:
    """The store's key of a rank's progress, or of a failure, for this job and this start.

    The store of an elastic job may serve others, and outlives a restart of its workers.
    """
    job, start = (os.environ.get(f"TORCHELASTIC_{name}", "0") for name in ("RUN_ID", "RESTART_COUNT"))
    return f"heartbeat/{job}/{start}/{name}"


def _say(text: str) -> None:
    """Straight to the descriptor: a thread that hangs may hold the lock of sys.stderr."""
    data = text.encode(errors="replace")
    while data:
        data = data[os.write(STDERR, data) :]

"""What a run tells: metrics.jsonl, which `mirrors` show elsewhere, and a line or a bar for whoever watches."""

import contextlib
import errno
import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from trm.errors import UserError, report
from trm_lab.files.whole_files import open_for_appending
from trm_lab.runs.record_repair import digest

Record = Mapping[str, Any]
SCHEMA = 1  # of records, as each line of metrics.jsonl says; lines that do not say are of the first
LINE_SECONDS = 10.0  # between lines where there is no terminal


class FileRecords:
    """metrics.jsonl: one JSON object a line; the truth that resuming cuts back to its checkpoint.

    What the disk refuses (it is full, say) is kept in memory, in order, and written at the next chance; the file
    never holds half a line of ours. `write` and `sync` may be called from different threads.
    """

    def __init__(self, file: Path, resume_at: int = 0) -> None:
        """Open for appending behind the first `resume_at` bytes; what follows them is dropped."""
        descriptor = open_for_appending(file)
        if os.fstat(descriptor).st_size < resume_at:
            os.close(descriptor)
            raise UserError(
                f"{file} has {file.stat().st_size} bytes, but the checkpoint was written after {resume_at}",
                "the records that belong to the checkpoint",
                "restore the file, or start a new run with load_checkpoint=<this run>",
            )
        os.ftruncate(descriptor, resume_at)
        self._digest = digest(file, resume_at)  # of all records so far
        self._file, self._descriptor = file, descriptor
        self._lock, self._syncing, self._closed = threading.Lock(), threading.Lock(), False
        self._synced = resume_at  # bytes that survive a power cut
        self._lines: list[bytes] = []  # behind them
        self._written = 0  # of these lines, handed to the system
        self._ragged = False  # the file may end in something else
        self._refusal: OSError | None = None  # why the first unwritten line is not written
        self.lost: OSError | None = None  # why records are lost, once closed

    def write(self, record: Record) -> None:
        """Append a record; what the disk refuses waits in memory, and an outage is said once."""
        line = (json.dumps(record, allow_nan=False) + "\n").encode()
        with self._lock:
            self._lines.append(line)
            self._digest.update(line)
            self._hand_over()

    def digest(self) -> str:
        """The SHA-256 of what `end` measures."""
        with self._lock:
            return self._digest.hexdigest()

    def end(self) -> int:
        """Where the records so far end, those in memory included; true of the file once `sync` has returned."""
        with self._lock:
            return self._synced + sum(map(len, self._lines))

    def sync(self) -> None:
        """Bring every record so far to the disk.

        Raises:
            OSError: the disk refuses; nothing is lost yet, the records wait in memory.
        """
        with self._syncing:
            with self._lock:
                self._hand_over()
                if self._refusal is not None:
                    raise OSError(self._refusal.errno, self._refusal.strerror, str(self._file))
                count, size = self._written, sum(map(len, self._lines))
            try:
                os.fsync(self._descriptor)  # without the lock: the loop may write meanwhile
            except OSError as error:
                with self._lock:  # the system may have dropped what it had taken: all of it is written again
                    self._written = 0
                    self._refused(error)
                raise
            with self._lock:
                self._synced += size
                self._written -= count
                del self._lines[:count]

    def position(self) -> int:
        """Bytes that are safely on disk now; fewer than `end` while the disk refuses."""
        with contextlib.suppress(OSError):
            self.sync()
        return self._synced

    def close(self) -> None:
        """Try once more to write what waits, and say how much is lost."""
        if self._closed:
            return
        with contextlib.suppress(OSError):
            self.sync()
        if self._lines:
            report(
                f"{len(self._lines)} records are lost, which {self._file} did not take: {self._reason()}",
                f"the file ends with a whole record, after {self._synced} bytes",
                "make room before the next run; a resumed one writes the records since its checkpoint again",
            )
            number = self._refusal.errno if self._refusal is not None else None
            self.lost = OSError(number or errno.EIO, self._reason(), str(self._file))
        self._closed = True
        os.close(self._descriptor)

    def _hand_over(self) -> None:
        """Give the system all lines that it has not yet; a line that it cut off is taken back."""
        try:
            if self._ragged:
                self._cut()
            while self._written < len(self._lines):
                self._ragged = True
                _write_all(self._descriptor, self._lines[self._written])
                self._ragged = False
                self._written += 1
        except OSError as error:
            self._refused(error)
            return
        if self._refusal is not None:
            self._refusal = None
            print(f"{self._file} is written to again; no record is missing", file=sys.stderr, flush=True)

    def _refused(self, error: OSError) -> None:
        """Say that an outage begins, and leave whole lines only, where the disk lets us."""
        if self._refusal is None:
            self._refusal = error
            report(
                f"records cannot be written to {self._file}: {self._reason()}",
                "training goes on; the records wait in memory and are written as soon as the disk takes them",
                "make room on the disk, or see why it refuses",
            )
        self._ragged = True
        with contextlib.suppress(OSError):  # else before the next attempt
            self._cut()

    def _cut(self) -> None:
        os.ftruncate(self._descriptor, self._synced + sum(map(len, self._lines[: self._written])))
        self._ragged = False

    def _reason(self) -> str:
        error = self._refusal
        return "unknown" if error is None else error.strerror or str(error)


def _write_all(descriptor: int, line: bytes) -> None:
    while line:
        line = line[os.write(descriptor, line) :]


class Progress:
    """A bar on a terminal, plain lines elsewhere, nothing on the other ranks."""

    def __init__(self, total: int, done: int, shown: bool, name: str = "") -> None:
        """
        Args:
            name: of the run, where others print beside it: then there are lines, and each begins with it.
        """
        self._total, self._done, self._first, self._shown = total, done, done, shown
        self._prefix = f"{name}: " if name else ""
        self._start = self._last_line = time.monotonic()
        width = shutil.get_terminal_size(
            (0, 0)
        ).columns  # 0: a terminal that does not say, where tqdm shows nothing
        on_terminal = shown and not name and sys.stderr.isatty() and width > 0
        self._bar = tqdm(total=total, initial=done, unit="step", dynamic_ncols=True) if on_terminal else None

    def advance(self) -> None:
        """One step done."""
        self._done += 1
        if self._bar is not None:
            self._bar.update()

    def start_clock(self) -> None:
        """What was done so far says nothing of how long the rest takes: it was the warm-up."""
        self._start, self._first = time.monotonic(), self._done

    def describe(self, record: Record) -> None:
        """Show a training record."""
        text = f"loss {record['loss']:.3f}, cells right {_step_shares(record['step_accuracy'])}"
        now = time.monotonic()
        if self._bar is not None:
            self._bar.set_description_str(text)
        elif self._shown and (now - self._last_line >= LINE_SECONDS or self._done >= self._total):
            self._last_line = now
            line = f"step {self._done}/{self._total}, {text}"
            if self._done > self._first or self._done >= self._total:
                steps = max(1, self._done - self._first)
                line += f", {_clock((now - self._start) / steps * (self._total - self._done))} left"
            print(self._prefix + line, flush=True)

    def say(self, text: str) -> None:
        """A line beside the bar."""
        if self._shown:
            tqdm.write(self._prefix + text)
            sys.stdout.flush()

    def over(self, batches: Any) -> Any:
        """An evaluation's batches, with a bar of their own on a terminal."""
        if self._bar is None:
            return batches
        return tqdm(batches, desc="evaluating", unit="batch", leave=False, dynamic_ncols=True)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()


def _step_shares(shares: list[float | None]) -> str:
    """First and last of the steps that were seen, as `31 % → 58 %`."""
    seen = [s for s in shares if s is not None]
    if not seen:
        return "–"
    return f"{100 * seen[0]:.0f} % → {100 * seen[-1]:.0f} %" if len(seen) > 1 else f"{100 * seen[0]:.0f} %"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"

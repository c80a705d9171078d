"""metrics.jsonl, one JSON object a line: appended while training, cut back to its checkpoint by a resumed run.

A checkpoint's state names how many bytes of the file it relies on, and their checksum. A file that is damaged is set
aside and reported; it stops no training, which does not need it.
"""

import errno
import hashlib
import json
import os
import shutil
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from trm.errors import UserError, report
from trm_lab.files.untrusted import open_regular
from trm_lab.files.whole_files import name_aside, open_for_appending, set_aside, write_whole

SCHEMA = 1  # of records, as each line of metrics.jsonl says; lines that do not say are of the first
KINDS = ("train", "evaluation")  # of records
BLOCK = 1 << 20  # bytes that are read at a time
LONGEST_LINE = 1 << 20  # bytes


class FileRecords:
    """The open file of records.

    Records that the disk refuses (it is full, say) wait in memory, in order, and are written at the next chance; the
    file never holds half a line of ours. `write` and `sync` may be called from different threads.

    lost: why records are lost, once closed.
    """

    def __init__(self, file: Path, resume_at: int = 0) -> None:
        """Open for appending behind the first `resume_at` bytes; what follows them is dropped."""
        self.lost: OSError | None = None
        self._file, self._descriptor = file, open_for_appending(file)
        size = os.fstat(self._descriptor).st_size
        if size < resume_at:
            os.close(self._descriptor)
            raise UserError(
                f"{file} has {size} bytes, but the checkpoint was written after {resume_at}",
                "the records that belong to the checkpoint",
                "restore the file, or start a new run with load_checkpoint=<this run>",
            )
        os.ftruncate(self._descriptor, resume_at)
        self._digest = _digest(file, resume_at)
        self._lock, self._syncing, self._closed = threading.Lock(), threading.Lock(), False
        self._synced = resume_at  # bytes that survive a power cut
        self._unsynced = bytearray()  # the lines behind them
        self._written = 0  # bytes of these lines, whole ones, that the system has taken
        self._refusal: OSError | None = None  # why the first unwritten line is not written

    def write(self, record: Mapping[str, Any]) -> None:
        """Append a record; one that the disk refuses waits in memory, and an outage is reported once."""
        line = (json.dumps(record, allow_nan=False) + "\n").encode()
        with self._lock:
            self._unsynced += line
            self._digest.update(line)
            self._hand_over()

    def digest(self) -> str:
        """The SHA-256 of the bytes that `end` counts."""
        with self._lock:
            return self._digest.hexdigest()

    def end(self) -> int:
        """Bytes of all records so far, those in memory included; true of the file once `sync` has returned."""
        with self._lock:
            return self._synced + len(self._unsynced)

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
                size = self._written
            try:
                os.fsync(self._descriptor)  # without the lock: the loop may write meanwhile
            except OSError as error:
                with self._lock:  # the system may have dropped what it had taken: all of it is written again
                    self._written = 0
                    self._refused(error)
                raise
            with self._lock:
                self._synced += size
                self._written -= size
                del self._unsynced[:size]

    def close(self) -> None:
        """Try once more to write the records that wait, and report how many are lost."""
        if self._closed:
            return
        self._closed = True
        with suppress(OSError):
            self.sync()
        if self._unsynced:
            error = self._refusal or OSError(errno.EIO, os.strerror(errno.EIO))
            count = self._unsynced.count(b"\n")
            report(
                f"{count} records are lost, which {self._file} did not take: {error.strerror}",
                f"the file ends with a whole record, after {self._synced} bytes",
                "make room before the next run; a resumed one writes the records since its checkpoint again",
            )
            self.lost = OSError(error.errno, error.strerror, str(self._file))
        os.close(self._descriptor)

    def _hand_over(self) -> None:
        """Give the system all lines that it has not yet; a line that it cut off is taken back."""
        try:
            if self._refusal is not None:
                self._cut()
            taken = self._written
            while taken < len(self._unsynced):
                taken += os.write(self._descriptor, self._unsynced[taken:])
                self._written = self._unsynced.rfind(b"\n", 0, taken) + 1
        except OSError as error:
            self._refused(error)
            return
        if self._refusal is not None:
            self._refusal = None
            print(f"{self._file} is written to again; no record is missing", file=sys.stderr, flush=True)

    def _refused(self, error: OSError) -> None:
        """Report that an outage begins, and leave whole lines only, where the disk lets us."""
        if self._refusal is None:
            report(
                f"records cannot be written to {self._file}: {error.strerror}",
                "training goes on; the records wait in memory and are written as soon as the disk takes them",
                "make room on the disk, or see why it refuses",
            )
        self._refusal = error
        with suppress(OSError):  # else before the next attempt
            self._cut()

    def _cut(self) -> None:
        os.ftruncate(self._descriptor, self._synced + self._written)


def whole_records(file: Path, state: Mapping[str, Any]) -> int:
    """Bytes of the records that belong to a checkpoint's `state`; a damaged file is mended first.

    Of a damaged one the readable records up to the checkpoint's step stay, and the original is kept beside it.
    """
    expected, checksum = int(state["records_bytes"]), state.get("records_sha256")
    size = file.stat().st_size if file.is_file() else 0
    if size >= expected and (checksum is None or _digest(file, expected).hexdigest() == checksum):
        return expected
    lines = file.read_bytes()[:expected].splitlines(keepends=True) if size else []
    records = [_parsed(line) for line in lines]
    unreadable = [str(number) for number, record in enumerate(records, 1) if record is None]
    if size < expected:
        problem = f"{size} bytes of the {expected} are there that the checkpoint of step {state['step']} relies on"
    elif unreadable:
        problem = f"no record any more in line {', '.join(unreadable[:8])}"
    else:
        problem = f"its first {expected} bytes differ from their checksum; which record was changed cannot be told"
    aside = name_aside(file)
    if size:
        shutil.copyfile(file, aside)  # a copy: a kill before the next line leaves the file where it is
    step = int(state["step"])  # whose evaluation comes after its checkpoint
    earlier = [record is not None and (record[0] < step or record == (step, "train")) for record in records]
    whole = [line for line, belongs in zip(lines, earlier, strict=True) if belongs]
    write_whole(file, b"".join(whole))
    report(
        f"{file} is damaged: {problem}",
        f"training goes on, which does not need it; {len(whole)} records are left"
        + (f", the file as it was is {aside.name}" if size else ""),
        "take missing records from a copy or from wandb, if you have one",
    )
    return sum(map(len, whole))


def begin_records(file: Path) -> None:
    """Set a file aside that holds no records; an earlier launch's, before the first checkpoint, are written again."""
    if not file.is_file():
        return
    with open_regular(file) as stream:
        first = stream.readline(LONGEST_LINE)
    if first and _parsed(first) is None:
        aside = set_aside(file)
        report(f"{file} holds other things than records", f"training goes on; the file is now {aside.name}")


def holds_evaluation(file: Path) -> bool:
    """Whether a file holds the record of an evaluation."""
    if not file.is_file():
        return False
    with open_regular(file) as stream:
        return any(b'"evaluation"' in line and _parsed(line) is not None for line in stream)


def _digest(file: Path, size: int) -> "hashlib._Hash":
    """The SHA-256 of a file's first `size` bytes, which further bytes can be added to."""
    checksum = hashlib.sha256()
    if not size:
        return checksum
    with open_regular(file) as stream:
        while size > 0 and (block := stream.read(min(size, BLOCK))):
            checksum.update(block)
            size -= len(block)
    return checksum


def _parsed(line: bytes) -> tuple[int, str] | None:
    """Step and kind of a line; None where it is no whole record."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or record.get("kind") not in KINDS or not line.endswith(b"\n"):
        return None
    return (record["step"], record["kind"]) if isinstance(record.get("step"), int) else None

"""Checkpoints written beside the training: one thread, one write at a time, and a full disk costs no more than one.

A write that is under way when the process ends is finished: the interpreter waits for the executor's thread.
"""

import errno
import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

from trm.errors import report
from trm_lab.files.folders import PARTIAL, beside
from trm_lab.runs import checkpoints
from trm_lab.runs.retention import Retention
from trm_lab.runs.training_state import TrainingState


class CheckpointWriter:
    """Writes training states in a thread; errors of the system lose one checkpoint, all others are raised later.

    failures: one message for each write that the system refused.
    refused: why the last state is not on disk; None if it is.
    """

    def __init__(
        self, retention: Retention, sync: Callable[[], None] = lambda: None, names: bytes | None = None
    ) -> None:
        """
        Args:
            sync: called in the thread before each write; brings the records that a checkpoint counts on to the
                disk, or raises an OSError.
            names: the content of identifiers.json; see `checkpoints.save`.
        """
        self.failures: list[str] = []
        self.refused: OSError | None = None
        self._retention, self._sync, self._names = retention, sync, names
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._under_way: Future[None] | None = None

    def submit(self, folder: Path, content: TrainingState, keep: bool, after: Callable[[], None] | None = None) -> None:
        """Write `content`, which nothing else may change (see `snapshot`), once the write before is done.

        Args:
            after: is called in the thread when the checkpoint is on disk, before old ones are deleted.

        Raises:
            BaseException: what an earlier write raised, unless the system had refused it.
        """
        self.wait()
        self._under_way = self._thread.submit(self._write, folder, content, keep, after)

    def wait(self) -> None:
        """Wait for the write under way, if there is one.

        Raises:
            BaseException: what the write raised, unless the system had refused it.
        """
        if self._under_way is not None:
            under_way, self._under_way = self._under_way, None
            under_way.result()

    def close(self) -> None:
        """Finish the write under way and end the thread."""
        try:
            self.wait()
        finally:
            self._thread.shutdown()

    def __enter__(self) -> "CheckpointWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, folder: Path, content: TrainingState, keep: bool, after: Callable[[], None] | None) -> None:
        try:
            self._sync()
            checkpoints.save(folder, content, keep, self._names)
        except OSError as error:
            self.refused = OSError(error.errno or errno.EIO, error.strerror or str(error), str(folder))
            self._lose(folder, content.nbytes(), error)
            return
        self.refused = None
        try:
            if after is not None:
                after()
            checkpoints.prune(folder.parent, self._retention, newest=checkpoints.step_of(folder))
        except OSError as error:
            self._report(
                f"{folder} is written, but old checkpoints could not be cleared away: {_refusal(error)}",
                "training goes on; the next checkpoint tries again",
                f"see that {folder.parent} can be written to and has room",
            )

    def _lose(self, folder: Path, size: int, error: OSError) -> None:
        """Take away a half-written checkpoint of `size` bytes; an older version of the same step comes back."""
        try:
            checkpoints.tidy(folder.parent)
        except OSError:  # a disk that refuses this too: `tidy` does it at the next start
            shutil.rmtree(beside(folder, PARTIAL), ignore_errors=True)
        last_good = next((f for f in checkpoints.steps(folder.parent) if checkpoints.complete(f)), "none so far")
        self._report(
            f"checkpoint {folder} was not written: {_refusal(error)}; {size} bytes wanted, {_free(folder)} free",
            f"training goes on; the last good checkpoint is {last_good}",
            "make room, or see why the disk refuses; the next checkpoint is tried at its time",
        )

    def _report(self, problem: str, consequence: str, remedy: str) -> None:
        self.failures.append(problem)
        report(problem, consequence, remedy)


def _refusal(error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{reason} ({error.filename})" if error.filename else reason


def _free(folder: Path) -> str:
    """Bytes free where `folder` belongs, for a message."""
    try:
        return str(shutil.disk_usage(folder.parent).free)
    except OSError:
        return "an unknown number"

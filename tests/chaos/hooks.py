"""What a disturbed launch does to itself: SIGKILL at its n-th file operation, files of limited size, a flipped weight.

Read from the environment by the test's own launcher; the library knows nothing of it.
"""

import atexit
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

RUN = "CHAOS_RUN"  # the run directory whose operations count
KILL_AT = "CHAOS_KILL_AT"  # the operation that is not reached any more; 0: only count
COUNT = "CHAOS_COUNT"  # a file that gets the number of operations at the end
FILE_BYTES = "CHAOS_FILE_BYTES"  # no file of this process grows beyond
FLIP_AFTER = "CHAOS_FLIP_AFTER"  # the step after which one bit of one weight of this rank changes
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
EVENTS = ("os.rename", "os.mkdir", "os.rmdir", "os.remove", "os.truncate", "os.link")


def install() -> None:
    """Do what the environment says."""
    if RUN in os.environ:
        Operations(Path(os.environ[RUN]), int(os.environ.get(KILL_AT, 0))).watch(os.environ.get(COUNT))
    if FILE_BYTES in os.environ:
        _write_through_a_pipe()  # the log is no file of the run
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the write fails instead, as Python has it by default
        limit = int(os.environ[FILE_BYTES])
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    if FLIP_AFTER in os.environ:
        _flip_a_weight(int(os.environ[FLIP_AFTER]))


def _write_through_a_pipe() -> None:
    """Let another process write what this one says."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.close(writing)
        while said := os.read(reading, 65_536):
            os.write(1, said)
        os._exit(0)
    os.close(reading)
    os.dup2(writing, 1)
    os.dup2(writing, 2)
    os.close(writing)


def _flip_a_weight(after: int) -> None:
    """Let this rank's training go wrong by the least significant bit of one weight."""
    import torch

    from trm_lab.training.learner import Learner

    original = Learner.step

    def step(learner: Learner, *arguments: Any) -> Any:
        result = original(learner, *arguments)
        if result.number == after and learner.flat is not None:
            learner.flat.vector.detach()[:1].view(torch.int32).bitwise_xor_(1)
        return result

    Learner.step = step  # type: ignore[method-assign]


class Operations:
    """Counts what this process does to files below a folder, and kills it at one of them.

    Counted: opening to write, renames, links, folders made and removed, files removed and cut, each write through
    os.write and each safetensors file, both also half done, and each fsync.
    """

    def __init__(self, folder: Path, kill_at: int) -> None:
        self._below, self._kill_at, self.count = str(folder.resolve()) + os.sep, kill_at, 0

    def watch(self, count_into: str | None) -> None:
        """Begin."""
        from trm_lab.files import tensor_files

        sys.addaudithook(self._event)
        tensor_files.save_file = self._torn(tensor_files.save_file, self._cut)  # type: ignore[attr-defined]
        os.write = self._torn(os.write, lambda *_: None)
        os.fsync = self._counted(os.fsync)  # type: ignore[assignment]
        if count_into is not None:
            atexit.register(lambda: Path(count_into).write_text(str(self.count)))

    def _event(self, name: str, arguments: tuple[Any, ...]) -> None:
        if name == "open":
            path, _, flags = arguments
            if isinstance(flags, int) and flags & WRITING and self._concerns(path):
                self._reached()
        elif name in EVENTS and self._concerns(arguments[0]):
            self._reached()

    def _concerns(self, path: object) -> bool:
        if isinstance(path, int):
            path = os.readlink(f"/proc/self/fd/{path}")
        if not isinstance(path, str | os.PathLike):
            return False
        return os.path.abspath(os.fsdecode(os.fspath(path))).startswith(self._below)

    def _reached(self) -> None:
        self.count += 1
        if self.count == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def _counted(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def operation(descriptor: int) -> Any:
            if self._concerns(descriptor):
                self._reached()
            return original(descriptor)

        return operation

    def _torn(self, original: Callable[..., Any], tear: Callable[..., None]) -> Callable[..., Any]:
        """Before it is an operation, and half done it is another."""

        def operation(first: Any, second: Any, *more: Any) -> Any:
            descriptor = isinstance(first, int)
            if not self._concerns(first if descriptor else second):
                return original(first, second, *more)
            self._reached()
            if self.count + 1 == self._kill_at:
                original(first, second[: len(second) // 2] if descriptor else second, *more)
                tear(first, second)
            self._reached()
            return original(first, second, *more)

        return operation

    @staticmethod
    def _cut(tensors: object, file: Path) -> None:
        os.truncate(file, file.stat().st_size // 2)

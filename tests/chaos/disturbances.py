"""What befalls a run: while a launch is under way, and to its files between two launches. All draws are seeded."""

import contextlib
import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos import hooks
from tests.chaos.launching import Launch, send

HANG_SECONDS = 2.5  # hang_timeout of launches whose rank is stopped
SPARE_BYTES = 40_000  # that a full disk still takes


@dataclass
class Live:
    """A disturbance of one launch.

    seconds: when it strikes, after the start; None: at the start, or by itself.  act: what happens then.
    variables: of the first rank.  overrides: of the command, free keys only.  restarts: torchrun's.
    """

    kind: str
    seconds: float | None = None
    act: Callable[[Launch], None] | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    overrides: tuple[str, ...] = ()
    restarts: int = 0

    def watch(self, launch: Launch, limit: float) -> None:
        """Let the launch go on to its end, and strike on the way."""
        begin = time.monotonic()
        while launch.code is None and self.act is not None and self.seconds is not None:
            if time.monotonic() - begin >= self.seconds:
                self.act(launch)
                break
            launch.look()
            time.sleep(0.002)
        if launch.code is None:
            launch.wait(limit)


def kill_all(launch: Launch) -> None:
    launch.kill()


def kill_one(which: float) -> Callable[[Launch], None]:
    """SIGKILL to one rank; torchrun starts all again."""

    def act(launch: Launch) -> None:
        for pid in _picked(launch, which):
            send(pid, signal.SIGKILL)

    return act


def stop_one(which: float, seconds: float) -> Callable[[Launch], None]:
    """SIGSTOP to one rank, for longer than hang_timeout."""

    def act(launch: Launch) -> None:
        picked = _picked(launch, which)
        for pid in picked:
            send(pid, signal.SIGSTOP)
        until = time.monotonic() + seconds
        while launch.code is None and time.monotonic() < until:
            launch.look()
            time.sleep(0.002)
        for pid in picked:
            send(pid, signal.SIGCONT)

    return act


def ask(number: signal.Signals) -> Callable[[Launch], None]:
    """A scheduler's signal to every rank."""
    return lambda launch: launch.ask(number)


def fill(folder: Path, left: int) -> None:
    """Leave `left` bytes free on the file system of `folder`, in the test's own file."""
    with (folder / "filler").open("wb") as stream:
        for _ in range(20):  # the run may take room between a look and the taking
            free = os.statvfs(folder)
            size = free.f_bavail * free.f_frsize - left + os.fstat(stream.fileno()).st_size
            with contextlib.suppress(OSError):
                os.posix_fallocate(stream.fileno(), 0, max(1, size))
                return


def make_room(folder: Path) -> None:
    (folder / "filler").unlink(missing_ok=True)


def disk_full(mount: Path, left: int) -> Callable[[Launch], None]:
    """Fill the file system while the launch is under way."""
    return lambda launch: fill(mount, left)


def damage(random_: random.Random, run: Path) -> Path | None:
    """Cut off a random file of the run, or flip one bit of it; the file, None where there is none."""
    groups = {
        "newest": _files(_newest(run)),
        "checkpoints": _files(run / "checkpoints"),
        "records": [run / "metrics.jsonl"],
        "config": [run / "config.yaml"],
        "provenance": [run / "provenance.json"],
        "best": [run / "checkpoints" / "best.json"],
        "evaluations": _files(run / "evaluations"),
        "lock": [run / "lock.json"],
    }
    there = {name: [f for f in files if _size(f)] for name, files in groups.items()}
    names = [name for name, files in there.items() if files]
    if not names:
        return None
    file = random_.choice(there[random_.choice(names)])
    if random_.random() < 0.4:
        os.truncate(file, random_.randrange(_size(file)))
    else:
        flip(file, random_.randrange(8 * _size(file)))
    return file


def damage_all_checkpoints(random_: random.Random, run: Path) -> list[Path]:
    """Flip a bit of a tensor file in every checkpoint."""
    files = sorted((run / "checkpoints").glob("step_*/model.safetensors"))
    for file in files:
        flip(file, random_.randrange(8 * _size(file)))
    return files


def flip(file: Path, bit: int) -> None:
    """Flip one bit of a file."""
    with file.open("r+b") as stream:
        stream.seek(bit // 8)
        byte = stream.read(1)[0]
        stream.seek(bit // 8)
        stream.write(bytes([byte ^ 1 << bit % 8]))


def kill_at_operation(run: Path, operation: int) -> dict[str, str]:
    """Variables of a launch that kills itself when it reaches this file operation."""
    return {hooks.RUN: str(run), hooks.KILL_AT: str(operation)}


def limited_files(size: int) -> dict[str, str]:
    """Variables of a launch none of whose files may grow beyond `size` bytes."""
    return {hooks.FILE_BYTES: str(size)}


def can_mount(folder: Path) -> str | None:
    """Mount a small file system at `folder`; why not, where the system does not let us."""
    from subprocess import run

    if os.geteuid() != 0 or shutil.which("mount") is None:
        return "mounting a tmpfs needs root"
    done = run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)], capture_output=True, text=True)
    return None if done.returncode == 0 else done.stderr.strip()


def unmount(folder: Path) -> None:
    from subprocess import run

    run(["umount", "-l", str(folder)], check=True)


def _picked(launch: Launch, which: float) -> list[int]:
    ranks = launch.ranks()
    return [ranks[int(which * len(ranks))]] if ranks else []


def _newest(run: Path) -> Path:
    found = [f for f in run.glob("checkpoints/step_*") if f.name.removeprefix("step_").isdecimal()]
    return max(found, key=lambda f: int(f.name.removeprefix("step_")), default=run / "none")


def _files(folder: Path) -> list[Path]:
    return sorted(f for f in folder.rglob("*") if f.is_file()) if folder.is_dir() else []


def _size(file: Path) -> int:
    return file.stat().st_size if file.is_file() else 0

"""What a run tells: metrics.jsonl always, wandb where the user has it, a line or a bar for whoever watches."""

import json
import netrc
import os
import shutil
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from tqdm import tqdm

from trm.errors import UserError

Record = Mapping[str, Any]
LINE_SECONDS = 10.0  # between lines where there is no terminal


class Sink(Protocol):
    """Takes records; `FileRecords`, `WandbRecords`."""

    def write(self, record: Record) -> None: ...

    def close(self) -> None: ...


class FileRecords:
    """metrics.jsonl: one JSON object a line; the truth that resuming cuts back to its checkpoint."""

    def __init__(self, file: Path, resume_at: int = 0) -> None:
        """Open for appending behind the first `resume_at` bytes; what follows them is dropped."""
        file.touch()
        if file.stat().st_size < resume_at:
            raise UserError(
                f"{file} has {file.stat().st_size} bytes, but the checkpoint was written after {resume_at}",
                "the records that belong to the checkpoint",
                "restore the file, or start a new run with load_checkpoint=<this run>",
            )
        os.truncate(file, resume_at)
        self._stream = file.open("ab")

    def write(self, record: Record) -> None:
        self._stream.write((json.dumps(record, allow_nan=False) + "\n").encode())
        self._stream.flush()

    def position(self) -> int:
        """Bytes that are safely on disk now."""
        os.fsync(self._stream.fileno())
        return self._stream.tell()

    def close(self) -> None:
        self._stream.close()


class WandbRecords:
    """The same records, to wandb; `identity` stays the same over the launches of one run and no other."""

    def __init__(
        self, mode: str, folder: Path, project: str, identity: str, config: Mapping[str, Any]
    ) -> None:
        import wandb

        self._run = wandb.init(
            mode="offline" if mode == "offline" else "online",
            dir=str(folder),
            project=project,
            name=folder.name,
            id=identity,
            resume="allow",
            config=dict(config),
        )

    def write(self, record: Record) -> None:
        numbers = dict(_numbers(record, record["kind"]))
        self._run.log(numbers, step=record["step"])

    def close(self) -> None:
        self._run.finish()


def _numbers(record: Any, prefix: str) -> Iterable[tuple[str, float]]:
    """Every number of a nested record under a slashed name."""
    if isinstance(record, Mapping):
        pairs: Iterable[tuple[Any, Any]] = record.items()
    elif isinstance(record, list):
        pairs = enumerate(record, start=1)
    else:
        if isinstance(record, int | float) and not isinstance(record, bool):
            yield prefix, record
        return
    for key, value in pairs:
        yield from _numbers(value, f"{prefix}/{key}")


def wandb_mode(wanted: str) -> str:
    """`auto` becomes `online` where the user has logged in or set WANDB_MODE, else `disabled`."""
    if wanted != "auto":
        return wanted
    mode = os.environ.get("WANDB_MODE")
    if mode in ("online", "offline", "disabled"):
        return mode
    return "online" if os.environ.get("WANDB_API_KEY") or _logged_in() else "disabled"


def _logged_in() -> bool:
    try:
        return netrc.netrc().authenticators("api.wandb.ai") is not None
    except (FileNotFoundError, netrc.NetrcParseError):
        return False


class Progress:
    """A bar on a terminal, plain lines elsewhere, nothing on the other ranks."""

    def __init__(self, total: int, done: int, shown: bool) -> None:
        self._total, self._done, self._first, self._shown = total, done, done, shown
        self._start = self._last_line = time.monotonic()
        width = shutil.get_terminal_size(
            (0, 0)
        ).columns  # 0: a terminal that does not say, where tqdm shows nothing
        on_terminal = shown and sys.stderr.isatty() and width > 0
        self._bar = tqdm(total=total, initial=done, unit="step", dynamic_ncols=True) if on_terminal else None

    def advance(self) -> None:
        """One step done."""
        self._done += 1
        if self._bar is not None:
            self._bar.update()

    def describe(self, record: Record) -> None:
        """Show a training record."""
        text = f"loss {record['loss']:.3f}, cells right {_step_shares(record['step_accuracy'])}"
        now = time.monotonic()
        if self._bar is not None:
            self._bar.set_description_str(text)
        elif self._shown and (now - self._last_line >= LINE_SECONDS or self._done >= self._total):
            self._last_line = now
            left = (now - self._start) / max(1, self._done - self._first) * (self._total - self._done)
            print(f"step {self._done}/{self._total}, {text}, {_clock(left)} left", flush=True)

    def say(self, text: str) -> None:
        """A line beside the bar."""
        if self._shown:
            tqdm.write(text)
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

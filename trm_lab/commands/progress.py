"""How far a long loop is: a bar on a terminal, a line now and then elsewhere."""

import math
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from tqdm import tqdm

from trm_lab.commands.tables import duration

T = TypeVar("T")
_LINES = 10  # lines in all where there is no terminal
_LINE_SECONDS = 10.0  # between the lines of a training run there


def track(items: Sequence[T], doing: str) -> Iterator[T]:
    """The items, reporting on standard error how many are done."""
    if sys.stderr.isatty():
        yield from tqdm(items, desc=doing)
        return
    start, every = time.monotonic(), max(1, len(items) // _LINES)
    for done, item in enumerate(items, start=1):
        yield item
        if done % every == 0 or done == len(items):
            print(f"{doing}: {done}/{len(items)}, {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)


class Progress:
    """How far a training run is: a bar on a terminal, plain lines elsewhere, nothing on the other ranks."""

    def __init__(self, total: int, done: int, shown: bool, name: str = "") -> None:
        """
        Args:
            name: of the run, where others print beside it: then there are lines, and each begins with it.
        """
        self._total, self._done, self._first, self._shown = total, done, done, shown
        self._prefix = f"{name}: " if name else ""
        self._start = self._last_line = time.monotonic()
        self._expects = True  # until the time that the run takes was told
        width = shutil.get_terminal_size((0, 0)).columns  # 0: an unknown width, for which tqdm shows nothing
        on_terminal = shown and not name and sys.stderr.isatty() and width > 0
        self._bar = tqdm(total=total, initial=done, unit="update", dynamic_ncols=True) if on_terminal else None

    def advance(self) -> None:
        """Count one step as done."""
        self._done += 1
        if self._bar is not None:
            self._bar.update()

    def start_clock(self) -> None:
        """Leave the steps so far, which were the warm-up, out of the estimate of the time left."""
        self._start, self._first = time.monotonic(), self._done

    def describe(self, record: Mapping[str, Any], most_seconds: float = math.inf) -> None:
        """Show a training record.

        most_seconds: after which training ends, whatever steps are left.
        """
        text = f"loss {record['loss']:.3f}, cell accuracy{_step_shares(record['step_accuracy'])}"
        now = time.monotonic()
        left = self._seconds_left(now, most_seconds)
        if self._expects and left:
            self._expects = False
            remaining = f"{self._total - self._done:,} of {self._total:,} updates"
            self.say(f"expected time: {duration(left)} for the remaining {remaining}, evaluations not counted")
        if self._bar is not None:
            self._bar.set_description_str(text)
        elif self._shown and (now - self._last_line >= _LINE_SECONDS or self._done >= self._total):
            self._last_line = now
            line = f"update {self._done}/{self._total}, {text}"
            if left is not None:
                line += f", {_clock(left)} left"
            print(self._prefix + line, flush=True)

    def _seconds_left(self, now: float, most_seconds: float) -> float | None:
        """Until the last step; None before a step was measured."""
        steps, remaining = self._done - self._first, self._total - self._done
        if remaining <= 0:
            return 0.0
        return max(0.0, min((now - self._start) / steps * remaining, most_seconds)) if steps else None

    def say(self, text: str) -> None:
        """Print a line beside the bar."""
        if self._shown:
            tqdm.write(self._prefix + text)
            sys.stdout.flush()

    def over(self, batches: Any) -> Any:
        """The batches of an evaluation, with a bar of their own on a terminal."""
        if self._bar is None:
            return batches
        return tqdm(batches, desc="evaluating", unit="batch", leave=False, dynamic_ncols=True)

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()


def _step_shares(shares: list[float | None]) -> str:
    """The shares of the first and the last supervision step that have one, with what they are of."""
    percentages = {step: f"{100 * share:.0f}" for step, share in enumerate(shares, 1) if share is not None}
    if not percentages:
        return " –"
    ends = sorted({min(percentages), max(percentages)})
    steps, values = (" → ".join(words) for words in (map(str, ends), (percentages[step] for step in ends)))
    return f" after supervision step {steps}: {values} %"


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"

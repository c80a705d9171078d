"""How long a run has trained, over all of its launches, and whether `max_minutes` ends it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import monotonic
from typing import Any

KEY = "training_seconds"  # of a checkpoint's state


class TrainingTime:
    """Seconds of the training loop, compiling and saving included, evaluations and what comes before the loop not.

    up: whether the time is up, so that the run ends. The first rank's clock decides; every rank learns it from the sums
    of the same step, or from the checkpoint that it resumes.
    """

    def __init__(self, max_minutes: float | None, decides: bool) -> None:
        """decides: whether this is the rank whose clock decides."""
        self.max_minutes, self.up = max_minutes, False
        self._decides, self._before = decides, 0.0
        self._since: float | None = None  # of the clock; None while no time passes

    @property
    def seconds(self) -> float:
        """Seconds of training so far."""
        return self._before + (0.0 if self._since is None else monotonic() - self._since)

    @property
    def left(self) -> float:
        """Seconds until the time is up, by this rank's clock."""
        return float("inf") if self.max_minutes is None else 60 * self.max_minutes - self.seconds

    @property
    def due(self) -> bool:
        """Whether the time is up by this rank's clock; False on ranks whose clock does not decide."""
        return self._decides and self.left <= 0

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint's state; from {} begin."""
        self._before, self._since = float(state.get(KEY, 0.0)), monotonic()
        self.up = self.max_minutes is not None and self._before >= 60 * self.max_minutes

    @contextmanager
    def paused(self) -> Iterator[None]:
        """A context whose time does not count."""
        self._before, self._since = self.seconds, None
        yield
        self._since = monotonic()

    def end(self) -> dict[str, Any]:
        """What the last evaluation's record says of a run whose time is up before it is complete; {} until then."""
        return {"ended_by": {"max_minutes": self.max_minutes, KEY: self.seconds}} if self.up else {}

    def notice(self, step: int, last_step: int) -> str:
        """What a user is told of it."""
        ended = f"max_minutes={self.max_minutes:g}: training ended at step {step} of {last_step}"
        return f"{ended}; the same command with a larger max_minutes continues it"

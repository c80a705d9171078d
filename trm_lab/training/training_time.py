"""How long a run has trained, over all of its starts, and whether it ends for that (`max_minutes`)."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import monotonic
from typing import Any

KEY = "training_seconds"  # of a checkpoint's state


class TrainingTime:
    """Seconds from the first step on, with compiling and saving, without evaluations and what comes before the loop.

    up: whether the run ends for its time. Every rank learns it from the same step's sums, as the first one's clock
    decides, or from the checkpoint that it resumes.
    """

    def __init__(self, max_minutes: float | None, decides: bool) -> None:
        """decides: whether this rank's clock counts."""
        self.max_minutes, self.up = max_minutes, False
        self._decides, self._before = decides, 0.0
        self._since: float | None = None  # of the clock; None while no time passes

    @property
    def seconds(self) -> float:
        """Of training so far."""
        return self._before + (0.0 if self._since is None else monotonic() - self._since)

    @property
    def due(self) -> bool:
        """Whether the time is over by this rank's clock; False on the ranks whose clock does not count."""
        return self._decides and self._left() <= 0

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint's state; from {} begin."""
        self._before, self._since = float(state.get(KEY, 0.0)), monotonic()
        self.up = self.max_minutes is not None and self._before >= 60 * self.max_minutes

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Meanwhile no time passes."""
        self._before, self._since = self.seconds, None
        yield
        self._since = monotonic()

    def end(self) -> dict[str, Any]:
        """What the last evaluation's record says of a run that ended for its time; {} for another."""
        return {"ended_by": {"max_minutes": self.max_minutes, KEY: self.seconds}} if self.up else {}

    def _left(self) -> float:
        return float("inf") if self.max_minutes is None else 60 * self.max_minutes - self.seconds

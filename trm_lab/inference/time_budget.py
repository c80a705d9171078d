"""A time budget: which pieces of work still end before the deadline, by the time that pieces like them took.

A batch of n examples takes at most as long as a measured larger one, or n / m times as long as a measured one of m.
So batches grow: one example twice (the first warms up, and does not count once there is a second), then at most twice
as many as were measured. The very first example has no measured time: it starts only while half of the time is left.
A piece is expected to take SAFETY times as long, and the time to count votes and write is kept free at the end.
"""

from collections.abc import Callable

Now = Callable[[], float]

SAFETY = 1.2
FIRST_SHARE = 0.5  # of the time must be left for the first example, which has no measured time


class TimeBudget:
    """The time from `started` on, in seconds of the clock `now`.

    A piece that was begun ends when the next one is asked for, or at `pause`.
    """

    def __init__(self, started: float, seconds: float, now: Now) -> None:
        self.seconds = seconds
        self._deadline, self._now = started + seconds, now
        self._moment = now()
        self._measured: dict[int, float] = {}  # longest seconds of a batch, by its number of examples
        self._batches = 0
        self._adapting: float | None = None  # most seconds for each unit of work
        self._updates: list[float] = []  # seconds of an update of all weights; the first one warmed up
        self._finishing = 0.0  # longest seconds of counting votes and writing
        self._end: Callable[[float], None] | None = None  # takes the seconds of the piece under way

    def pause(self) -> None:
        """The piece under way has ended; what follows belongs to none."""
        moment = self._now()
        if self._end is not None:
            self._end(moment - self._moment)
        self._moment, self._end = moment, None

    def dismiss(self) -> None:
        """The piece under way came to nothing, so its time is not used."""
        self._end = None

    def allows_first(self) -> bool:
        """Whether work whose time was never measured may begin."""
        self.pause()
        return self._half_left()

    def begin_batch(self, most: int) -> int:
        """Begin a batch of at most `most` examples; returns how many end in time, 0 for none."""
        self.pause()
        if not self._measured:
            size = int(self._half_left())
        else:
            size = min(most, 2 * max(self._measured) if self._batches > 1 else 1)
            while size and not self._ends_in_time(self.seconds_of_batch(size)):
                size //= 2
        self._end = (lambda seconds: self._batch_took(size, seconds)) if size else None
        return size

    def begin_adaptation(self, work: float, at_once: int) -> bool:
        """Begin to adapt to a task, if that ends in time.

        Before the first one was measured, the pace is that of answering.

        Args:
            work: as many times the work of answering an example.
            at_once: examples in a batch of it.
        """
        self.pause()
        pace = self._adapting
        if pace is None:
            smaller = max((size for size in self._measured if size <= at_once), default=None)
            if smaller is None:
                return False
            pace = self._measured[smaller] / smaller
        if not self._ends_in_time(work * pace):
            return False
        self._end = lambda seconds: self._adaptation_took(work, seconds)
        return True

    def begin_updates(self, count: int) -> None:
        """Begin so many updates of all weights, of which `updates_in_time` says that they end in time."""
        self.pause()
        self._end = lambda seconds: self._updates.append(seconds / count)

    def updates_in_time(self, most: int, expected: float, answering: float) -> int:
        """How many updates of all weights end in time, `most` at most.

        Args:
            expected: seconds of one, before any was measured.
            answering: seconds that must be left behind them.
        """
        self.pause()
        pace = max(self._updates[1:] or self._updates, default=expected)
        left = (self._deadline - self._moment) / SAFETY - self._finishing - answering
        return most if most * pace <= left else max(0, int(left / pace))

    def share_used(self) -> float:
        """Share of the time that is over."""
        self.pause()
        return 1 - (self._deadline - self._moment) / self.seconds if self.seconds else 1.0

    def begin_finish(self) -> None:
        """Begin to count votes and to write: always allowed, for its time was kept free."""
        self.pause()
        self._end = self._finish_took

    def seconds_of_batch(self, size: int) -> float:
        """At most, by the batches that were measured."""
        return min(seconds * max(1.0, size / measured) for measured, seconds in self._measured.items())

    def _half_left(self) -> bool:
        return self._deadline - self._moment >= FIRST_SHARE * self.seconds > 0

    def _ends_in_time(self, seconds: float) -> bool:
        return self._moment + SAFETY * (seconds + self._finishing) <= self._deadline

    def _batch_took(self, size: int, seconds: float) -> None:
        if self._batches == 1:  # the one before warmed up
            self._measured.clear()
        self._batches += 1
        self._measured[size] = max(seconds, self._measured.get(size, 0.0))

    def _adaptation_took(self, work: float, seconds: float) -> None:
        self._adapting = max(self._adapting or 0.0, seconds / work)

    def _finish_took(self, seconds: float) -> None:
        self._finishing = max(self._finishing, seconds)

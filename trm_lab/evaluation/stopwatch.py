"""Seconds and joules of answers: what is done before the first one, and between two of them, is not theirs."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from trm_lab.cluster.energy import EnergyMeter
from trm_lab.cluster.ranks import Ranks


class Stopwatch:
    """Measures time and energy since it was made or last restarted.

    warm_up_seconds: seconds that the work within `warming_up` took.
    """

    def __init__(self, ranks: Ranks, meter: EnergyMeter) -> None:
        self._ranks, self._meter, self._started = ranks, meter, time.monotonic()
        self.warm_up_seconds = 0.0

    def restart(self) -> None:
        """Forget the time and the energy so far."""
        self._meter.spent()
        self._started = time.monotonic()

    def seconds(self) -> float:
        """Seconds since the last start."""
        return time.monotonic() - self._started

    def joules(self) -> float | None:
        """Joules that all ranks spent since the last reading; None where no device reports them. All ranks call it."""
        device = self._ranks.device if self._ranks.world_size > 1 else None  # a single rank sends no message
        readings = torch.tensor([self._meter.spent(), self._meter.known], dtype=torch.float64, device=device)
        spent, meters = self._ranks.sum_(readings).tolist()
        return spent if meters else None

    @contextmanager
    def warming_up(self) -> Iterator[None]:
        """`with warming_up():` the work within is timed apart, and the watch restarts after it."""
        self.restart()
        yield
        self.warm_up_seconds += self.seconds()
        self.restart()

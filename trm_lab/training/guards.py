"""What watches over a run from outside its numbers: signals, the clock of the checkpoints, a rank that hangs."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from trm_lab.cluster.ranks import Ranks
from trm_lab.cluster.stop_request import Requeue, StopRequest
from trm_lab.cluster.watchdog import Watchdog


class Guards:
    """One process's wishes to stop or to save, and the sign of life that its watchdog waits for.

    Args:
        every_minutes: after how long a checkpoint is due; None: never. The first rank's clock decides.
    """

    def __init__(
        self,
        ranks: Ranks,
        every_minutes: float | None = None,
        stop: StopRequest | None = None,
        watchdog: Watchdog | None = None,
    ) -> None:
        self._ranks, self._stop, self._watchdog = ranks, stop, watchdog
        self._seconds = None if every_minutes is None else 60 * every_minutes
        self._saved_at = time.monotonic()

    @property
    def stop_asked(self) -> bool:
        """Whether a signal told this process to save and leave."""
        return self._stop is not None and self._stop.requested is not None

    @property
    def save_due(self) -> bool:
        """Whether it is time for a checkpoint; False on all ranks but the first."""
        if self._seconds is None or not self._ranks.is_first:
            return False
        return time.monotonic() - self._saved_at >= self._seconds

    def saved(self) -> None:
        """A checkpoint was made just now."""
        self._saved_at = time.monotonic()

    def beat(self, what: str, within: float | None = None) -> None:
        """This process lives, and now begins `what`, which may take `within` seconds (None: hang_timeout)."""
        if self._watchdog is not None:
            self._watchdog.beat(what, within)

    def anyone_asks_to_stop(self) -> bool:
        """Whether any rank was told to leave; every rank must call it."""
        asked = torch.tensor([float(self.stop_asked)], device=self._ranks.device)
        return bool(self._ranks.sum_(asked)[0] > 0)

    def leave(self, step: int) -> None:
        """End this process so that it is started again.

        Raises:
            Requeue: always.
        """
        asked_by = (self._stop.requested if self._stop is not None else None) or "another rank"
        if self._ranks.is_first:
            print(f"asked to stop: step {step} is saved, and the same command goes on from it", flush=True)
        raise Requeue(asked_by)


@contextmanager
def watchdog(timeout: float | None, ranks: Ranks) -> Iterator[Watchdog | None]:
    """Watch this process for as long as the context lasts; None: nobody watches."""
    if timeout is None:
        yield None
        return
    with Watchdog(timeout, rank=ranks.rank, world_size=ranks.world_size, store=ranks.store()) as watching:
        yield watching

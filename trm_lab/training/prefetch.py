"""Training batches ahead of the step that takes them: made by a thread while the device computes."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

import numpy as np
import torch
from numpy.typing import NDArray

from trm.batch import Batch
from trm_lab.puzzles.loading import DataPosition, TrainingData

FreeSlots = Callable[[int], NDArray[np.bool_] | None]  # updates made → slots that take new data next


class Feed:
    """The batches of `data` in order, the next `ahead` of them under way.

    Its position is that of the last batch taken, whatever is under way behind it.

    Args:
        free: which slots take new data in the step that follows so many updates (see `Learner.free_slots`).
        ahead: batches to prepare; 0 makes each when it is asked for, without a thread.
        pinned: into memory from which a GPU copies by itself.
    """

    def __init__(self, data: TrainingData, free: FreeSlots, ahead: int = 0, pinned: bool = False) -> None:
        self._data, self._free, self._ahead, self._pinned = data, free, ahead, pinned
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="batches") if ahead else None
        self._under_way: deque[Future[tuple[Batch | None, DataPosition]]] = deque()
        self._position = data.state()

    @classmethod
    def on(cls, device: torch.device, data: TrainingData, free: FreeSlots) -> "Feed":
        """Two batches ahead of a GPU; on a CPU, which has nothing to overlap with, none."""
        on_gpu = device.type == "cuda"
        return cls(data, free, ahead=2 if on_gpu else 0, pinned=on_gpu)

    def next_batch(self, updates: int) -> Batch | None:
        """The batch of the step after `updates` updates; None at the end of the iteration."""
        if self._thread is None:
            batch, self._position = self._make(updates)
            return batch
        while len(self._under_way) <= self._ahead:
            step = updates + len(self._under_way)
            self._under_way.append(self._thread.submit(self._make, step))
        batch, self._position = self._under_way.popleft().result()
        return batch

    def state(self) -> DataPosition:
        """The position behind the last batch taken."""
        return self._position

    def start_iteration(self, iteration: int) -> None:
        """Go to the beginning of an iteration."""
        self._drop()
        self._data.start_iteration(iteration)
        self._position = self._data.state()

    def restore(self, state: DataPosition) -> None:
        """Go to a position that `state` gave."""
        self._drop()
        self._data.restore(state)
        self._position = self._data.state()

    def close(self) -> None:
        """End the thread."""
        self._drop()
        if self._thread is not None:
            self._thread.shutdown()

    def _make(self, updates: int) -> tuple[Batch | None, DataPosition]:
        batch = self._data.next_batch(self._free(updates))
        return batch.pinned() if self._pinned and batch is not None else batch, self._data.state()

    def _drop(self) -> None:
        """Forget what is under way, and what goes wrong in it."""
        for future in self._under_way:
            future.cancel()
        wait(self._under_way)
        self._under_way.clear()

"""A store for the ranks of one start of an elastic job, in which nothing of an earlier start can be found.

torchrun (torch 2.13 does) lets all starts of a job share one store, without a prefix for each: after a restart a
rank may find the address that a dead one left there, and connects to nobody, or to the wrong one (pytorch/pytorch,
issue 135712). The count of restarts is no remedy, since each node has its own. So the first rank draws a name for this
start and tells it to each of the others under a key that only that one can have drawn.
"""

import secrets
import time
from datetime import timedelta
from typing import Protocol

POLL_SECONDS = 0.02


class SharedStore(Protocol):
    """What is needed of torch.distributed's Store."""

    def set(self, key: str, value: str) -> None: ...

    def get(self, key: str) -> bytes: ...

    def check(self, keys: list[str]) -> bool: ...


def name_of_this_start(store: SharedStore, rank: int, world_size: int, timeout: timedelta) -> str:
    """A name that all ranks of this start get, and no other start ever had; every rank calls it.

    Raises:
        TimeoutError: some did not come.
    """
    deadline = time.monotonic() + timeout.total_seconds()
    own = secrets.token_hex(16)
    if rank == 0:
        _tell(store, own, world_size, deadline)
        return own
    store.set(f"start/asks/{rank}", own)
    while not store.check([f"start/answer/{own}"]):
        _wait(deadline, f"rank {rank} had no answer from rank 0")
    name = store.get(f"start/answer/{own}").decode()
    store.set(f"start/{name}/{rank}", "here")
    return name


def _tell(store: SharedStore, name: str, world_size: int, deadline: float) -> None:
    """Answer whoever asks, also the dead, until every rank has confirmed this very name."""
    missing, answered = set(range(1, world_size)), set[str]()
    while missing:
        for rank in sorted(missing):
            if store.check([f"start/asks/{rank}"]):
                token = store.get(f"start/asks/{rank}").decode()
                if token not in answered:
                    store.set(f"start/answer/{token}", name)
                    answered.add(token)
            if store.check([f"start/{name}/{rank}"]):
                missing.discard(rank)
        if missing:
            _wait(deadline, f"rank 0 has not heard of ranks {', '.join(map(str, sorted(missing)))}")


def _wait(deadline: float, problem: str) -> None:
    if time.monotonic() > deadline:
        raise TimeoutError(f"{problem} while the ranks of this start were to meet")
    time.sleep(POLL_SECONDS)

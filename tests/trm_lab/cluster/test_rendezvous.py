"""Ranks of one start agree on a name, whatever earlier starts left in the store that they share."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from trm_lab.cluster.rendezvous import name_of_this_start

SECONDS = timedelta(seconds=20)


class Memory:
    """A store in this process."""

    def __init__(self) -> None:
        self.content: dict[str, str] = {}
        self._lock = threading.Lock()

    def set(self, key: str, value: str) -> None:
        with self._lock:
            self.content[key] = value

    def get(self, key: str) -> bytes:
        with self._lock:
            return self.content[key].encode()

    def check(self, keys: list[str]) -> bool:
        with self._lock:
            return all(key in self.content for key in keys)


def meet(store: Memory, world_size: int, absent: int | None = None, wait: timedelta = SECONDS) -> list[str]:
    """The names that the ranks of one start got; one of them may never come."""
    ranks = [rank for rank in range(world_size) if rank != absent]
    random.Random(world_size).shuffle(ranks)
    with ThreadPoolExecutor(world_size) as threads:
        asked = [threads.submit(name_of_this_start, store, rank, world_size, wait) for rank in ranks]
        return [one.result() for one in asked]


def test_every_start_gets_one_name_and_no_two_the_same() -> None:
    store = Memory()
    names = [set(meet(store, world_size)) for world_size in (2, 4, 3, 2, 2)]
    assert [len(found) for found in names] == [1] * 5
    assert len(set.union(*names)) == 5


@pytest.mark.parametrize("absent", [0, 1, 2])
def test_a_start_that_never_came_together_does_not_mislead_the_next(absent: int) -> None:
    store = Memory()
    with pytest.raises(TimeoutError, match="were to meet"):
        meet(store, 3, absent, timedelta(seconds=0.2))
    left = set(store.content.values())
    names = set(meet(store, 3))
    assert len(names) == 1
    assert not names & left

"""Every random draw: a generator for (seed, purpose, counters), never a global one.

A draw is made for the *global* batch and then cut to this rank's slots, so that a run depends
neither on the number of ranks nor on having been interrupted.
"""

import hashlib
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor


def seed_for(seed: int, purpose: str, *counters: int) -> int:
    """The 63-bit seed that belongs to (seed, purpose, counters)."""
    text = "|".join([str(seed), purpose, *map(str, counters)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def numpy_generator(seed: int, purpose: str, *counters: int) -> np.random.Generator:
    """A numpy generator for (seed, purpose, counters)."""
    return np.random.Generator(np.random.Philox(seed_for(seed, purpose, *counters)))


def torch_generator(seed: int, purpose: str, *counters: int) -> torch.Generator:
    """A torch generator on the CPU for (seed, purpose, counters)."""
    return torch.Generator().manual_seed(seed_for(seed, purpose, *counters))


class StepRandom(Protocol):
    """What a supervision may ask for: uniform numbers in [0, 1), one row for each local slot."""

    def uniform(self, purpose: str, *shape: int) -> Tensor:
        """Return float32 `[B, *shape]` on the CPU, B being the local slots."""
        ...


@dataclass(frozen=True)
class SeededStepRandom:
    """Draws for the global batch of one step, cut to the slots [first, first + slots)."""

    seed: int
    step: int
    global_slots: int
    first: int
    slots: int

    def uniform(self, purpose: str, *shape: int) -> Tensor:
        generator = torch_generator(self.seed, purpose, self.step)
        rows = torch.rand(self.global_slots, *shape, generator=generator)
        return rows[self.first : self.first + self.slots]

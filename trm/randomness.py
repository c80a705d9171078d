"""Every random draw: a generator for (seed, purpose, counters), never a global one.

A draw is made for the *global* batch and then cut to this rank's slots, so that a run depends
neither on the number of ranks nor on having been interrupted.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:  # a builder of datasets draws without torch, which takes seconds to import
    from torch import Generator, Tensor


def seed_for(seed: int, purpose: str, *counters: int) -> int:
    """The 63-bit seed that belongs to (seed, purpose, counters)."""
    text = "|".join([str(seed), purpose, *map(str, counters)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def numpy_generator(seed: int, purpose: str, *counters: int) -> np.random.Generator:
    """A numpy generator for (seed, purpose, counters)."""
    return np.random.Generator(np.random.Philox(seed_for(seed, purpose, *counters)))


def torch_generator(seed: int, purpose: str, *counters: int) -> Generator:
    """A torch generator on the CPU for (seed, purpose, counters)."""
    import torch

    return torch.Generator().manual_seed(seed_for(seed, purpose, *counters))


_INT32 = 2**32
_MULTIPLIERS = (0x85EBCA6B, 0xC2B2AE35)  # of MurmurHash3's finaliser, which spreads every bit over all 32


def counter_normal(key: int, rows: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Standard normal numbers that depend on (key, row number, place) alone, float32 `[b, *shape]` on the rows' device.

    So a row has the same numbers in any batch, on any rank and device: they are made by hashing counters (Salmon et
    al. 2011, "Parallel random numbers: as easy as 1, 2, 3") and Box and Muller's transform.

    key: as `seed_for` gives it.  rows: `[b]` integers.
    """
    import torch

    places = torch.arange(math.prod(shape), dtype=torch.int32, device=rows.device)  # [N]
    first, second = (
        _hashed(places + _hashed(rows.to(torch.int32) + _signed(half))[:, None]) for half in (key, key >> 32)
    )  # [b, N] each, uniform over int32
    uniform = (first.float() + 2.0**31 + 0.5) / _INT32  # (0, 1]
    angle = second.float() * (2 * math.pi / _INT32)  # [−π, π]
    return ((-2 * uniform.clamp(max=1).log()).sqrt() * angle.cos()).view(len(rows), *shape)


def _hashed(x: Tensor) -> Tensor:
    """A one-to-one map of int32 that looks random; products wrap around."""
    for multiplier, shift in zip(_MULTIPLIERS, (16, 13), strict=True):
        x = (x ^ (x >> shift & (1 << (32 - shift)) - 1)) * _signed(multiplier)
    return x ^ (x >> 16 & 0xFFFF)


def _signed(number: int) -> int:
    """The number mod 2³², as int32 holds it."""
    return (number + 2**31) % _INT32 - 2**31


class StepRandom(Protocol):
    """What a supervision may ask for: uniform numbers in [0, 1), one row for each local slot."""

    def uniform(self, purpose: str, *shape: int) -> Tensor:
        """Return float32 `[B, *shape]` on the CPU, B being the local slots."""
        ...


@dataclass(frozen=True)
class SeededStepRandom:
    """Draws for the slots of a batch at one step: `SeededStepRandom(seed, step, slots)`.

    Where the slots are a part of a larger batch, such as a rank's: first: the number of the first of them in it.
    global_slots: of the whole batch; None: it ends with these.
    """

    seed: int
    step: int
    slots: int
    first: int = field(default=0, kw_only=True)
    global_slots: int | None = field(default=None, kw_only=True)

    def uniform(self, purpose: str, *shape: int) -> Tensor:
        import torch

        generator = torch_generator(self.seed, purpose, self.step)
        whole = self.first + self.slots if self.global_slots is None else self.global_slots
        pinned = torch.cuda.is_initialized()  # a GPU copies from pinned memory by itself; the host need not wait
        rows = torch.rand(whole, *shape, generator=generator, pin_memory=pinned)
        return rows[self.first : self.first + self.slots]

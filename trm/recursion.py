"""The recursion: how the latents are updated within one supervision step. B batch, S = P + L positions, D hidden.

T cycles of n latent updates and one answer update each (H_cycles = T, L_cycles = n):

    z_L ← f(z_L + z_H + x)   n times
    z_H ← f(z_H + z_L)       once

f is the one reasoning module; only the last cycle carries gradient. TRM, arXiv 2510.04871, Fig. 3.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Update = Callable[[Tensor, Tensor], Tensor]
"""f(h, injection) = blocks(h + injection), all `[B, S, D]`: one network call."""


@dataclass(frozen=True)
class Latents:
    """What is carried between supervision steps: z_H, z_L `[B, S, D]` in the forward dtype."""

    z_H: Tensor
    z_L: Tensor

    def detached(self) -> "Latents":
        """The same latents without a gradient's history."""
        return Latents(self.z_H.detach(), self.z_L.detach())


def cycle(update: Update, z_H: Tensor, z_L: Tensor, x: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """n latent updates, then one update of the answer: n + 1 network calls. All `[B, S, D]`."""
    injection = z_H + x
    for _ in range(n):
        z_L = update(z_L, injection)
    z_H = update(z_H, z_L)
    return z_H, z_L


def recurse(update: Update, latents: Latents, x: Tensor, T: int, n: int) -> Latents:
    """T cycles; the last one alone carries gradient, and only into x and the weights."""
    z_H, z_L = latents.z_H, latents.z_L
    with torch.no_grad():
        for _ in range(T - 1):
            z_H, z_L = cycle(update, z_H, z_L, x, n)
    return Latents(*cycle(update, z_H, z_L, x, n))

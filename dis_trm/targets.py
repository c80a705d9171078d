"""Φ: from question x and answer y* to a target for each supervision step.

B slots, L grid tokens, N supervision steps. A path `[B, N+1, L]` holds frames 0..N; frame s is the target of
step s, frame N is y*. DIS, arXiv 2511.16886 v2, §3.2, and its published code (docs/method.md, "DIS supervision").
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from trm.batch import IGNORE_LABEL
from trm.randomness import StepRandom

SCHEDULES: dict[str, Callable[[float], float]] = {
    "linear": lambda t: t,
    "cosine": lambda t: 1 - math.cos(math.pi * t / 2),
}


def clean_shares(schedule: str, steps: int) -> Tensor:
    """Share of the answer that frame s shows, for s = 0..N: 1 − β_s, `[N+1]` float64, from 0 to 1."""
    shares = [SCHEDULES[schedule](s / steps) for s in range(steps)]
    return torch.tensor([*shares, 1.0], dtype=torch.float64)


class Targets(Protocol):
    """Φ: a source of step targets."""

    def path(self, inputs: Tensor, labels: Tensor, rng: StepRandom) -> Tensor:
        """Frames 0..N `[B, N+1, L]` int32 for questions and answers `[B, L]`; frame N is y*."""
        ...


@dataclass(frozen=True)
class Corruption:
    """Step targets by corrupting y*: a kernel, its schedule, and the treatment of cells without a label.

    kernel:
      reveal   start from x; the cells in which y* differs appear in random order (released code).
      mask     each cell of y* is `mask_token` with probability β_s (paper, absorbing corruption).
      replace  each cell of y* is a random token (not PAD) with probability β_s (paper, uniform corruption).
    pad_cells:
      release  cells without a label count as differing: trained towards the corruption until they are
               shown, ignored afterwards.
      ignore   cells without a label are never trained.
    A cell is corrupted up to some step and clean after it: frames only ever come closer to y*.
    """

    kernel: str
    schedule: str
    pad_cells: str
    steps: int
    vocab_size: int
    mask_token: int

    def path(self, inputs: Tensor, labels: Tensor, rng: StepRandom) -> Tensor:
        """Frames 0..N `[B, N+1, L]` int32 for questions and answers `[B, L]`."""
        scores = rng.uniform("target scores", inputs.shape[1]).to(inputs.device, non_blocking=True)  # [B, L]
        open_cells = self._open_cells(inputs, labels)
        corrupt = self._corrupt(inputs, labels, rng)
        shown = self._shown(scores, open_cells)  # [B, N+1, L]
        frames = torch.where(shown, labels[:, None], corrupt[:, None])
        if self.pad_cells == "ignore":
            frames = torch.where(labels[:, None] == IGNORE_LABEL, IGNORE_LABEL, frames)
        return frames.int()

    def _open_cells(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """`[B, L]` bool: cells that the kernel may corrupt."""
        differing = inputs != labels if self.kernel == "reveal" else torch.ones_like(labels, dtype=torch.bool)
        return differing & (labels != IGNORE_LABEL) if self.pad_cells == "ignore" else differing

    def _corrupt(self, inputs: Tensor, labels: Tensor, rng: StepRandom) -> Tensor:
        """`[B, L]`: what a cell shows while it is corrupted."""
        if self.kernel == "reveal":
            return inputs
        if self.kernel == "mask":
            return torch.full_like(labels, self.mask_token)
        draw = rng.uniform("target tokens", inputs.shape[1]).to(inputs.device, non_blocking=True)
        return 1 + (draw * (self.vocab_size - 1)).to(labels.dtype)

    def _shown(self, scores: Tensor, open_cells: Tensor) -> Tensor:
        """`[B, N+1, L]` bool: cells that already show y* in frame s."""
        shares = clean_shares(self.schedule, self.steps).to(scores.device, non_blocking=True)
        if self.kernel == "reveal":
            order = scores.masked_fill(~open_cells, 2.0).argsort(dim=-1, stable=True)
            rank = order.argsort(dim=-1)  # [B, L] place in the order of appearance
            counts = (open_cells.sum(-1, keepdim=True) * shares + 1e-9).floor()  # [B, N+1]: ⌊s·n_diff/N⌋
            shown = rank[:, None] < counts[..., None]
        else:
            shown = scores[:, None] >= (1 - shares)[:, None]  # β_s = 1 − share
        return shown | ~open_cells[:, None]

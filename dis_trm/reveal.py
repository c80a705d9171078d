"""The parts of a corruption of y*: what a hidden cell shows, in which order cells are revealed, and how many at step s.

B slots, L grid tokens, N supervision steps. Frame s of 0..N is the target of step s; frame N is y*. Each part is an
entry of a registry, and a key of `arch`: KERNELS (`target_kernel`), ORDERS (`target_order`), DIRECTIONS
(`target_direction`), SCHEDULES (`target_schedule`).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from trm.batch import Batch
from trm.randomness import StepRandom

ROUNDS = "rounds"  # the schedule that counts a solver's rounds; the others count cells
SCHEDULES: dict[str, Callable[[float], float]] = {
    "linear": lambda t: t,
    "cosine": lambda t: 1 - math.cos(math.pi * t / 2),
    "immediate": lambda t: float(t > 0),  # y* at every step, as in TRM: what DIS is without targets of its own
}
"""Share of the cells that are revealed at t = s/N."""


def clean_share(schedule: str, step: int, steps: int) -> float:
    """c_s = 1 − β_s, the share of the answer that frame s of 0..N shows: from 0 to exactly 1."""
    return 1.0 if step == steps else SCHEDULES[schedule](step / steps)


def clean_shares(schedule: str, steps: int) -> Tensor:
    """c_0 to c_N, `[N+1]` float64."""
    return torch.tensor([clean_share(schedule, s, steps) for s in range(steps + 1)], dtype=torch.float64)


@dataclass(frozen=True)
class Kernel:
    """What a cell shows until it is revealed.

    shows: `[B, L]` from the batch, the step's draws, the mask token and V; None: what the model last predicted.
    hides_all: every cell is hidden at first; else only those in which y* differs from the question.
    published_order: a key of ORDERS, which the order `published` stands for.
    """

    shows: Callable[[Batch, StepRandom, int, int], Tensor] | None
    hides_all: bool
    published_order: str

    def hidden(self, batch: Batch) -> Tensor:
        """`[B, L]` bool: the cells that frame 0 hides; those without a label among them."""
        return torch.ones_like(batch.labels, dtype=torch.bool) if self.hides_all else batch.inputs != batch.labels


def _question(batch: Batch, rng: StepRandom, mask_token: int, vocab_size: int) -> Tensor:
    return batch.inputs


def _mask(batch: Batch, rng: StepRandom, mask_token: int, vocab_size: int) -> Tensor:
    return torch.full_like(batch.labels, mask_token)


def _random_token(batch: Batch, rng: StepRandom, mask_token: int, vocab_size: int) -> Tensor:
    """Any token but PAD."""
    draw = rng.uniform("target tokens", batch.labels.shape[1]).to(batch.labels.device, non_blocking=True)
    return 1 + (draw * (vocab_size - 1)).to(batch.labels.dtype)


KERNELS = {
    "reveal": Kernel(_question, hides_all=False, published_order="random"),  # released code
    "mask": Kernel(_mask, hides_all=True, published_order="rate"),  # paper, absorbing corruption
    "replace": Kernel(_random_token, hides_all=True, published_order="rate"),  # paper, uniform corruption
    "prediction": Kernel(None, hides_all=False, published_order="random"),
}


@dataclass(frozen=True)
class Order:
    """In which order cells are revealed.

    numbers: `[B, L]` from the hidden cells `[B, L]` and the batch: the place of a hidden cell, from 1; equal places
      are put in random order. A cell of place 0 is revealed from the beginning, and not counted.
    directed: there is a first and a last, so that it can be reversed.
    by_rate: no order; cell i is revealed at step s with probability c_s − c_{s−1}, whatever the others do.
    batch_extras: parts of a batch that it reads.
    """

    numbers: Callable[[Tensor, Batch], Tensor]
    directed: bool = False
    by_rate: bool = False
    batch_extras: tuple[str, ...] = ()


def _all_alike(hidden: Tensor, batch: Batch) -> Tensor:
    return hidden.int()


def _reading(hidden: Tensor, batch: Batch) -> Tensor:
    return hidden.cumsum(-1) * hidden


def _solver(hidden: Tensor, batch: Batch) -> Tensor:
    assert batch.reveal_order is not None
    return batch.reveal_order * hidden


PUBLISHED = "published"
ORDERS = {
    "random": Order(_all_alike),  # released code
    "rate": Order(_all_alike, by_rate=True),  # paper
    "reading": Order(_reading, directed=True),  # row by row, from left to right
    "solver": Order(_solver, directed=True, batch_extras=("reveal_order",)),
}

DIRECTIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "forwards": lambda number, last: number,
    "backwards": lambda number, last: last + 1 - number,
    "both_ends": lambda number, last: torch.minimum(number, last + 1 - number),  # from both ends inwards
}
"""Places 1..last in another direction; last: `[B, 1]`."""


def shown_cells(
    hidden: Tensor, batch: Batch, scores: Tensor, order: Order, direction: str, schedule: str, steps: int
) -> Tensor:
    """`[B, N+1, L]` bool: the cells that already show y* in frame s.

    hidden: `[B, L]`, the cells that are counted.  scores: `[B, L]` in [0, 1), random.
    """
    if order.by_rate:
        shares = clean_shares(schedule, steps).to(scores.device, non_blocking=True)
        return (scores[:, None] >= (1 - shares)[:, None]) | ~hidden[:, None]  # β_s = 1 − c_s
    numbers = order.numbers(hidden, batch)  # [B, L]
    hidden = numbers > 0
    numbers = DIRECTIONS[direction](numbers, numbers.amax(-1, keepdim=True))
    if schedule == ROUNDS:
        shown = numbers[:, None] <= _rounds_shown(numbers.masked_fill(~hidden, 0), steps)[..., None]
    else:
        places = (numbers - 1 + scores.double()).masked_fill(~hidden, torch.inf)
        rank = places.argsort(dim=-1, stable=True).argsort(dim=-1)  # [B, L], from 0
        shares = clean_shares(schedule, steps).to(scores.device, non_blocking=True)
        counts = (hidden.sum(-1, keepdim=True) * shares + 1e-9).floor()  # [B, N+1] ⌊c_s·n⌋
        shown = rank[:, None] < counts[..., None]
    return shown | ~hidden[:, None]


def _rounds_shown(numbers: Tensor, steps: int) -> Tensor:
    """`[B, N+1]`: ⌈R·s/N⌉ of the R rounds of an example."""
    rounds = numbers.amax(-1, keepdim=True)  # [B, 1] R
    return (rounds * torch.arange(steps + 1, device=numbers.device) + steps - 1) // steps

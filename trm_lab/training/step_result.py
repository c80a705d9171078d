"""What an update tells: the supervision's output, and sums over the ranks that may still be on their way from a GPU."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from trm.errors import UserError
from trm.supervision import Carry, StepOutput
from trm_lab.cluster.arriving import Arriving


class NonFiniteError(UserError):
    """A loss, gradient or weight is nan or infinite; nothing is saved with it."""


@dataclass(frozen=True)
class StepResult:
    """One update. Reading `loss`, `finite`, `stop`, `save` or `end` waits for the device.

    output: of this rank's slots, but for the loss (float64), which is the sum over the global batch.
    sums: over all ranks: loss, sizes of their gradients, numbers of ranks that ask to stop, to save, to end training.
    """

    number: int
    output: StepOutput[Any]
    sums: Arriving
    batch_size: int

    @property
    def loss(self) -> float:
        """The loss of one example."""
        return self.sums.read()[0] / self.batch_size

    @property
    def finite(self) -> bool:
        """Whether loss and gradients of all ranks were finite."""
        return all(map(math.isfinite, self.sums.read()[:-3]))

    @property
    def stop(self) -> bool:
        """Whether a rank asked to stop."""
        return self.sums.read()[-3] > 0

    @property
    def save(self) -> bool:
        """Whether a rank asked to save."""
        return self.sums.read()[-2] > 0

    @property
    def end(self) -> bool:
        """Whether `max_minutes` are over, by the first rank's clock."""
        return self.sums.read()[-1] > 0


def finite_rows(carry: Carry) -> Tensor:
    """`[b]` bool: slots whose latents are finite."""
    finite = [latent.isfinite().flatten(1).all(1) for latent in carry.latents.values()]
    return torch.stack(finite).all(0)


def non_finite(what: str) -> NonFiniteError:
    """The error for `what` being nan or infinite."""
    return NonFiniteError(
        f"{what} is not finite; the last checkpoint is from before it",
        "finite numbers",
        "give the same command with on_nonfinite=skip, which leaves such steps out and counts them; or start a new run "
        "(another run_name) with a lower lr, more lr_warmup_steps or arch.forward_dtype=float32, with "
        "load_checkpoint=<this run> to keep what it learned",
    )

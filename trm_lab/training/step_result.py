"""What a step tells: numbers that may be on their way from the device, and what to say when they are not finite."""

from dataclasses import dataclass

import torch
from torch import Tensor

from trm.errors import UserError
from trm.metrics import Metric
from trm.supervision import Carry


class NonFiniteError(UserError):
    """A loss, gradient or weight is nan or infinite; nothing is saved with it."""


class Arriving:
    """A copy of a small tensor `[k]` under way to the host; the device's own may change meanwhile."""

    def __init__(self, numbers: Tensor) -> None:
        numbers = numbers.detach()
        self._arrived: torch.cuda.Event | None = None
        if numbers.device.type != "cuda":
            self._host = numbers.clone()
            return
        self._host = torch.empty_like(numbers, device="cpu", pin_memory=True)
        self._host.copy_(numbers, non_blocking=True)
        self._arrived = torch.cuda.Event()
        self._arrived.record()

    def read(self) -> list[float]:
        """The numbers; waits for what was queued before them, and for nothing after."""
        if self._arrived is not None:
            self._arrived.synchronize()
        return self._host.tolist()


@dataclass(frozen=True)
class Status:
    """What all ranks know of a step: its loss per example, whether all was finite, and whether one of them asks
    to stop or to save."""

    loss: float
    finite: bool
    stop: bool
    save: bool


@dataclass(frozen=True)
class StepResult:
    """One step. The numbers may still be under way from the device; `status` waits for them.

    metrics: of this rank, on the device (see `trm.metrics`).
    network_calls: passes of the reasoning module that each slot took.  carry: the slots after it.
    """

    number: int
    loss: Tensor  # float64 scalar on the device: Σ over the global batch
    numbers: (
        Arriving  # over all ranks: Σ loss, ranks with a non-finite number, ranks that ask to stop, to save
    )
    batch_size: int
    metrics: dict[str, Metric]
    network_calls: int
    carry: Carry

    @property
    def status(self) -> Status:
        """Read the numbers."""
        loss, wrong, stop, save = self.numbers.read()
        return Status(loss / self.batch_size, wrong == 0, stop > 0, save > 0)


def finite_rows(carry: Carry) -> Tensor:
    """`[b]` bool: slots whose latents are finite."""
    return (carry.z_H.isfinite() & carry.z_L.isfinite()).flatten(1).all(1)


def non_finite(what: str) -> NonFiniteError:
    """The error for `what` being nan or infinite."""
    return NonFiniteError(
        f"{what} is not finite; the last checkpoint is from before it",
        "finite numbers",
        "give the same command with on_nonfinite=skip, which leaves such steps out and counts them; or start a new run "
        "(another run_name) with a lower lr, more lr_warmup_steps or arch.forward_dtype=float32, with "
        "load_checkpoint=<this run> to keep what it learned",
    )

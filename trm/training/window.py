"""What the steps since the last record amount to: summed on the device, read when the sums have arrived."""

import time
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from trm.distributed import Ranks
from trm.energy import EnergyMeter
from trm.training.step_result import Arriving, StepResult


@dataclass
class Window:
    """Sums over the steps since the last record; closed at every checkpoint, so never part of a state."""

    steps: int = 0
    network_calls: int = 0
    loss: Tensor | None = None  # Σ over steps of the global batch's loss
    sizes: dict[str, int] = field(default_factory=dict)  # of each metric, in their order in `sums`
    sums: Tensor | None = None
    started: float = field(default_factory=time.monotonic)

    def add(self, result: StepResult) -> None:
        """Take in a step."""
        self.steps += 1
        self.network_calls = result.network_calls
        metrics = [value.detach().double().flatten() for _, value in sorted(result.metrics.items())]
        self.sizes = {name: value.numel() for name, value in sorted(result.metrics.items())}
        packed = torch.cat(metrics)
        self.sums = packed if self.sums is None else self.sums + packed
        self.loss = result.loss if self.loss is None else self.loss + result.loss

    def close(
        self, ranks: Ranks, header: dict[str, Any], global_batch_size: int, meter: EnergyMeter
    ) -> "ClosedWindow":
        """The record of this window, over all ranks; every rank must call it, after at least one step."""
        assert self.sums is not None
        assert self.loss is not None
        energy = self.sums.new_tensor([meter.spent(), meter.known])
        numbers = torch.cat((self.loss.reshape(1), ranks.sum_(torch.cat((energy, self.sums)))))
        seconds = time.monotonic() - self.started
        slots = self.steps * global_batch_size
        metrics = {f"metrics/{name}": size for name, size in self.sizes.items()}
        sizes = {"loss": 1, "joules": 1, "meters": 1, **metrics}
        header = {**header, "network_calls": self.network_calls}
        return ClosedWindow(header, sizes, Arriving(numbers), slots, seconds)


@dataclass(frozen=True)
class ClosedWindow:
    """A record whose numbers may still be under way; `record` waits for them."""

    header: dict[str, Any]
    sizes: dict[str, int]
    numbers: Arriving
    slots: int
    seconds: float

    def record(self) -> dict[str, Any]:
        """Means over the window, for metrics.jsonl."""
        values, at = self.numbers.read(), 0
        sums: dict[str, Any] = {}
        for name, size in self.sizes.items():
            part = values[at : at + size]
            sums[name.removeprefix("metrics/")] = part if name.startswith("metrics/step_") else part[0]
            at += size
        loss, joules, meters = sums.pop("loss"), sums.pop("joules"), sums.pop("meters")
        energy = {"energy_joules": joules} if meters else {}
        return {
            **self.header,
            "loss": loss / self.slots,
            "metrics": _means(sums, self.slots),
            "step_accuracy": _step_accuracy(sums),
            "timing": {
                "seconds": self.seconds,
                "examples_per_second": self.slots / self.seconds,
                **energy,
            },
        }


def _means(sums: dict[str, Any], slots: int) -> dict[str, float]:
    """Losses per slot; the rest per finished example, and nothing of these when none finished (as published)."""
    count = sums["count"]
    means = {name: value / slots for name, value in sums.items() if name.endswith("loss")}
    if count:
        scalar = {n: v for n, v in sums.items() if not n.endswith("loss") and not isinstance(v, list)}
        means |= {name: value / count for name, value in scalar.items()}
        means["count"] = count
    return means


def _step_accuracy(sums: dict[str, Any]) -> list[float | None]:
    """Cell accuracy at each supervision step, None where no slot stood."""
    pairs = zip(sums["step_accuracy"], sums["step_slots"], strict=True)
    return [share / slots if slots else None for share, slots in pairs]

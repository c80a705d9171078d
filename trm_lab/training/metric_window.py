"""What the steps since the last record amount to: summed on the device, read when the sums have arrived."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trm.metrics import Metric
from trm_lab.cluster.energy import EnergyMeter
from trm_lab.cluster.ranks import Ranks
from trm_lab.training.step_result import Arriving, StepResult

STEP_ACCURACY = "step_accuracy"  # has its own place in a record


@dataclass(frozen=True)
class Place:
    """Where a metric's numbers lie among the sums: first those of its total, then those of its count."""

    name: str
    per: str
    total: tuple[int, ...]  # shapes
    count: tuple[int, ...]

    @classmethod
    def of(cls, name: str, metric: Metric) -> "Place":
        """The place of a metric."""
        return cls(name, metric.per, tuple(metric.total.shape), tuple(metric.count.shape))

    def take(self, numbers: list[float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Total and count from the front of `numbers`, which loses them."""
        arrays = []
        for shape in (self.total, self.count):
            size = int(np.prod(shape, dtype=np.int64))
            arrays.append(np.array(numbers[:size], np.float64).reshape(shape))
            del numbers[:size]
        return arrays[0], arrays[1]


Layout = tuple[Place, ...]


@dataclass
class Window:
    """Sums over the steps since the last record; closed at every checkpoint, so never part of a state.

    sums: totals and counts of the metrics, side by side in one vector for all steps that report the same ones.
    """

    steps: int = 0
    network_calls: int = 0
    loss: Tensor | None = None  # Σ over steps of the global batch's loss
    sums: dict[Layout, Tensor] = field(default_factory=dict)
    started: float = field(default_factory=lambda: time.monotonic())
    warm_up_steps: int = 0  # of `steps`, the first ones of a process
    warm_up_seconds: float = 0.0

    def warm_up(self) -> None:
        """All steps so far were of the warm-up, which is left out of `examples_per_second`."""
        self.warm_up_steps, self.warm_up_seconds = self.steps, time.monotonic() - self.started

    def add(self, result: StepResult) -> None:
        """Take in a step."""
        self.steps += 1
        self.network_calls = result.network_calls
        self.loss = result.loss if self.loss is None else self.loss + result.loss
        self.report(result.metrics)

    def report(self, metrics: Mapping[str, Metric]) -> None:
        """Take in metrics; every rank must report the same ones.

        Raises:
            ValueError: a count does not fit its total, or a metric is of another shape than before.
        """
        if not metrics:
            return
        named = sorted(metrics.items())
        layout = tuple(Place.of(name, metric) for name, metric in named)
        if layout not in self.sums:
            _check(layout, self.sums)
        packed = torch.cat(
            [part.detach().double().flatten() for _, one in named for part in (one.total, one.count)]
        )
        self.sums[layout] = self.sums[layout] + packed if layout in self.sums else packed

    def close(
        self, ranks: Ranks, header: dict[str, Any], global_batch_size: int, meter: EnergyMeter
    ) -> "ClosedWindow":
        """The record of this window, over all ranks; every rank must call it, after at least one step."""
        assert self.loss is not None
        energy = self.loss.new_tensor([meter.spent(), meter.known])
        summed = ranks.sum_(torch.cat((energy, *self.sums.values())))
        numbers = torch.cat((self.loss.reshape(1), summed))
        seconds = time.monotonic() - self.started
        slots = self.steps * global_batch_size
        timing: dict[str, Any] = {"seconds": seconds, "examples_per_second": None}
        if self.steps > self.warm_up_steps:
            timed_slots = (self.steps - self.warm_up_steps) * global_batch_size
            timing["examples_per_second"] = timed_slots / max(seconds - self.warm_up_seconds, 1e-9)
        if self.warm_up_steps:
            timing |= {"warm_up_steps": self.warm_up_steps, "warm_up_seconds": self.warm_up_seconds}
        header = {**header, "network_calls": self.network_calls}
        places = [place for layout in self.sums for place in layout]
        return ClosedWindow(header, places, Arriving(numbers), slots, timing)


@dataclass(frozen=True)
class ClosedWindow:
    """A record whose numbers may still be under way; `record` waits for them."""

    header: dict[str, Any]
    places: list[Place]
    numbers: Arriving
    slots: int
    timing: dict[str, Any]

    def record(self) -> dict[str, Any]:
        """Means over the window, for metrics.jsonl."""
        loss, joules, meters, *rest = self.numbers.read()
        energy = {"energy_joules": joules} if meters else {}
        means, denominators = _divided(self.places, rest)
        return {
            **self.header,
            "loss": loss / self.slots,
            STEP_ACCURACY: means.pop(STEP_ACCURACY, []),
            "metrics": means,
            "denominators": denominators,
            "timing": {**self.timing, **energy},
        }


def _check(layout: Layout, others: Iterable[Layout]) -> None:
    shapes = {place.name: place.total for other in others for place in other}
    for place in layout:
        ends = zip(reversed(place.count), reversed(place.total), strict=False)
        if len(place.count) > len(place.total) or any(count not in (1, total) for count, total in ends):
            raise ValueError(f"metric {place.name}: a count {place.count} of a total {place.total}")
        if shapes.get(place.name, place.total) != place.total:
            raise ValueError(f"metric {place.name} is of shape {place.total} after {shapes[place.name]}")


def _divided(places: list[Place], numbers: list[float]) -> tuple[dict[str, Any], dict[str, Any]]:
    """By metric: the mean, and what it is a mean over with how many there were."""
    sums: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
    for place in places:
        total, count = place.take(numbers)
        before = sums.get(place.name)
        sums[place.name] = (total, count) if before is None else (before[0] + total, before[1] + count)
    per = {place.name: place.per for place in places}
    means = {name: _mean(*sums[name]) for name in sorted(sums)}
    return means, {name: {"per": per[name], "count": sums[name][1].tolist()} for name in means}


def _mean(total: NDArray[np.float64], count: NDArray[np.float64]) -> Any:
    """total / count for JSON: None where nothing was counted, or where it is not finite."""
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.asarray(total / count)
    held = mean.astype(object)
    held[~np.isfinite(mean)] = None
    return held.tolist()

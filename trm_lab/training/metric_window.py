"""The means of a record: metrics summed over the steps since the last one, and divided when the sums have arrived."""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trm.metrics import Metric
from trm.supervision import StepOutput
from trm_lab.cluster.arriving import Arriving
from trm_lab.cluster.energy import EnergyMeter
from trm_lab.cluster.ranks import Ranks
from trm_lab.training.packed_metrics import Layout, Pack, PackedMetrics

STEP_ACCURACY = "step_accuracy"  # has its own place in a record


class Window:
    """Sums over the steps since the last record; closed at every checkpoint, so never part of a training state.

    loss: Σ over the steps of the global batch's loss.
    warm_up_steps, warm_up_seconds: the first steps of a process, which say nothing of its speed.
    """

    def __init__(self) -> None:
        self.steps = self.network_calls = self.warm_up_steps = 0
        self.warm_up_seconds = 0.0
        self.started = time.monotonic()
        self.loss: Tensor | None = None
        self._sums: dict[Layout, Tensor] = {}  # on the device; packs of one layout are added up

    def warm_up(self) -> None:
        """All steps so far were of the warm-up, which is left out of `examples_per_second`."""
        self.warm_up_steps, self.warm_up_seconds = self.steps, time.monotonic() - self.started

    def add(self, output: StepOutput[Any]) -> None:
        """Take in a step, whose loss is the global batch's."""
        self.steps += 1
        self.network_calls = output.network_calls
        self.loss = output.loss if self.loss is None else self.loss + output.loss
        self.report(output.metrics)

    def report(self, metrics: Mapping[str, Metric]) -> None:
        """Take in metrics; every rank must report the same ones.

        Raises:
            ValueError: a count does not fit its total, or a metric is of another shape than before.
        """
        for pack in PackedMetrics.of(metrics).packs:
            before = self._sums.get(pack.layout)
            if before is not None:
                before += pack.vector
                continue
            _check(pack.layout, self.sums)
            self._sums[pack.layout] = pack.vector.clone()  # the next step overwrites a CUDA graph's result

    @property
    def sums(self) -> dict[str, Metric]:
        """Of each metric, on the device, in float64."""
        sums: dict[str, Metric] = {}
        for layout, vector in self._sums.items():
            for name, metric in Pack(layout, vector).metrics().items():
                sums[name] = sums[name] + metric if name in sums else metric
        return sums

    def close(self, ranks: Ranks, header: Mapping[str, Any], global_batch_size: int, meter: EnergyMeter) -> None:
        """Start the sums over all ranks, which `record` reads; every rank must call it, after at least one step."""
        assert self.loss is not None
        energy = self.loss.new_tensor([meter.spent(), meter.known])
        parts = [part.flatten() for _, metric in self._sorted() for part in (metric.total, metric.count)]
        self._numbers = Arriving(torch.cat((self.loss.reshape(1), ranks.sum_(torch.cat((energy, *parts))))))
        seconds = time.monotonic() - self.started
        timing: dict[str, Any] = {"seconds": seconds, "examples_per_second": None}
        if self.steps > self.warm_up_steps:
            timed_slots = (self.steps - self.warm_up_steps) * global_batch_size
            timing["examples_per_second"] = timed_slots / max(seconds - self.warm_up_seconds, 1e-9)
        if self.warm_up_steps:
            timing |= {"warm_up_steps": self.warm_up_steps, "warm_up_seconds": self.warm_up_seconds}
        self._header = {**header, "network_calls": self.network_calls}
        self._slots, self._timing = self.steps * global_batch_size, timing

    def record(self) -> dict[str, Any]:
        """Means over the closed window, for metrics.jsonl; waits for the device."""
        loss, joules, meters, *numbers = self._numbers.read()
        means, denominators, start = {}, {}, 0
        for name, metric in self._sorted():
            middle = start + metric.total.numel()
            end = middle + metric.count.numel()
            total = np.reshape(numbers[start:middle], metric.total.shape)
            count = np.reshape(numbers[middle:end], metric.count.shape)
            means[name], start = _mean(total, count), end
            denominators[name] = {"per": metric.per, "count": count.tolist()}
        return {
            **self._header,
            "loss": loss / self._slots,
            STEP_ACCURACY: means.pop(STEP_ACCURACY, []),
            "metrics": means,
            "denominators": denominators,
            "timing": {**self._timing, **({"energy_joules": joules} if meters else {})},
        }

    def _sorted(self) -> list[tuple[str, Metric]]:
        return sorted(self.sums.items())


def _check(layout: Layout, sums: Mapping[str, Metric]) -> None:
    for name, total, count, _ in layout:
        ends = zip(reversed(count), reversed(total), strict=False)
        if len(count) > len(total) or any(size not in (1, most) for size, most in ends):
            raise ValueError(f"metric {name}: a count {tuple(count)} of a total {tuple(total)}")
        if name in sums and (sums[name].total.shape, sums[name].count.shape) != (total, count):
            raise ValueError(f"metric {name} is of shape {tuple(total)} after {tuple(sums[name].total.shape)}")


def _mean(total: NDArray[np.float64], count: NDArray[np.float64]) -> Any:
    """total / count for JSON: None where nothing was counted, or where it is not finite."""
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.asarray(total / count)
    values = mean.astype(object)
    values[~np.isfinite(mean)] = None
    return values.tolist()

"""A step's metrics side by side in few vectors: adding up a step's metrics is one operation for each vector."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import torch
from torch import Tensor

from trm.metrics import Metric

Layout = tuple[tuple[str, torch.Size, torch.Size, str], ...]
"""What a vector holds, for each metric: its name, the shapes of its total and count, and what it is a mean over."""


@dataclass(frozen=True)
class Pack:
    """Totals and counts of some metrics one after the other, `[m]` float64."""

    layout: Layout
    vector: Tensor

    @classmethod
    def of(cls, metrics: Mapping[str, Metric]) -> Self:
        """A pack with a copy of the metrics' numbers."""
        layout = tuple((name, one.total.shape, one.count.shape, one.per) for name, one in metrics.items())
        parts = [part.detach().double().reshape(-1) for one in metrics.values() for part in (one.total, one.count)]
        return cls(layout, torch.cat(parts))

    def __add__(self, other: "Pack") -> "Pack":
        """The sum of two packs of the same layout."""
        assert self.layout == other.layout
        return Pack(self.layout, self.vector + other.vector)

    def metrics(self) -> dict[str, Metric]:
        """The metrics, as views of the vector."""
        sizes = [shape.numel() for _, *shapes, _ in self.layout for shape in shapes]
        parts = iter(self.vector.split(sizes))
        return {name: Metric(next(parts).view(t), next(parts).view(c), per) for name, t, c, per in self.layout}


class PackedMetrics(Mapping[str, Metric]):
    """Metrics by name, stored in packs, whose vectors `+` adds."""

    def __init__(self, *packs: Pack) -> None:
        self.packs = packs

    @cached_property
    def _metrics(self) -> dict[str, Metric]:
        """Views of the vectors; made when a metric is first read, which no training step does."""
        return {name: metric for pack in self.packs for name, metric in pack.metrics().items()}

    def __getitem__(self, name: str) -> Metric:
        return self._metrics[name]

    def __iter__(self) -> Iterator[str]:
        return (name for pack in self.packs for name, *_ in pack.layout)

    def __len__(self) -> int:
        return sum(len(pack.layout) for pack in self.packs)

    @classmethod
    def of(cls, metrics: Mapping[str, Metric]) -> "PackedMetrics":
        """The metrics in one pack; packed ones as they are."""
        if isinstance(metrics, PackedMetrics):
            return metrics
        return cls(Pack.of(metrics)) if metrics else cls()

    def __or__(self, other: Mapping[str, Metric]) -> "PackedMetrics":
        """The metrics of both; no name may be in both."""
        return PackedMetrics(*self.packs, *PackedMetrics.of(other).packs)

    def clone(self) -> "PackedMetrics":
        """A copy in memory of its own."""
        return PackedMetrics(*(Pack(pack.layout, pack.vector.clone()) for pack in self.packs))

    def __add__(self, other: "PackedMetrics") -> "PackedMetrics":
        """The metrics over the slots of both, which have the same names in the same packs."""
        return PackedMetrics(*(one + two for one, two in zip(self.packs, other.packs, strict=True)))

"""Metrics: each is a sum with its own denominator, named where the metric is computed.

Sums and counts are added up over the parts of a batch, over ranks and over the steps between two records; only the
record divides them. So a metric may have any shape, and nothing depends on its name.

    metrics["certainty"] = Metric(certainty.sum(), certainty.new_tensor(len(certainty)), "slot")
"""

from dataclasses import dataclass

import torch
from torch import Tensor

SLOT = "slot"
FINISHED = "finished example"
STANDING = "slot at that supervision step"
UPDATE = "update"


@dataclass(frozen=True)
class Metric:
    """A sum over this rank's share of a step, and its denominator.

    total: of any shape, detached.  count: of total's shape, or of one that broadcasts to it.
    per: what `count` counts, in words; metrics of one step that name the same have equal counts.
    """

    total: Tensor
    count: Tensor
    per: str

    def __add__(self, other: "Metric") -> "Metric":
        """The metric over both shares."""
        return Metric(self.total + other.total, self.count + other.count, self.per)


def per_slot(total: Tensor, slots: Tensor) -> Metric:
    """A mean over all slots; `slots` `[b, …]` is any tensor with one row for each."""
    return Metric(total, torch.full((), len(slots), device=total.device), SLOT)


def per_update(value: Tensor, counts: bool) -> Metric:
    """A mean over updates, of a value that is the same on every rank.

    counts: true on one rank alone, so that the value counts once.
    """
    here = torch.full((), counts, dtype=value.dtype, device=value.device)
    return Metric(value * here, here, UPDATE)

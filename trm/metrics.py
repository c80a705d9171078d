"""Metrics: sums, each with the count that it is a mean over, named where the metric is made.

Sums and counts add up over the parts of a batch, the ranks and the steps of a record; only the record divides them.
So a metric may have any shape, and no rule looks at its name.

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
    """A sum over this rank's share of a step, and how many of what it sums over.

    total: of any shape, detached.  count: of total's shape, or of one that broadcasts to it.
    per: what `count` counts, in words; metrics of one step that name the same have equal counts.
    """

    total: Tensor
    count: Tensor
    per: str

    def __add__(self, other: "Metric") -> "Metric":
        """The metric of both shares."""
        return Metric(self.total + other.total, self.count + other.count, self.per)

    def clone(self) -> "Metric":
        """The same in memory of its own."""
        return Metric(self.total.clone(), self.count.clone(), self.per)


def per_slot(total: Tensor, slots: Tensor) -> Metric:
    """A mean over all slots, of which `slots` `[b, …]` has one row each."""
    return Metric(total, torch.full((), len(slots), device=total.device), SLOT)


def per_update(value: Tensor, counts: bool) -> Metric:
    """A mean over updates of what every rank knows alike.

    counts: true on one rank alone, so that the value counts once.
    """
    here = torch.full((), counts, dtype=value.dtype, device=value.device)
    return Metric(value * here, here, UPDATE)

"""What tallies have counted, in a form in which the counts of several ranks can be added up."""

from collections.abc import Mapping, Sequence
from typing import Any

Counts = dict[Any, Any]


def merge(counts: Counts, others: Mapping[Any, Any]) -> None:
    """Add what others counted under the same names: numbers and arrays are summed, lists joined, dicts merged."""
    for name, other in others.items():
        own = counts.get(name)
        if isinstance(own, dict):
            merge(own, other)
        else:
            counts[name] = other if own is None else own + other


def in_order(parts: Sequence[tuple[int, Any]]) -> list[Any]:
    """The contents of parts, each with the place of its first row among all examples, sorted by that place."""
    return [part for _, part in sorted(parts, key=lambda part: part[0])]

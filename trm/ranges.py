"""The range of every number that a user can set: declared with the field or the flag, checked before anything starts.

hidden_size: int = ranged(512, 2, 65_536)        # a field of a configuration
add("--steps", type=integer(1, 4096))            # a flag of a command
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any

from trm.errors import UserError

MOST_STEPS = 4096  # supervision steps of one answer; published models take 6 and 16
LARGEST_SEED = 2**63 - 1
LARGEST_COUNT = 10**12  # updates, epochs and the like: far beyond any run, and exact in a float64


@dataclass(frozen=True)
class Range:
    """The numbers from `lowest` to `highest`.

    whole: only integers.
    above: without `lowest` itself.
    below: without `highest` itself.
    noun: what such a number is called, if not just a number.
    """

    lowest: float
    highest: float
    whole: bool
    above: bool = False
    below: bool = False
    noun: str = ""

    def __contains__(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int if self.whole else int | float):
            return False
        if isinstance(value, float) and not math.isfinite(value):
            return False
        from_low = value > self.lowest if self.above else value >= self.lowest
        return from_low and (value < self.highest if self.below else value <= self.highest)

    def __str__(self) -> str:
        noun = self.noun or ("a whole number" if self.whole else "a number")
        low, high = (f"{end:,}".removesuffix(".0") for end in (self.lowest, self.highest))
        from_low, to_high = " above" if self.above else ", at least", "below" if self.below else "at most"
        return f"{noun}{from_low} {low} and {to_high} {high}"


def ranged(
    default: float | None, lowest: float, highest: float, *, above: bool = False, below: bool = False, noun: str = ""
) -> Any:
    """A dataclass field with a range; its numbers are whole where both ends are.

    A range that begins or ends with a whole number and holds others says so by a float: `ranged(0.1, 0.0, 1.0)`.
    """
    whole = isinstance(lowest, int) and isinstance(highest, int)
    return field(default=default, metadata={"range": Range(lowest, highest, whole, above, below, noun)})


def ranges(configuration: Any) -> Iterator[tuple[str, Range]]:
    """Name and range of each field of a dataclass, or of an instance, that has one."""
    for key in fields(configuration):
        if "range" in key.metadata:
            yield key.name, key.metadata["range"]


def check_ranges(configuration: Any, prefix: str = "") -> None:
    """UserError unless every number of a dataclass instance lies in its range; None passes where it is the type's.

    prefix: of the keys in the message, such as `arch.`.
    """
    optional = {key.name for key in fields(configuration) if "None" in str(key.type)}
    for name, allowed in ranges(configuration):
        value = getattr(configuration, name)
        if value in allowed or (value is None and name in optional):
            continue
        null = ", or null for none" if name in optional else ""
        raise UserError(f"{prefix}{name}={value}", f"{allowed}{null}", f"correct {prefix}{name}")

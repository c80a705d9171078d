"""The metrics of training records, which may have any name and any shape. R training records."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.errors import shown
from trm_lab.runs.recorded_files import unreadable

Floats = NDArray[np.float64]
LARGEST = 64 << 20  # numbers of all metrics together: 512 MB


def read_metrics(recorded: Sequence[Any], source: str) -> dict[str, Floats]:
    """`[R, …]` by name, of the shape that the metric's last record has; NaN where a record has none of that shape.

    Raises:
        UserError: a record's metrics are no mapping, or they do not fit into memory.
    """
    if not all(isinstance(one, Mapping) for one in recorded):
        raise unreadable(f"a training record of {source} has metrics that are no mapping")
    last = {name: value for one in recorded for name, value in one.items() if value is not None}
    shapes = {name: shape for name, value in last.items() if (shape := _shape(value)) is not None}
    room = LARGEST
    for name, shape in shapes.items():
        room -= len(recorded) * int(np.prod(shape, dtype=np.int64))
        if room < 0:
            raise unreadable(
                f"the metric {shown(name, 60)} of {source} has too many numbers to read them all"
            )
    return {name: _column([one.get(name) for one in recorded], shapes[name]) for name in sorted(shapes)}


def _column(values: Sequence[Any], shape: tuple[int, ...]) -> Floats:
    column = np.full((len(values), *shape), np.nan)
    for row, value in enumerate(values):
        if value is not None and _shape(value) == shape:
            column[row] = _numbers(value)
    return column


def _shape(value: Any) -> tuple[int, ...] | None:
    """None where it is something else than numbers, or they are not in rows of one length."""
    numbers = _numbers(value)
    return None if numbers is None else numbers.shape


def _numbers(value: Any) -> Floats | None:
    try:
        held = np.array(value, dtype=object)
        if any(isinstance(one, bool) or not isinstance(one, int | float | None) for one in held.flat):
            return None
        return held.astype(np.float64)
    except (ValueError, OverflowError):
        return None

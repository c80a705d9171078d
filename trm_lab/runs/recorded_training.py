"""The training records of a run, whose metrics may have any name and any shape.

Legend: R training records, S supervision steps.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError, shown
from trm_lab.runs.recorded_files import MOST_STEPS, unreadable

Floats = NDArray[np.float64]
LARGEST = 64 << 20  # numbers of all metrics together: 512 MB


@dataclass(frozen=True)
class Training:
    """The training records of a run in the order of their steps.

    step: `[R]` optimizer updates made.
    loss: `[R]` mean loss of an example, averaged over the logging window.
    step_accuracy: `[R, S]` cell accuracy after each supervision step, NaN where no slot stood at that step.
    seconds: `[R]` wall clock of the window that the record closes.
    examples_per_second: `[R]` examples that took a supervision step, per second; NaN where all of it was warm-up.
    network_calls: `[R]` passes of the reasoning module in an update, of each slot.
    epoch: `[R]` times that the training data was gone through, NaN where not recorded.
    joules: `[R]` energy of the window, NaN where the device did not report it.
    warm_up_steps, warm_up_seconds: `[R]` of the window, updates that warmed a process up, and their time; None where
    that is not recorded.
    metrics: `[R, …]` every other metric by name, of the shape that its last record has; NaN where it is of another,
    is missing, or is a mean over nothing.
    """

    step: NDArray[np.int64]
    loss: Floats
    step_accuracy: Floats
    seconds: Floats
    examples_per_second: Floats
    network_calls: NDArray[np.int64]
    epoch: Floats
    joules: Floats
    metrics: dict[str, Floats] = field(default_factory=dict)
    warm_up_steps: NDArray[np.int64] | None = None
    warm_up_seconds: Floats | None = None


def read_training(records: Sequence[Mapping[str, Any]], source: str) -> Training:
    """The columns of training records; `source` names their file in errors.

    Raises:
        UserError: a record lacks a key, or holds something else than numbers.
    """
    try:
        widest = max((len(record["step_accuracy"]) for record in records), default=0)
        if widest > MOST_STEPS:
            raise unreadable(f"a training record of {source} has {widest:,} supervision steps")
        accuracy = np.full((len(records), widest), np.nan)
        for row, record in enumerate(records):
            shares = record["step_accuracy"]
            accuracy[row, : len(shares)] = [np.nan if share is None else share for share in shares]
        timings = [record["timing"] for record in records]
        return Training(
            step=np.array([record["step"] for record in records], np.int64),
            loss=np.array([record["loss"] for record in records], np.float64),
            step_accuracy=accuracy,
            seconds=np.array([timing["seconds"] for timing in timings], np.float64),
            examples_per_second=np.array([timing["examples_per_second"] for timing in timings], np.float64),
            network_calls=np.array([record["network_calls"] for record in records], np.int64),
            epoch=np.array([record.get("epoch", np.nan) for record in records], np.float64),
            joules=np.array([timing.get("energy_joules", np.nan) for timing in timings], np.float64),
            warm_up_steps=np.array([timing.get("warm_up_steps", 0) for timing in timings], np.int64),
            warm_up_seconds=np.array([timing.get("warm_up_seconds", 0.0) for timing in timings], np.float64),
            metrics=read_metrics([record.get("metrics", {}) for record in records], source),
        )
    except KeyError as missing:
        raise unreadable(f"a training record of {source} has no key {missing}") from None
    except UserError:
        raise
    except (TypeError, ValueError, AttributeError, OverflowError):
        raise unreadable(f"a training record of {source} holds something else than numbers") from None


def read_metrics(recorded: Sequence[Any], source: str) -> dict[str, Floats]:
    """`[R, …]` by name, of the shape that the metric's last record has; NaN where a record has none of that shape.

    Raises:
        UserError: a record's metrics are no mapping, or they do not fit into memory.
    """
    if not all(isinstance(metrics, Mapping) for metrics in recorded):
        raise unreadable(f"a training record of {source} has metrics that are no mapping")
    last = {name: value for metrics in recorded for name, value in metrics.items() if value is not None}
    shapes = {name: values.shape for name, value in last.items() if (values := _numbers(value)) is not None}
    room = LARGEST
    for name, shape in shapes.items():
        room -= len(recorded) * int(np.prod(shape, dtype=np.int64))
        if room < 0:
            raise unreadable(f"the metric {shown(name, 60)} of {source} has too many numbers to read them all")
    return {name: _column([one.get(name) for one in recorded], shapes[name]) for name in sorted(shapes)}


def _column(values: Sequence[Any], shape: tuple[int, ...]) -> Floats:
    column = np.full((len(values), *shape), np.nan)
    for row, value in enumerate(values):
        numbers = None if value is None else _numbers(value)
        if numbers is not None and numbers.shape == shape:
            column[row] = numbers
    return column


def _numbers(value: Any) -> Floats | None:
    """None where it is something else than numbers, or they are not in rows of one length."""
    try:
        values = np.array(value, dtype=object)
        if any(isinstance(one, bool) or not isinstance(one, int | float | None) for one in values.flat):
            return None
        return values.astype(np.float64)
    except (ValueError, OverflowError):
        return None

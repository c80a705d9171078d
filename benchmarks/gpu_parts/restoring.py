"""Part 4: how far two runs of one seed drift apart, and a restored run from the one that wrote the checkpoint."""

import math
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from benchmarks.configurations import Configuration, named
from benchmarks.contender import make_learner, timed
from benchmarks.gpu_parts.agreement import farthest, losses
from benchmarks.gpu_parts.part import Row, forget, verdict
from trm.errors import UserError
from trm_lab.cluster.ranks import Ranks
from trm_lab.runs import checkpoints
from trm_lab.runs.training_state import TrainingState, snapshot
from trm_lab.training.learner import Learner

SETTINGS: dict[str, dict[str, Any]] = {"as published": {}, "deterministic=True": {"deterministic": True}}
NAME = "dis-compact-nqueens-b1024-bfloat16-auto"
DIFFERENCE = "largest relative difference"
RUN = 32  # steps of each of two runs, which end in the middle of an example
ALLOWED = 0.02  # of a loss, relative, where the order of additions is left to the GPU; deterministic runs are equal
AHEAD = 6  # steps that the second run has made since when it is restored from the first run's checkpoint
AFTER = 10  # steps of both runs from there


def measure(device: torch.device, name: str = NAME) -> Iterator[Row]:
    """First with the published settings, then with `deterministic=True`."""
    (configuration,) = named(name, device.type, "bfloat16")
    for title, changes in SETTINGS.items():
        with forget():
            for table, row in rows(configuration, device, changes):
                yield {"table": table, "settings": title, **row, **judged(row, 0.0 if changes else ALLOWED)}


def rows(configuration: Configuration, device: torch.device, changes: Mapping[str, Any]) -> Iterator[tuple[str, Row]]:
    """Two runs with the same seed and settings; then the second is restored from the first one's checkpoint."""
    batch = configuration.random_batch().to(device)
    first, second = (make_learner(configuration, Ranks(device=device), **changes) for _ in range(2))
    both = [losses(learner, batch, RUN) for learner in (first, second)]
    yield "Two runs of one seed", {**differences(*both), **weight_differences(first, second)}
    losses(second, batch, AHEAD)
    try:
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / f"step_{RUN}"
            save(first, place)
            second.restore(RUN, checkpoints.load(place).parts())
    except UserError as error:
        yield "Restored from a checkpoint", {DIFFERENCE: math.nan, "problem": error.given}
        return
    both = [losses(learner, batch, AFTER) for learner in (first, second)]
    seconds = timed(lambda: first.step(batch), RUN, device)
    yield "Restored from a checkpoint", {**differences(*both), "ms a step": 1000 * seconds}


def save(learner: Learner, place: Path) -> None:
    """Write a checkpoint of a learner without a run; UserError for numbers that are not finite."""
    state = {"step": learner.steps_done, "data": {}, "records_bytes": 0, "config": {}}
    checkpoints.save(place, snapshot(TrainingState(**learner.tensors(), state=state)), keep=False)


def judged(row: Row, allowed: float) -> Row:
    """The allowed difference, and whether the losses of both runs are within it."""
    return {"allowed": allowed, "": verdict(row[DIFFERENCE], allowed)}


def weight_differences(first: Learner, second: Learner) -> Row:
    """The number of trained weights that differ, and the largest difference."""
    assert first.flat is not None
    assert second.flat is not None
    apart = (first.flat.vector.detach() - second.flat.vector.detach()).abs()
    return {"weights that differ": int(apart.count_nonzero()), "largest difference of a weight": float(apart.max())}


def differences(ours: list[float], others: list[float]) -> Row:
    """The number of losses that are equal to the last bit, and the largest relative difference."""
    equal = sum(a == b for a, b in zip(ours, others, strict=True))
    return {"losses": len(ours), "equal": equal, DIFFERENCE: farthest(ours, others)}

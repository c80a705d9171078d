"""Part 4: a run that is saved and restored goes on as it would have; how far two runs of one seed drift apart."""

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
AHEAD, AFTER = (
    6,
    10,
)  # steps that the second run is ahead when it goes back to the first one's checkpoint; and from there


def measure(device: torch.device, name: str = NAME) -> Iterator[Row]:
    """With the published settings; then with `deterministic=True`, which holds for the process from there on."""
    (configuration,) = named(name, device.type, "bfloat16")
    for told, changes in SETTINGS.items():
        with forget():
            for table, row in rows(configuration, device, changes):
                yield {"table": table, "settings": told, **row, **judged(row, 0.0 if changes else ALLOWED)}


def rows(configuration: Configuration, device: torch.device, changes: Mapping[str, Any]) -> Iterator[tuple[str, Row]]:
    """Two runs that were told the same; then the second goes on from the first one's checkpoint."""
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
    """A checkpoint of a learner that belongs to no run; UserError for numbers that are not finite."""
    state = {"step": learner.steps_done, "data": {}, "records_bytes": 0, "config": {}}
    checkpoints.save(place, snapshot(TrainingState(**learner.tensors(), state=state)), keep=False)


def judged(row: Row, allowed: float) -> Row:
    """Whether the losses of both runs are as near as they should be."""
    return {"allowed": allowed, "": verdict(row[DIFFERENCE], allowed)}


def weight_differences(first: Learner, second: Learner) -> Row:
    """How many of the trained weights differ, and by how much at most."""
    assert first.flat is not None
    assert second.flat is not None
    apart = (first.flat.vector.detach() - second.flat.vector.detach()).abs()
    return {"weights that differ": int(apart.count_nonzero()), "largest difference of a weight": float(apart.max())}


def differences(ours: list[float], others: list[float]) -> Row:
    """How many are equal to the last bit, and the largest relative difference."""
    equal = sum(a == b for a, b in zip(ours, others, strict=True))
    return {"losses": len(ours), "equal": equal, DIFFERENCE: farthest(ours, others)}

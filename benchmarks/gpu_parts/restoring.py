"""Part 4: a run that is saved and restored goes on as it would have; how far two runs of one seed drift apart."""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

from benchmarks.configurations import Configuration, named
from benchmarks.contender import make_learner, timed
from benchmarks.gpu_parts.agreement import farthest, losses
from benchmarks.gpu_parts.part import Row, forget
from trm.batch import Batch
from trm.errors import UserError
from trm_lab.cluster.ranks import Ranks
from trm_lab.configuration.train_config import TrainConfig
from trm_lab.runs import checkpoints
from trm_lab.runs.training_state import TrainingState, snapshot
from trm_lab.training.learner import Learner

NAME = "dis-compact-nqueens-b1024-bfloat16-auto"
BEFORE, AFTER = 8, 10  # steps before and after the checkpoint: it is made in the middle of an example
RUN = 30  # steps of each of the two runs


def measure(device: torch.device, name: str = NAME) -> Iterator[Row]:
    """With the published settings; then with `deterministic=True`, where the project has that key."""
    (configuration,) = named(name, device.type, "bfloat16")
    settings: list[dict[str, Any]] = [{}]
    if "deterministic" in {key.name for key in fields(TrainConfig)}:
        settings.append({"deterministic": True})
    for changes in settings:
        told = "deterministic=True" if changes else "as published"
        with forget():
            yield {"table": "Restored from a checkpoint", "settings": told, **restored(configuration, device, changes)}
        with forget():
            yield {"table": "Two runs of one seed", "settings": told, **two_runs(configuration, device, changes)}


def restored(configuration: Configuration, device: torch.device, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The losses after a checkpoint, of the run that made it and of one that began with it."""
    batch = configuration.random_batch().to(device)
    first = make_learner(configuration, Ranks(device=device), **changes)
    losses(first, batch, BEFORE)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / f"step_{BEFORE}"
        try:
            save(first, place)
        except UserError as error:
            return {"losses": AFTER, "equal": 0, "largest relative difference": f"differs: {error.given}"}
        ours = losses(first, batch, AFTER)
        again = make_learner(configuration, Ranks(device=device), **changes)
        again.restore(BEFORE, checkpoints.load(place).parts())
    return differences(losses(again, batch, AFTER), ours)


def save(learner: Learner, place: Path) -> None:
    """A checkpoint of a learner that belongs to no run; UserError for numbers that are not finite."""
    state = {"step": learner.steps_done, "data": {}, "records_bytes": 0, "config": {}}
    checkpoints.save(place, snapshot(TrainingState(**learner.tensors(), state=state)), keep=False)


def two_runs(configuration: Configuration, device: torch.device, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Losses and weights of two runs that were told the same; and what a step takes."""
    batch = configuration.random_batch().to(device)
    (ours, weights, seconds), (others, other_weights, _) = (run(configuration, device, changes, batch) for _ in "ab")
    return {
        **differences(ours, others),
        "weights that differ": int((weights != other_weights).sum()),
        "largest difference of a weight": float((weights - other_weights).abs().max()),
        "ms a step": 1000 * seconds,
    }


def run(
    configuration: Configuration, device: torch.device, changes: Mapping[str, Any], batch: Batch
) -> tuple[list[float], torch.Tensor, float]:
    """The losses and the weights after `RUN` steps, and seconds of one of as many more."""
    learner = make_learner(configuration, Ranks(device=device), **changes)
    seen = losses(learner, batch, RUN)
    assert learner.flat is not None
    weights = learner.flat.vector.detach().clone()
    return seen, weights, timed(lambda: learner.step(batch), RUN, device)


def differences(ours: list[float], others: list[float]) -> dict[str, Any]:
    """How many are equal to the last bit, and the largest relative difference."""
    equal = sum(a == b for a, b in zip(ours, others, strict=True))
    return {"losses": len(ours), "equal": equal, "largest relative difference": farthest(ours, others)}

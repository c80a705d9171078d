"""Test-time training: fit a task's puzzle embeddings on its demonstrations, or, with them, all weights.

How all weights learn is in `trm_lab.inference.weight_training`. Otherwise they stay as they are. As in training, each
puzzle has a row of its own, which then learns from that puzzle's demonstrations alone: turned and recoloured, a task
has another rule. Each row takes the same number of sign-SGD updates, each from one supervision step of all of its
demonstrations; rows do not meet, so how many are fitted side by side changes nothing. Demonstrations lie on the canvas
as in training, at another place at each visit. Test pairs are not touched.

K puzzles of a task, D its demonstrations, E embedding width.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trm.batch import IGNORE_LABEL
from trm.errors import UserError
from trm.model import TinyRecursiveModel
from trm.puzzle_embedding import SignSGD
from trm.randomness import SeededStepRandom
from trm.supervision import Supervision
from trm_lab.cluster.ranks import Ranks
from trm_lab.commands.choices import ADAPTED_WEIGHTS
from trm_lab.commands.progress import track
from trm_lab.inference.answering import predict
from trm_lab.inference.task_puzzles import TaskExamples, TaskPuzzles, lent_rows
from trm_lab.inference.weight_training import WeightSettings, WeightTraining
from trm_lab.puzzles.arc.compact_set import CORNER, FRESH


@dataclass(frozen=True)
class AdaptationSettings:
    """How to fit.

    steps: updates of each row, one for each supervision step.
    lr, weight_decay: of sign-SGD, constant; the defaults are the published training's.
    batch_size: demonstrations at a time; a puzzle's stay together.
    """

    steps: int
    lr: float = 1e-2
    weight_decay: float = 0.1
    seed: int = 0
    batch_size: int = 32

    def __post_init__(self) -> None:
        if self.steps < 1 or self.lr < 0 or self.weight_decay < 0 or self.batch_size < 1:
            raise UserError(
                f"adapting in {self.steps} steps, lr {self.lr}, weight decay {self.weight_decay}, "
                f"batch size {self.batch_size}",
                "steps and batch size of at least 1, an lr and a weight decay of at least 0",
                "try --adapt 100, which takes lr and decay from the checkpoint's configuration",
            )

    @classmethod
    def of_run(cls, config: Mapping[str, Any], steps: int, **changes: Any) -> "AdaptationSettings":
        """With the learning rate and decay of a run's puzzle embeddings, where its configuration has them.

        changes: other settings; None stands for the run's.
        """
        own = {"lr": config.get("puzzle_emb_lr"), "weight_decay": config.get("puzzle_emb_weight_decay")}
        changed = {name: value for name, value in changes.items() if value is not None}
        return cls(steps, **({name: value for name, value in own.items() if value is not None} | changed))


def settings_of_run(
    config: Mapping[str, Any], steps: int, weights: str = "embedding", **changes: Any
) -> AdaptationSettings | WeightSettings:
    """How to adapt a run's checkpoint, with its rates and optimizers.

    weights: one of `ADAPTED_WEIGHTS`.
    changes: other settings of `AdaptationSettings` or `WeightSettings`; None stands for the run's.

    Raises:
        UserError: settings out of range, or no such weights.
    """
    if weights not in ADAPTED_WEIGHTS:
        raise UserError(f"adapting the weights {weights!r}", " | ".join(ADAPTED_WEIGHTS), "choose one of these")
    settings = WeightSettings if weights == "all" else AdaptationSettings
    return settings.of_run(config, steps, **changes)


@dataclass(frozen=True)
class Fit:
    """How well a task's demonstrations are answered, over all of its puzzles.

    loss: mean token loss after the last supervision step.
    cells, whole: cell accuracy and exact match.
    """

    loss: float
    cells: float
    whole: float


@dataclass(frozen=True)
class Adapted:
    """The task with rows of its own, and how well they fit its demonstrations.

    start: the embedding that they began with.
    supervision: the model to answer with: the one that was adapted, or a copy of it whose weights learned as well.
    """

    puzzles: TaskPuzzles
    settings: AdaptationSettings | WeightSettings
    start: str
    before: Fit
    after: Fit
    supervision: Supervision[Any]


def adapt(
    supervision: Supervision[Any], puzzles: TaskPuzzles, settings: AdaptationSettings | WeightSettings, *, canvas: int
) -> Adapted:
    """Fit the rows of a task on its demonstrations, starting from those that it has; with `WeightSettings` all weights.

    The model that is given stays as it is.

    Raises:
        UserError: no demonstrations, an architecture without a puzzle embedding whose weights are not to learn, or a
            loss that is not finite.
    """
    if not puzzles.task.train:
        raise UserError(
            f"task {puzzles.task.name!r} has no demonstrations to adapt to",
            'at least one pair in its "train"',
            "leave --adapt out, or give the task's demonstrations",
        )
    if isinstance(settings, WeightSettings):
        return _adapt_all_weights(supervision, puzzles, settings, canvas)
    if puzzles.rows is None:
        raise UserError(
            "adapting an architecture without a puzzle embedding (arch.puzzle_emb_ndim=0)",
            "a checkpoint with a puzzle embedding, or --adapt-weights all",
            "add --adapt-weights all, or leave --adapt out",
        )
    before = fit(supervision, puzzles, settings.batch_size, canvas)
    with only_rows_learn(supervision.model):
        rows = _fitted_rows(supervision, puzzles, settings, canvas)
    if not rows.isfinite().all():
        raise UserError(
            f"adapting to task {puzzles.task.name!r}: the embedding is not finite any more",
            "a checkpoint whose weights are finite, and an lr that it stands",
            "lower --adapt-lr",
        )
    fitted = replace(puzzles, rows=rows, embedding="fitted")
    after = fit(supervision, fitted, settings.batch_size, canvas)
    return Adapted(fitted, settings, puzzles.embedding, before, after, supervision)


def _adapt_all_weights(
    supervision: Supervision[Any], puzzles: TaskPuzzles, settings: WeightSettings, canvas: int
) -> Adapted:
    before = fit(supervision, puzzles, settings.batch_size, canvas)
    training = WeightTraining(supervision, [puzzles], settings, canvas)
    for _ in track(range(settings.steps), "training all weights"):
        training.step()
    (fitted,) = training.finish()
    after = fit(training.supervision, fitted, settings.batch_size, canvas)
    used = replace(settings, batch_size=training.batch_size)
    return Adapted(fitted, used, puzzles.embedding, before, after, training.supervision)


def fit(supervision: Supervision[Any], puzzles: TaskPuzzles, batch_size: int, canvas: int) -> Fit:
    """How well the demonstrations of all of a task's puzzles are answered as things stand."""
    demonstrations = TaskExamples([puzzles], [puzzles.task.train], canvas, CORNER)
    predictions = predict(supervision, demonstrations, batch_size)
    scored = predictions.labels != IGNORE_LABEL
    right = (predictions.last == predictions.labels) & scored
    cells, whole = right.sum(1) / scored.sum(1), (right == scored).all(1)
    return Fit(*(float(values.mean()) for values in (predictions.loss, cells, whole)))


@contextmanager
def only_rows_learn(model: TinyRecursiveModel) -> Iterator[None]:
    """`with only_rows_learn(model):` it is in training mode and no weight of it takes gradients."""
    training, trainable = model.training, [p for p in model.parameters() if p.requires_grad]
    model.train().requires_grad_(False)
    try:
        yield
    finally:
        model.train(training)
        for parameter in trainable:
            parameter.requires_grad_(True)


def _fitted_rows(
    supervision: Supervision[Any], puzzles: TaskPuzzles, settings: AdaptationSettings, canvas: int
) -> Tensor:
    """Rows `[K, E]` after the last update, fitted some puzzles at a time."""
    model, device = supervision.model, supervision.model.device
    demonstrations = TaskExamples([puzzles], [puzzles.task.train], canvas, FRESH)
    of_each, count = len(puzzles.task.train), len(demonstrations)
    together = of_each * max(1, settings.batch_size // of_each)  # slots
    parts = [np.arange(first, min(first + together, count)) for first in range(0, count, together)]
    fitted: list[Tensor] = []
    updates = [(part, step) for part in parts for step in range(settings.steps)]
    for part, step in track(updates, "fitting the puzzle embedding"):
        draws = SeededStepRandom(settings.seed, step, len(part), first=int(part[0]), global_slots=count)
        shifts = draws.uniform("places of demonstrations", 2).double().numpy()
        row_of = torch.arange(len(part), dtype=torch.int32) // of_each  # [B]
        extras = getattr(supervision, "batch_extras", ())
        batch = replace(demonstrations.batch(part, shifts, extras), puzzle_identifiers=row_of).to(device)
        if step == 0:
            rows = demonstrations.rows(part[::of_each])
            assert rows is not None
            fitted.append(rows.to(device, torch.float32))
            carry = supervision.initial_carry(batch)
        with lent_rows(model, fitted[-1]) as embedding:
            assert embedding is not None
            output = supervision.step(carry, batch, draws)
            output.loss.backward()
            SignSGD(embedding, settings.weight_decay, Ranks()).step(settings.lr)
        carry = output.carry
    return torch.cat(fitted)

"""Fitting a task's puzzle embeddings on its demonstrations, while nothing else of the model changes.

As in training, each puzzle has a row of its own, which learns from that puzzle's demonstrations alone: turned and
recoloured, a task has another rule. Each row takes the same number of sign-SGD updates, each from one supervision
step of all of its demonstrations; rows do not meet, so how many are fitted side by side changes nothing. Demonstrations
lie on the canvas as in training, at another place at each visit. Test pairs are not touched.

K puzzles of a task, D its demonstrations, E embedding width.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trm.batch import IGNORE_LABEL, Batch
from trm.errors import UserError
from trm.model import TinyRecursiveModel
from trm.puzzle_embedding import SignSGD
from trm.randomness import SeededStepRandom
from trm.supervision import Supervision
from trm_lab.cluster.ranks import Ranks
from trm_lab.commands.progress import track
from trm_lab.inference.answering import roll
from trm_lab.inference.task_puzzles import Examples, TaskPuzzles, lent_rows
from trm_lab.puzzles.arc.compact_set import CORNER

FRESH = "fresh"  # translations, see ArcAugmented


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


@dataclass(frozen=True)
class Fit:
    """How well a task's demonstrations are answered, over all of its puzzles.

    loss: mean token loss after the last supervision step.
    cells, whole: shares of cells, and of outputs, that are right.
    """

    loss: float
    cells: float
    whole: float


@dataclass(frozen=True)
class Adapted:
    """The task with rows of its own, and how well they fit its demonstrations.

    start: the embedding that they began with.
    """

    puzzles: TaskPuzzles
    start: str
    before: Fit
    after: Fit


def adapt(
    supervision: Supervision[Any], puzzles: TaskPuzzles, settings: AdaptationSettings, *, canvas: int
) -> Adapted:
    """Fit the rows of a task on its demonstrations, starting from those that it has; the model stays as it is.

    Raises:
        UserError: no demonstrations, an architecture without a puzzle embedding, or a loss that is not finite.
    """
    _check(puzzles)
    before = fit(supervision, puzzles, settings.batch_size, canvas)
    rows = puzzles.all_rows
    assert rows is not None
    device = supervision.model.H_init.device
    start = replace(puzzles, rows=rows.to(device, torch.float32), embedding="fitted")
    with only_rows_learn(supervision.model):
        fitted = replace(start, rows=_fitted(supervision, start, settings, canvas))
    return Adapted(fitted, puzzles.embedding, before, fit(supervision, fitted, settings.batch_size, canvas))


def fit(supervision: Supervision[Any], puzzles: TaskPuzzles, batch_size: int, canvas: int) -> Fit:
    """How well the demonstrations of all of a task's puzzles are answered as things stand."""
    demonstrations = Examples([puzzles], [puzzles.task.train], canvas, CORNER)
    losses, cells, whole = [], [], []
    for rolled in roll(supervision, demonstrations, batch_size):
        scored = rolled.labels != IGNORE_LABEL
        right = (rolled.predictions[:, -1] == rolled.labels) & scored
        losses.append(rolled.loss)
        cells.append(right.sum(1) / scored.sum(1))
        whole.append((right == scored).all(1))
    return Fit(*(float(np.concatenate(values).mean()) for values in (losses, cells, whole)))


def _check(puzzles: TaskPuzzles) -> None:
    if not puzzles.task.train:
        raise UserError(
            f"task {puzzles.task.name!r} has no demonstrations to adapt to",
            'at least one pair in its "train"',
            "leave --adapt out, or give the task's demonstrations",
        )
    if puzzles.rows is None:
        raise UserError(
            "adapting an architecture without a puzzle embedding (arch.puzzle_emb_ndim=0)",
            "a checkpoint with a puzzle embedding, which is all that adaptation fits",
            "leave --adapt out",
        )


@contextmanager
def only_rows_learn(model: TinyRecursiveModel) -> Iterator[None]:
    """`with only_rows_learn(model):` it is in training mode and no weight of it takes gradients."""
    training, taking = model.training, [p for p in model.parameters() if p.requires_grad]
    model.train().requires_grad_(False)
    try:
        yield
    finally:
        model.train(training)
        for parameter in taking:
            parameter.requires_grad_(True)


def _fitted(
    supervision: Supervision[Any], puzzles: TaskPuzzles, settings: AdaptationSettings, canvas: int
) -> Tensor:
    """Rows `[K, E]` after the last update, fitted some puzzles at a time."""
    demonstrations = Examples([puzzles], [puzzles.task.train], canvas, FRESH)
    of_each = len(puzzles.task.train)
    together = of_each * max(1, settings.batch_size // of_each)  # slots
    groups = [
        _Group(
            supervision, demonstrations, np.arange(first, min(first + together, len(demonstrations))), of_each
        )
        for first in range(0, len(demonstrations), together)
    ]
    updates = [(group, step) for group in groups for step in range(settings.steps)]
    for group, step in track(updates, "fitting the puzzle embedding"):
        group.update(step, settings)
    rows = torch.cat([group.rows for group in groups])
    if not rows.isfinite().all():
        raise UserError(
            f"adapting to task {puzzles.task.name!r}: the embedding is not finite any more",
            "a checkpoint whose weights are finite, and an lr that it stands",
            "lower --adapt-lr",
        )
    return rows


class _Group:
    """Puzzles whose rows are fitted side by side: their slots, and their rows so far.

    mine: `[B]` the demonstrations of these puzzles.  of_each: demonstrations of a puzzle.
    """

    def __init__(
        self, supervision: Supervision[Any], demonstrations: Examples, mine: NDArray[np.int64], of_each: int
    ) -> None:
        self._supervision, self._demonstrations, self._mine = supervision, demonstrations, mine
        self._row_of = torch.arange(len(mine), dtype=torch.int32) // of_each  # [B]
        rows = demonstrations.rows(mine[::of_each])
        assert rows is not None
        self.rows = rows
        self._carry: Any = None  # of slots that are under way

    def update(self, step: int, settings: AdaptationSettings) -> None:
        """One supervision step of all slots, and one update of every row from it."""
        supervision = self._supervision
        draws = SeededStepRandom(
            settings.seed, step, len(self._demonstrations), int(self._mine[0]), len(self._mine)
        )
        batch = self._batch(draws).to(self.rows.device)
        carry = supervision.initial_carry(batch) if self._carry is None else self._carry
        with lent_rows(supervision.model, self.rows) as embedding:
            assert embedding is not None
            output = supervision.step(carry, batch, draws)
            output.loss.backward()
            SignSGD(embedding, settings.weight_decay, Ranks()).step(settings.lr)
        self._carry = output.carry if step + 1 < settings.steps else None

    def _batch(self, draws: SeededStepRandom) -> Batch:
        shifts = draws.uniform("places of demonstrations", 2).double().numpy()
        return replace(self._demonstrations.batch(self._mine, shifts), puzzle_identifiers=self._row_of)

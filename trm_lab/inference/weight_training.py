"""Test-time training of all weights: they and the tasks' puzzle embeddings learn together from the demonstrations.

As in training: a batch of slots, each example some supervision steps in its slot, the run's optimizer for the weights
and sign-SGD for the rows; demonstrations of all tasks and of their augmentations, drawn as a training draws them. In a
first share of the updates only the rows learn. The model that was handed over stays as it is: a copy of it learns.

McGovern, arXiv 2511.02886, section 2: all weights after a first quarter with the embeddings alone; everything else as
in the model's training, but only the demonstrations of the tasks at hand; 12,500 updates of 384 examples with a
learning rate of 2e-4 for the weights and of 2e-2 for the rows. Its warm-up of 2,000 updates ends before the weights
begin to learn; so here rates are constant. The average's rate grows as min(rate, (1 + t) / (10 + t)) over the updates
t of the weights, which is ours: with 0.999 from the start a few hundred updates would hardly show in it.

K puzzles of all tasks, E embedding width, B slots.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import torch

from trm.batch import Batch
from trm.errors import UserError
from trm.optim import EMA, make_optimizer
from trm.puzzle_embedding import PuzzleEmbedding, SignSGD
from trm.randomness import SeededStepRandom
from trm.supervision import Carry, Supervision
from trm_lab.cluster.ranks import Ranks
from trm_lab.commands.choices import FREEZE
from trm_lab.configuration.train_config import TrainConfig
from trm_lab.inference.task_puzzles import TaskExamples, TaskPuzzles
from trm_lab.puzzles.arc.compact_set import FRESH
from trm_lab.puzzles.sampling import GroupSampler

FROM_RUN = ("optimizer", "lr", "weight_decay", "beta1", "beta2", "puzzle_emb_lr", "puzzle_emb_weight_decay")


@dataclass(frozen=True)
class WeightSettings:
    """How to train all weights; see `TrainConfig` for those that a run has as well.

    steps: updates, each from one supervision step of a batch.
    freeze: share of them in which only the rows learn.
    ema_rate: of the moving average of the weights, which then answers; None: none.
    """

    steps: int
    freeze: float = FREEZE
    optimizer: str = TrainConfig.optimizer
    lr: float = TrainConfig.lr
    weight_decay: float = TrainConfig.weight_decay
    beta1: float = TrainConfig.beta1
    beta2: float = TrainConfig.beta2
    puzzle_emb_lr: float = TrainConfig.puzzle_emb_lr
    puzzle_emb_weight_decay: float = TrainConfig.puzzle_emb_weight_decay
    ema_rate: float | None = None
    seed: int = 0
    batch_size: int = 32

    def __post_init__(self) -> None:
        if self.steps < 1 or not 0 <= self.freeze <= 1 or self.lr < 0 or self.batch_size < 1:
            raise UserError(
                f"adapting all weights in {self.steps} steps, the share {self.freeze} of them frozen, lr {self.lr}, "
                f"batch size {self.batch_size}",
                "steps and batch size of at least 1, a share from 0 to 1, an lr of at least 0",
                "try --adapt 1000 --adapt-weights all, which takes the others from the checkpoint's configuration",
            )

    @classmethod
    def of_run(cls, config: Mapping[str, Any], steps: int, **changes: Any) -> "WeightSettings":
        """With the optimizers, rates and moving average of a run, where its configuration has them.

        changes: other settings; None stands for the run's.
        """
        own = {name: config[name] for name in FROM_RUN if config.get(name) is not None}
        if config.get("ema") is True:
            own["ema_rate"] = config.get("ema_rate", TrainConfig.ema_rate)
        return cls(steps, **(own | {name: value for name, value in changes.items() if value is not None}))

    @property
    def frozen_steps(self) -> int:
        """Updates in which only the rows learn."""
        return round(self.freeze * self.steps)


class WeightTraining:
    """A copy of a model, learning from the demonstrations of tasks; `step` is one update.

    Args:
        supervision: with its model on the device that is to train.
        puzzles: the tasks; those without demonstrations keep their rows.
        canvas: side of the checkpoint's canvas.

    Raises:
        UserError: no task has demonstrations, or there is no such optimizer.
    """

    def __init__(
        self, supervision: Supervision[Any], puzzles: Sequence[TaskPuzzles], settings: WeightSettings, canvas: int
    ) -> None:
        with_demonstrations = [of_task for of_task in puzzles if of_task.task.train]
        if not with_demonstrations:
            raise UserError(
                "no demonstrations to adapt to",
                'at least one pair in the "train" of a task',
                "leave --adapt out, or give the tasks' demonstrations",
            )
        self._examples = TaskExamples(
            with_demonstrations, [of_task.task.train for of_task in with_demonstrations], canvas, FRESH
        )
        self.batch_size = min(settings.batch_size, len(self._examples))
        updates = settings.steps * self.batch_size  # an epoch has one example at least
        self._sampler = GroupSampler(self._examples.set, self.batch_size, settings.seed, updates, "demonstrations")
        self._puzzles, self.settings = puzzles, settings
        self.supervision = deepcopy(supervision)
        model = self.supervision.model.train()
        self._device = model.device
        self._weights = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self._optimizer = self._make_optimizer()
        self._averages = [EMA(weight, 0) for weight in self._weights] if settings.ema_rate is not None else []
        rows = self._examples.rows_of_puzzles
        self._table = None if rows is None else rows.to(self._device, torch.float32, copy=True)  # [K, E]
        self._finite = torch.ones((), dtype=torch.bool, device=self._device)
        self._carry: Carry | None = None
        self._batch: Batch | None = None
        self.steps_done = 0

    @property
    def tasks(self) -> int:
        """Tasks with demonstrations."""
        return sum(bool(of_task.task.train) for of_task in self._puzzles)

    def step(self) -> None:
        """One update; nothing in it waits for the device."""
        settings, self.steps_done = self.settings, self.steps_done + 1
        frozen = self.steps_done <= settings.frozen_steps
        batch = self._next_batch()
        carry = self._carry if self._carry is not None else self.supervision.initial_carry(batch)
        draws = SeededStepRandom(settings.seed, self.steps_done, len(batch))
        with self._learning(weights=not frozen) as embedding:
            output = self.supervision.step(carry, batch, draws)
            if output.loss.requires_grad:  # else nothing learns: frozen weights, and no puzzle embedding
                (output.loss / len(batch)).backward()
            if embedding is not None:
                SignSGD(embedding, settings.puzzle_emb_weight_decay, Ranks()).step(settings.puzzle_emb_lr)
        if not frozen:
            self._optimizer.step()
            self._optimizer.zero_grad()
            self._average()
        self._finite &= output.loss.detach().isfinite()
        self._carry = output.carry

    def check(self) -> None:
        """Check that all losses so far were finite; waits for the device.

        Raises:
            UserError: a loss so far was not finite.
        """
        if not bool(self._finite):
            raise UserError(
                f"adapting all weights: a loss of the first {self.steps_done} updates is not finite",
                "a checkpoint whose weights are finite, and a learning rate that it stands",
                "lower --adapt-lr",
            )

    def finish(self) -> list[TaskPuzzles]:
        """End the training: `supervision` holds the adapted weights, the averaged ones where there are any.

        Returns: the tasks, with the rows that they have now.

        Raises:
            UserError: see `check`; or a weight or a row is not finite.
        """
        for weight in [*self._weights, *([] if self._table is None else [self._table])]:
            self._finite &= weight.detach().isfinite().all()
        self.check()
        for weight, average in zip(self._weights, self._averages, strict=False):
            average.swap(weight)
        self.supervision.model.eval()
        if self._table is None:
            return list(self._puzzles)
        sizes = [len(of_task) if of_task.task.train else 0 for of_task in self._puzzles]
        return [
            replace(of_task, rows=rows, embedding="fitted") if len(rows) else of_task
            for of_task, rows in zip(self._puzzles, self._table.split(sizes), strict=True)
        ]

    def _next_batch(self) -> Batch:
        """Examples for the slots that have finished; where all slots finish together, the batch stays until then."""
        supervision = self.supervision
        if self._batch is None or not supervision.fixed_steps or (self.steps_done - 1) % supervision.max_steps == 0:
            draw = self._sampler.next_batch()
            assert draw is not None  # the iteration is as long as the training
            identifiers = torch.from_numpy(draw.puzzles).int()
            extras = getattr(supervision, "batch_extras", ())
            batch = self._examples.batch(draw.examples, draw.shifts, extras)
            batch = replace(batch, puzzle_identifiers=identifiers)
            self._batch = batch.to(self._device)
        return self._batch

    @contextmanager
    def _learning(self, weights: bool) -> Iterator[PuzzleEmbedding | None]:
        """Within this context the rows take gradients, and the weights only if `weights`.

        Yields: the rows as a puzzle embedding, in the place of the model's own; None for a model without one.
        """
        model = self.supervision.model
        own, width = model.puzzle_emb, 0 if self._table is None else self._table.shape[1]
        for weight in self._weights:
            weight.requires_grad_(weights)
        if own is not None and self._table is not None:
            model.puzzle_emb = PuzzleEmbedding(0, width, own.dtype)
            model.puzzle_emb.weights = self._table
        try:
            yield None if self._table is None else model.puzzle_emb
        finally:
            model.puzzle_emb = own

    def _make_optimizer(self) -> torch.optim.Optimizer:
        settings = self.settings
        betas = (settings.beta1, settings.beta2)
        optimizer = make_optimizer(settings.optimizer, self._weights, betas, settings.weight_decay, self._device)
        for group in optimizer.param_groups:
            group["lr"] = settings.lr
        return optimizer

    def _average(self) -> None:
        updates = self.steps_done - self.settings.frozen_steps
        for weight, average in zip(self._weights, self._averages, strict=False):
            average.rate = min(self.settings.ema_rate or 0.0, (1 + updates) / (10 + updates))
            average.update(weight)

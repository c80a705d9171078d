"""The straightforward training step, against which ours is measured; it computes the same numbers.

What one writes first, and what the published loops do: one reduction for each gradient; the optimizer one parameter
after another; sign-SGD over the distinct rows (`unique`, for which a GPU's host must wait); loss and metrics read at
every step; and, where compiling is asked for, `torch.compile` around network and loss only, without CUDA graphs. The
network is the same as ours.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.optim import AdamW, Optimizer

from trm.batch import Batch
from trm.optim import AdamAtan2, learning_rate
from trm.puzzle_embedding import PuzzleEmbedding
from trm.randomness import SeededStepRandom
from trm.supervision import Carry, Supervision
from trm_lab.cluster.ranks import Ranks
from trm_lab.configuration.train_config import TrainConfig


class ReferenceStep:
    """As `trm_lab.training.learner.Learner`, of which it has `step` only.

    Args:
        compiled: whether `torch.compile` goes around the supervision's forward pass.
    """

    def __init__(
        self, config: TrainConfig, supervision: Supervision[Any], ranks: Ranks, total_steps: int, compiled: bool = False
    ) -> None:
        self.config, self.supervision, self.ranks, self.total_steps = config, supervision, ranks, total_steps
        self.model = supervision.model.train()
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = plain_optimizer(config, self.parameters)
        self.averages = [p.detach().clone() for p in self.parameters] if config.ema else []
        self.carry: Carry | None = None
        self.steps_done = 0
        if compiled:
            supervision.run_forward = torch.compile(supervision.forward, dynamic=False)

    def step(self, batch: Batch) -> Mapping[str, float | list[float]]:
        """One supervision step and its update: the loss per example, and the metrics' sums."""
        number, size = self.steps_done + 1, self.config.global_batch_size
        carry = self.carry if self.carry is not None else self.supervision.initial_carry(batch)
        first, slots = self.ranks.local_slots(size)
        draws = SeededStepRandom(self.config.seed, number, slots, first=first, global_slots=size)
        output = self.supervision.step(carry, batch, draws)
        (output.loss / size).backward()
        for parameter in self.parameters:
            if parameter.grad is not None:
                self.ranks.sum_(parameter.grad)
        if self.model.puzzle_emb is not None:
            self._step_puzzles(self.model.puzzle_emb, self._lr(self.config.puzzle_emb_lr, number))
        for group in self.optimizer.param_groups:
            group["lr"] = self._lr(self.config.lr, number)
        self.optimizer.step()
        self.optimizer.zero_grad()
        for average, parameter in zip(self.averages, self.parameters, strict=bool(self.averages)):
            average.lerp_(parameter.detach(), 1 - self.config.ema_rate)
        self.carry, self.steps_done = output.carry, number
        read = {name: one.total.tolist() for name, one in output.metrics.items()}
        return {**read, "loss": output.loss.item() / size}

    def _lr(self, base: float, number: int) -> float:
        config = self.config
        return learning_rate(base, number, config.lr_warmup_steps, self.total_steps, config.lr_min_ratio)

    @torch.no_grad()
    def _step_puzzles(self, table: PuzzleEmbedding, lr: float) -> None:
        """Sign-SGD over the distinct identifiers of the step."""
        (lookup,) = table.lookups
        assert lookup.rows.grad is not None
        gradients = self.ranks.gather_rows(lookup.rows.grad.to(table.weights.dtype))  # [B, E]
        identifiers, place = self.ranks.gather_rows(lookup.identifiers).unique(return_inverse=True)
        summed = gradients.new_zeros(len(identifiers), gradients.shape[1]).index_add_(0, place, gradients)
        rows = table.weights[identifiers]
        decayed = rows * (1 - lr * self.config.puzzle_emb_weight_decay)
        table.weights[identifiers] = decayed - lr * summed.sign()
        table.lookups.clear()


def plain_optimizer(config: TrainConfig, parameters: list[nn.Parameter]) -> Optimizer:
    """One parameter after another, operation by operation."""
    betas = (config.beta1, config.beta2)
    if config.optimizer == "adamw":
        return AdamW(parameters, lr=0.0, betas=betas, weight_decay=config.weight_decay, foreach=False)
    return AdamAtan2(parameters, lr=0.0, betas=betas, weight_decay=config.weight_decay)

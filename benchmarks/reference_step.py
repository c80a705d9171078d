"""The straightforward training step, against which ours is measured; it computes the same numbers.

What one writes first, and what the published loops do: layers as their formulas read, with every intermediate kept for
the backward pass; one reduction for each gradient; the optimizer one parameter after another; sign-SGD over the
distinct rows (`unique`, for which a GPU's host must wait); loss and metrics read at every step; and, where compiling is
asked for, `torch.compile` around network and loss only, without CUDA graphs.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim import AdamW, Optimizer

from trm.distributed import Ranks
from trm.optim import AdamAtan2, learning_rate
from trm.puzzle_embedding import PuzzleEmbedding
from trm.puzzles.batch import Batch
from trm.randomness import SeededStepRandom
from trm.supervision import Carry, Supervision
from trm.training.config import TrainConfig


class ReferenceStep:
    """As `trm.training.learner.Learner`, of which it has `step` only.

    Args:
        compiled: whether `torch.compile` goes around the supervision's forward pass.
    """

    def __init__(
        self,
        config: TrainConfig,
        supervision: Supervision[Any],
        ranks: Ranks,
        total_steps: int,
        compiled: bool = False,
    ) -> None:
        self.config, self.supervision, self.ranks, self.total_steps = config, supervision, ranks, total_steps
        self.model = supervision.model.train()
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = plain_optimizer(config, self.parameters)
        self.averages = [p.detach().clone() for p in self.parameters] if config.ema else []
        self.carry: Carry | None = None
        self.steps_done = 0
        if compiled:
            supervision.forward = torch.compile(supervision.forward, dynamic=False)

    def step(self, batch: Batch) -> Mapping[str, float | list[float]]:
        """One supervision step and its update: the loss per example, and the metrics' sums."""
        number, size = self.steps_done + 1, self.config.global_batch_size
        carry = self.carry if self.carry is not None else self.supervision.initial_carry(batch)
        first, slots = self.ranks.local_slots(size)
        draws = SeededStepRandom(self.config.seed, number, size, first, slots)
        with plain_operations():
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
        read = {name: value.tolist() for name, value in output.metrics.items()}
        return {**read, "loss": output.loss.item() / size}

    def _lr(self, base: float, number: int) -> float:
        config = self.config
        return learning_rate(base, number, config.lr_warmup_steps, self.total_steps, config.lr_min_ratio)

    @torch.no_grad()
    def _step_puzzles(self, table: PuzzleEmbedding, lr: float) -> None:
        """Sign-SGD over the distinct identifiers of the step."""
        (lookup,) = table.lookups
        assert lookup.rows.grad is not None
        gradients = self.ranks.gather_rows(lookup.rows.grad)  # [B, E]
        identifiers, place = self.ranks.gather_rows(lookup.identifiers).unique(return_inverse=True)
        summed = gradients.new_zeros(len(identifiers), gradients.shape[1]).index_add_(0, place, gradients)
        rows = table.weights[identifiers]
        decayed = rows * (1 - lr * self.config.puzzle_emb_weight_decay)
        table.weights[identifiers] = decayed - lr * summed.sign()
        table.lookups.clear()


def plain_optimizer(config: TrainConfig, parameters: list[torch.nn.Parameter]) -> Optimizer:
    """One parameter after another, operation by operation."""
    betas = (config.beta1, config.beta2)
    if config.optimizer == "adamw":
        return AdamW(parameters, lr=0.0, betas=betas, weight_decay=config.weight_decay, foreach=False)
    return AdamAtan2(parameters, lr=0.0, betas=betas, weight_decay=config.weight_decay)


@contextmanager
def plain_operations() -> Iterator[None]:
    """Within it the network computes its layers by the formulas below, in place of `trm.fused_ops`."""
    with ExitStack() as replaced:
        for module, functions in PLAIN.items():
            for name, function in functions.items():
                replaced.enter_context(patch.object(import_module(module), name, function))
        yield


def _wide(dtype: torch.dtype) -> torch.dtype:
    return torch.promote_types(dtype, torch.float32)


def _add_norm(h: Tensor, update: Tensor, eps: float) -> Tensor:
    """The root mean square of h + update divided out, over the last axis."""
    x = h + update
    wide = x.to(_wide(x.dtype))
    return (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)).to(x.dtype)


def _gated_linear(gate_up: Tensor, weight: Tensor) -> Tensor:
    """(silu(gate) · up) Wᵀ."""
    gate, up = gate_up.chunk(2, dim=-1)
    return F.linear(F.silu(gate) * up, weight)


def _rotated_heads(qkv: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """q, k, v `[B, S, A, K]` of `[B, S, 3, A, K]`, q and k turned: x·cos + (−x₂, x₁)·sin."""
    q, k, v = qkv.unbind(-3)
    return _rotated(q, cos, sin), _rotated(k, cos, sin), v


def _rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    wide = x.to(cos.dtype)
    first, second = wide.chunk(2, dim=-1)
    turned = torch.cat((-second, first), dim=-1)
    return (wide * cos[:, None] + turned * sin[:, None]).to(x.dtype)


PLAIN: dict[str, dict[str, Callable[..., Any]]] = {
    "trm.model": {"add_norm": _add_norm},
    "trm.layers": {"gated_linear": _gated_linear, "rotated_heads": _rotated_heads},
}

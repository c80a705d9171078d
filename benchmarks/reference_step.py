"""The straightforward training step, against which ours is measured; it computes the same numbers.

What one writes first, and what the published loops do: layers as their formulas read, with every intermediate kept for
the backward pass; one reduction for each gradient; the optimizer one parameter after another; sign-SGD over the
distinct rows (`unique`, for which a GPU's host must wait); loss and metrics read at every step; and, where compiling is
asked for, `torch.compile` around network and loss only, without CUDA graphs.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from trm.batch import Batch
from trm.layers import Attention, RotaryPositions, SwiGLU
from trm.model import RMS_EPS, Block
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
            supervision.run_forward = torch.compile(supervision.forward, dynamic=False)

    def step(self, batch: Batch) -> Mapping[str, float | list[float]]:
        """One supervision step and its update: the loss per example, and the metrics' sums."""
        number, size = self.steps_done + 1, self.config.global_batch_size
        carry = self.carry if self.carry is not None else self.supervision.initial_carry(batch)
        first, slots = self.ranks.local_slots(size)
        draws = SeededStepRandom(self.config.seed, number, size, first, slots)
        with plain_layers():
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
        gradients = self.ranks.gather_rows(lookup.rows.grad)  # [B, E]
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


@contextmanager
def plain_layers() -> Iterator[None]:
    """Within it the network computes its layers by the formulas below, with nothing of `trm.fused_ops`."""
    with ExitStack() as replaced:
        for layer, forward in PLAIN.items():
            replaced.enter_context(patch.object(layer, "forward", forward))
        yield


def _block(self: Block, h: Tensor, positions: RotaryPositions | None) -> Tensor:
    """norm(h + mixer(h)), then norm(h + SwiGLU(h)); a mixer of the MLP variant works on the transpose."""
    if self.self_attn is not None:
        h = _norm(h + self.self_attn(h, positions))
    else:
        assert self.mlp_t is not None
        turned = h.transpose(1, 2)
        h = _norm(turned + self.mlp_t(turned)).transpose(1, 2)
    return _norm(h + self.mlp(h))


def _norm(x: Tensor) -> Tensor:
    """x / sqrt(mean(x²) + eps) over the last axis."""
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    return (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + RMS_EPS)).to(x.dtype)


def _swiglu(self: SwiGLU, x: Tensor) -> Tensor:
    gate, up = self.gate_up_proj(x).chunk(2, dim=-1)
    return self.down_proj(F.silu(gate) * up)


def _attention(self: Attention, x: Tensor, positions: RotaryPositions | None) -> Tensor:
    q, k, v = self.qkv_proj(x).unflatten(-1, (3, self.heads, -1)).unbind(-3)  # [B, S, A, K] each
    if positions is not None:
        q, k = _turned(q, positions), _turned(k, positions)
    mixed = F.scaled_dot_product_attention(*(t.transpose(1, 2) for t in (q, k, v)))  # [B, A, S, K]
    return self.o_proj(mixed.transpose(1, 2).flatten(-2))


def _turned(x: Tensor, positions: RotaryPositions) -> Tensor:
    """x · cos + (−x₂, x₁) · sin for the halves x₁, x₂ of a head."""
    wide = x.to(positions.cos.dtype)
    first, second = wide.chunk(2, dim=-1)
    across = torch.cat((-second, first), dim=-1)
    return (wide * positions.cos[:, None] + across * positions.sin[:, None]).to(x.dtype)


PLAIN: dict[type[nn.Module], Callable[..., Tensor]] = {
    Block: _block,
    SwiGLU: _swiglu,
    Attention: _attention,
}

"""Optimizers of the network's weights, their schedule, and the moving average of the weights."""

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.optim import Optimizer

from trm.errors import UserError

OPTIMIZERS = ("adam_atan2", "adamw")
Rate = float | Tensor  # for a CUDA graph, in which a number never changes, a 0-dim tensor on the weights' device


class AdamAtan2(Optimizer):
    """Adam whose quotient m / √v is replaced by atan2(m, √v): scale-free, no epsilon.

    p ← p·(1 − lr·decay);  p ← p − lr / (1 − β1ᵗ) · atan2(m, √v / √(1 − β2ᵗ)).  No factor inside or outside
    the arctangent. Everett et al., arXiv 2407.05872, as in the published TRM's CUDA extension.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.95),
        weight_decay: float = 0.1,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        if closure is not None:
            raise RuntimeError("AdamAtan2 takes no closure")
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self.move(parameter, group, *self.count(parameter, group))

    def count(self, p: Tensor, group: dict) -> tuple[float, ...]:
        """Count one more update t of `p`; returns what `move` takes: 1 − lr·decay, √(1 − β2ᵗ), lr / (1 − β1ᵗ)."""
        state = self.state[p]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(p), torch.zeros_like(p)
        state["step"] += 1
        (beta1, beta2), t = group["betas"], state["step"].item()
        return 1 - group["lr"] * group["weight_decay"], math.sqrt(1 - beta2**t), group["lr"] / (1 - beta1**t)

    @torch.no_grad()
    def move(self, p: Tensor, group: dict, decay: Rate, root: Rate, size: Rate) -> None:
        """Update `p` by its gradient; the rates are those of `count`."""
        beta1, beta2 = group["betas"]
        assert p.grad is not None
        m, v = self.state[p]["exp_avg"], self.state[p]["exp_avg_sq"]
        m.lerp_(p.grad, 1 - beta1)
        v.mul_(beta2).addcmul_(p.grad, p.grad, value=1 - beta2)
        p.mul_(decay)
        turn = torch.atan2(m, v.sqrt() / root)
        p.sub_(size * turn) if isinstance(size, Tensor) else p.add_(turn, alpha=-size)


class AdamW(torch.optim.AdamW):
    """torch's fused AdamW, with `count` and `move` as `AdamAtan2` has them."""

    def count(self, p: Tensor, group: dict) -> tuple[float, ...]:
        """The learning rate; torch counts the updates itself."""
        return (group["lr"],)

    def move(self, p: Tensor, group: dict, lr: Rate) -> None:
        """Update `p`, the only parameter, by its gradient."""
        group["lr"] = lr.float() if isinstance(lr, Tensor) else lr
        self.step()


def make_optimizer(
    name: str, parameters: Iterable[Tensor], betas: tuple[float, float], weight_decay: float, device: torch.device
) -> AdamAtan2 | AdamW:
    """`adam_atan2` or `adamw`; the learning rate is set before each step."""
    if name not in OPTIMIZERS:
        raise UserError(f"optimizer={name}", " | ".join(OPTIMIZERS), "choose one of these")
    if name == "adam_atan2":
        return AdamAtan2(parameters, lr=0.0, betas=betas, weight_decay=weight_decay)
    on_gpu = device.type == "cuda"  # where torch then counts the updates, as a CUDA graph needs (`capturable`)
    return AdamW(parameters, lr=0.0, betas=betas, weight_decay=weight_decay, fused=True, capturable=on_gpu)


def learning_rate(base: float, step: int, warmup_steps: int, total_steps: int, min_ratio: float) -> float:
    """Linear warm-up, then half a cosine down to min_ratio·base; `step` is 1 at the first update."""
    if step < warmup_steps:
        return base * step / warmup_steps
    progress = (step - warmup_steps) / max(1, total_steps - warmup_steps)
    return base * (min_ratio + (1 - min_ratio) * 0.5 * (1 + math.cos(math.pi * progress)))


class EMA:
    """Moving average of the trained weights `[n]` (not of the puzzle embedding, which is a buffer).

    average ← rate·average + (1 − rate)·weights after every update; arXiv 2510.04871, §4.7.
    """

    def __init__(self, weights: Tensor, rate: float) -> None:
        self.rate, self.average = rate, weights.detach().clone()

    @torch.no_grad()
    def update(self, weights: Tensor) -> None:
        """Move the average towards the current weights."""
        self.average.lerp_(weights, 1 - self.rate)

    @torch.no_grad()
    def swap(self, weights: Tensor) -> None:
        """Exchange the weights with their average; a second call puts them back."""
        current = weights.detach().clone()
        weights.copy_(self.average)
        self.average.copy_(current)

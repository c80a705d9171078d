"""Optimizers of the network's weights, their schedule, and the moving average of the weights."""

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.optim import Optimizer

from trm.errors import UserError

OPTIMIZERS = ("adam_atan2", "adamw")


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
                    self._update(parameter, group)

    def _update(self, p: Tensor, group: dict) -> None:
        state = self.state[p]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(p), torch.zeros_like(p)
        state["step"] += 1
        beta1, beta2 = group["betas"]
        t, m, v = state["step"].item(), state["exp_avg"], state["exp_avg_sq"]
        m.lerp_(p.grad, 1 - beta1)
        v.mul_(beta2).addcmul_(p.grad, p.grad, value=1 - beta2)
        p.mul_(1 - group["lr"] * group["weight_decay"])
        p.add_(torch.atan2(m, v.sqrt() / math.sqrt(1 - beta2**t)), alpha=-group["lr"] / (1 - beta1**t))


def make_optimizer(
    name: str, parameters: Iterable[Tensor], betas: tuple[float, float], weight_decay: float, device: torch.device
) -> Optimizer:
    """`adam_atan2` or `adamw`; the learning rate is set before each step.

    The pip package `adam-atan2` is a CUDA extension that only builds where nvcc is; where it imports and the
    weights are on CUDA, it does the same update.
    """
    if name not in OPTIMIZERS:
        raise UserError(f"optimizer={name}", " | ".join(OPTIMIZERS), "choose one of these")
    if name == "adamw":
        return torch.optim.AdamW(parameters, lr=0.0, betas=betas, weight_decay=weight_decay, fused=True)
    optimizer_class = _extension() if device.type == "cuda" else AdamAtan2
    return optimizer_class(parameters, lr=0.0, betas=betas, weight_decay=weight_decay)


def _extension() -> Callable[..., Optimizer]:
    """The CUDA extension's class, or ours where it is not installed or was not built."""
    try:
        from adam_atan2 import AdamATan2
    except ImportError:
        return AdamAtan2
    return AdamATan2


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

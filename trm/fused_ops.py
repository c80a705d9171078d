"""What lies between a block's matrix products, in few passes over memory and with little kept for the backward pass.

B batch, S sequence, D hidden, I inner width of the SwiGLU, A heads, K head width. Eager autograd would keep the
input of every elementwise operation; here each group keeps only what a matrix product next to it keeps anyway, and
computes the rest again. The formulas are those of `trm.layers`; a compiler, which finds such groups by itself, is given
the plain ones.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable


def at_least_float32(dtype: torch.dtype) -> torch.dtype:
    """float32, or `dtype` where that is wider."""
    return torch.promote_types(dtype, torch.float32)


def add_norm(h: Tensor, update: Tensor, eps: float) -> Tensor:
    """(h + update) / sqrt(mean((h + update)²) + eps) over the last axis, computed in float32 or wider; no weight."""
    if torch.compiler.is_compiling():
        x = h + update
        wide = x.to(at_least_float32(x.dtype))
        return (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)).to(x.dtype)
    return _AddNorm.apply(h, update, eps)


def gated_linear(gate_up: Tensor, weight: Tensor) -> Tensor:
    """(silu(gate) · up) Wᵀ for gate and up side by side `[…, 2I]` and W `[D, I]` of the same dtype."""
    if torch.compiler.is_compiling():
        gate, up = gate_up.chunk(2, dim=-1)
        return F.linear(F.silu(gate) * up, weight)
    return _GatedLinear.apply(gate_up, weight)


def rotated_heads(qkv: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """q, k, v `[B, S, A, K]` of `[B, S, 3, A, K]`, q and k turned by their positions' cos, sin `[S, K]` (halves)."""
    if torch.compiler.is_compiling():
        turned = _turn(qkv[:, :, :2], cos[:, None, None], sin[:, None, None])
        return turned[:, :, 0], turned[:, :, 1], qkv[:, :, 2]
    return _RotatedHeads.apply(qkv, cos, sin)


class _AddNorm(torch.autograd.Function):
    """Keeps y, which the next product keeps too, and one scale a row: dx = scale · (dy − y · mean(dy · y))."""

    @staticmethod
    def forward(ctx: Any, h: Tensor, update: Tensor, eps: float) -> Tensor:
        x = h + update
        wide = x.to(at_least_float32(x.dtype))
        square = torch.linalg.vector_norm(wide, dim=-1, keepdim=True).square_()
        scale = square.div_(x.shape[-1]).add_(eps).rsqrt_()  # [B, S, 1]
        y = wide.mul_(scale).to(x.dtype)
        ctx.save_for_backward(y, scale)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        y, scale = ctx.saved_tensors
        wide, y = grad.to(scale.dtype), y.to(scale.dtype)
        along = (wide * y).mean(-1, keepdim=True)
        dx = torch.addcmul(wide, y, along, value=-1).mul_(scale).to(grad.dtype)
        return dx, dx, None


class _GatedLinear(torch.autograd.Function):
    """Keeps gate and up; their product is made again in the backward pass."""

    @staticmethod
    def forward(ctx: Any, gate_up: Tensor, weight: Tensor) -> Tensor:
        gate, up = gate_up.chunk(2, dim=-1)
        ctx.save_for_backward(gate_up, weight)
        return F.linear(F.silu(gate).mul_(up), weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor | None]:
        gate_up, weight = ctx.saved_tensors
        gate, up = gate_up.chunk(2, dim=-1)
        active = F.silu(gate)  # [B, S, I]
        d_weight = None
        if ctx.needs_input_grad[1]:
            d_weight = grad.flatten(0, -2).T @ (active * up).flatten(0, -2)
        d_product = grad @ weight  # [B, S, I]
        d_gate_up = torch.empty_like(gate_up)
        d_gate, d_up = d_gate_up.chunk(2, dim=-1)
        torch.mul(d_product, active, out=d_up)
        torch.ops.aten.silu_backward.grad_input(d_product.mul_(up), gate, grad_input=d_gate)
        return d_gate_up, d_weight


class _RotatedHeads(torch.autograd.Function):
    """Keeps nothing: the gradient turns back by the same angles."""

    @staticmethod
    def forward(ctx: Any, qkv: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        ctx.save_for_backward(cos, sin)
        made = torch.empty_like(qkv)
        made[:, :, :2] = _turn(qkv[:, :, :2], cos[:, None, None], sin[:, None, None])
        made[:, :, 2] = qkv[:, :, 2]
        q, k, v = made.unbind(2)
        return q, k, v

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_q: Tensor, d_k: Tensor, d_v: Tensor) -> tuple[Tensor, None, None]:
        cos, sin = ctx.saved_tensors
        d_qkv = d_v.new_empty(*d_v.shape[:2], 3, *d_v.shape[2:])
        for place, gradient in enumerate((d_q, d_k)):
            d_qkv[:, :, place] = _turn(gradient, cos[:, None], -sin[:, None])
        d_qkv[:, :, 2] = d_v
        return d_qkv, None, None


def _turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """(a, b) → (a cos − b sin, b cos + a sin) for the two halves of the last axis, in the tables' dtype."""
    wide = x.to(cos.dtype)
    first, second = wide.chunk(2, dim=-1)
    half = sin[..., : sin.shape[-1] // 2]
    turned = wide * cos
    if torch.compiler.is_compiling():
        a, b = turned.chunk(2, dim=-1)
        return torch.cat((a - second * half, b + first * half), dim=-1).to(x.dtype)
    a, b = turned.chunk(2, dim=-1)
    a.addcmul_(second, half, value=-1)
    b.addcmul_(first, half)
    return turned.to(x.dtype)

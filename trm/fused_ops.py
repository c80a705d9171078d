"""A block's operations in few passes over memory and with little kept for the backward pass.

B batch, S sequence, D hidden, I inner width of the SwiGLU, A heads, K head width. Eager autograd would keep the input
of every elementwise operation; here each group keeps only what a matrix product next to it keeps anyway, and computes
the rest again. On a CPU a group goes through the batch part by part, so that what lies between two products stays in
the processor's cache. The formulas are those of method.md, "The network"; a compiler, which finds such groups by
itself, is given the plain ones.
"""

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

ROWS_AT_ONCE = 1024  # of a part on a CPU: a few MB, as a processor's cache has


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


def swiglu(x: Tensor, gate_up: Tensor, down: Tensor) -> Tensor:
    """(silu(x Gᵀ) · x Uᵀ) Wᵀ for x `[B, S, D]`, G and U one above the other `[2I, D]`, W `[D, I]`, of one dtype."""
    if torch.compiler.is_compiling():
        gate, up = F.linear(x, gate_up).chunk(2, dim=-1)
        return F.linear(F.silu(gate) * up, down)
    return _SwiGLU.apply(x, gate_up, down) if torch.is_grad_enabled() else _swiglu(x, gate_up, down, None)


def turned_heads(
    x: Tensor, qkv: Tensor, cos: Tensor, sin: Tensor, heads: int
) -> tuple[Tensor, Tensor, Tensor]:
    """q, k, v `[B, S, A, K]` of x `[B, S, D]` and the projection `[3D, D]`, q and k turned by their positions.

    cos, sin: `[S, K]`; the halves of a head are turned against each other.
    """
    if torch.compiler.is_compiling():
        made = F.linear(x, qkv).unflatten(-1, (3, heads, -1))
        turned = _turn(made[:, :, :2], cos[:, None, None], sin[:, None, None])
        return turned[:, :, 0], turned[:, :, 1], made[:, :, 2]
    return _TurnedHeads.apply(x, qkv, cos, sin, heads)


def _parts(x: Tensor) -> Iterator[slice]:
    """Of the batch: about ROWS_AT_ONCE rows each on a CPU, all of it elsewhere."""
    size = max(1, ROWS_AT_ONCE // x.shape[1]) if x.device.type == "cpu" else len(x)
    for start in range(0, len(x), size):
        yield slice(start, start + size)


def _rows(x: Tensor) -> Tensor:
    """`[B·S, …]` of `[B, S, …]`."""
    return x.reshape(-1, x.shape[-1])


def _total(weight: Tensor, wanted: bool) -> Tensor | None:
    """Where a weight's gradient is summed over the parts, in float32 or wider, so that it is rounded once."""
    return torch.zeros_like(weight, dtype=at_least_float32(weight.dtype)) if wanted else None


def _add_product(total: Tensor, a: Tensor, b: Tensor) -> None:
    """total ← total + a b."""
    if a.dtype == total.dtype:
        total.addmm_(a, b)
    else:
        total += torch.mm(a, b)


def _rounded(total: Tensor | None, weight: Tensor) -> Tensor | None:
    """A gradient in its weight's dtype."""
    return None if total is None else total.to(weight.dtype)


class _AddNorm(torch.autograd.Function):
    """Keeps y, which the next product keeps too, and one scale a row: dx = scale · (dy − y · mean(dy · y))."""

    @staticmethod
    def forward(ctx: Any, h: Tensor, update: Tensor, eps: float) -> Tensor:
        y = torch.empty(h.shape, dtype=h.dtype, device=h.device)
        scale = torch.empty(*h.shape[:-1], 1, dtype=at_least_float32(h.dtype), device=h.device)  # [B, S, 1]
        for part in _parts(h):
            wide = (h[part] + update[part]).to(scale.dtype)
            square = torch.linalg.vector_norm(wide, dim=-1, keepdim=True).square_()
            scale[part] = square.div_(h.shape[-1]).add_(eps).rsqrt_()
            torch.mul(wide, scale[part], out=wide)
            y[part] = wide
        ctx.save_for_backward(y, scale)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        y, scale = ctx.saved_tensors
        dx = torch.empty(y.shape, dtype=grad.dtype, device=grad.device)
        for part in _parts(y):
            wide, wide_y = grad[part].to(scale.dtype), y[part].to(scale.dtype)
            along = (wide * wide_y).mean(-1, keepdim=True)
            dx[part] = torch.addcmul(wide, wide_y, along, value=-1).mul_(scale[part])
        return dx, dx, None


class _SwiGLU(torch.autograd.Function):
    """Keeps x, gate and up; their product is made again in the backward pass."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gate_up: Tensor, down: Tensor) -> Tensor:
        kept = x.new_empty(*x.shape[:-1], len(gate_up))  # [B, S, 2I] gate and up
        made = _swiglu(x, gate_up, down, kept)
        ctx.save_for_backward(x, gate_up, down, kept)
        return made

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None]:
        x, gate_up, down, kept = ctx.saved_tensors
        dx = torch.empty(x.shape, dtype=x.dtype, device=x.device)
        d_gate_up, d_down = (_total(w, ctx.needs_input_grad[i]) for i, w in ((1, gate_up), (2, down)))
        for part in _parts(x):
            gate, up = kept[part].chunk(2, dim=-1)
            d_kept = torch.empty_like(kept[part])
            d_gate, d_up = d_kept.chunk(2, dim=-1)
            active, d_made = F.silu(gate), _rows(grad[part])
            if d_down is not None:
                _add_product(d_down, d_made.T, _rows(active * up))
            d_product = torch.mm(d_made, down).view_as(active)
            torch.mul(d_product, active, out=d_up)
            torch.ops.aten.silu_backward.grad_input(d_product.mul_(up), gate, grad_input=d_gate)
            if d_gate_up is not None:
                _add_product(d_gate_up, _rows(d_kept).T, _rows(x[part]))
            torch.mm(_rows(d_kept), gate_up, out=_rows(dx[part]))
        return dx, _rounded(d_gate_up, gate_up), _rounded(d_down, down)


def _swiglu(x: Tensor, gate_up: Tensor, down: Tensor, kept: Tensor | None) -> Tensor:
    """Fills `kept` with gate and up, if it is there."""
    made = x.new_empty(*x.shape[:-1], len(down))
    for part in _parts(x):
        rows = None if kept is None else _rows(kept[part])
        both = torch.mm(_rows(x[part]), gate_up.T, out=rows)
        gate, up = both.chunk(2, dim=-1)
        torch.mm(F.silu(gate).mul_(up), down.T, out=_rows(made[part]))
    return made


class _TurnedHeads(torch.autograd.Function):
    """Keeps x; the gradient turns back by the same angles."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, qkv: Tensor, cos: Tensor, sin: Tensor, heads: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        ctx.save_for_backward(x, qkv, cos, sin)
        made = x.new_empty(*x.shape[:-1], 3, heads, cos.shape[-1])  # [B, S, 3, A, K]
        for part in _parts(x):
            flat = torch.mm(_rows(x[part]), qkv.T).view_as(made[part])
            _turn_into(made[part, :, :2], flat[:, :, :2], cos[:, None, None], sin[:, None, None])
            made[part, :, 2] = flat[:, :, 2]
        q, k, v = made.unbind(2)
        return q, k, v

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, d_q: Tensor, d_k: Tensor, d_v: Tensor
    ) -> tuple[Tensor, Tensor | None, None, None, None]:
        x, qkv, cos, sin = ctx.saved_tensors
        dx = torch.empty(x.shape, dtype=x.dtype, device=x.device)
        d_qkv = _total(qkv, ctx.needs_input_grad[1])
        for part in _parts(x):
            gradients = (d_q[part], d_k[part], d_v[part])
            d_made = x.new_empty(*d_v[part].shape[:2], 3, *d_v.shape[2:])
            for place in (0, 1):
                _turn_into(d_made[:, :, place], gradients[place], cos[:, None], -sin[:, None])
            d_made[:, :, 2] = gradients[2]
            rows = d_made.view(-1, len(qkv))
            if d_qkv is not None:
                _add_product(d_qkv, rows.T, _rows(x[part]))
            torch.mm(rows, qkv, out=_rows(dx[part]))
        return dx, _rounded(d_qkv, qkv), None, None, None


def _turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """(a, b) → (a cos − b sin, b cos + a sin) for the two halves of the last axis, in the tables' dtype."""
    wide = x.to(cos.dtype)
    first, second = wide.chunk(2, dim=-1)
    (a, b), half = (wide * cos).chunk(2, dim=-1), sin[..., : sin.shape[-1] // 2]
    return torch.cat((a - second * half, b + first * half), dim=-1).to(x.dtype)


def _turn_into(made: Tensor, x: Tensor, cos: Tensor, sin: Tensor) -> None:
    """`_turn` into memory that is there, without another in between where the dtypes are one."""
    wide, half = x.to(cos.dtype), sin[..., : sin.shape[-1] // 2]
    turned = torch.mul(wide, cos, out=made) if made.dtype == cos.dtype else wide * cos
    (a, b), (first, second) = turned.chunk(2, dim=-1), wide.chunk(2, dim=-1)
    a.addcmul_(second, half, value=-1)
    b.addcmul_(first, half)
    if turned is not made:
        made.copy_(turned)

"""The parts a block is made of. B batch, S sequence (P puzzle + L grid tokens), D hidden, A heads, K head width.

Weights are kept in float32 and cast to the dtype of their input at use; normalisation and rotation are
computed in float32 or wider (docs/method.md, "The network"; TRM, arXiv 2510.04871, and its published code).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def at_least_float32(dtype: torch.dtype) -> torch.dtype:
    """float32, or `dtype` where that is wider."""
    return torch.promote_types(dtype, torch.float32)


def rms_norm(x: Tensor, eps: float) -> Tensor:
    """x / sqrt(mean(x²) + eps) over the last axis, computed in float32 or wider; it has no weight."""
    wide = x.to(at_least_float32(x.dtype))
    return (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)).to(x.dtype)


def truncated_normal_(tensor: Tensor, std: float, generator: torch.Generator) -> Tensor:
    """Fill with a normal cut at ±2 sigma whose standard deviation *after* the cut is `std`.

    As JAX does; torch's own `trunc_normal_` leaves the result about 12 % narrower than asked.
    """
    low, high = math.erf(-math.sqrt(2)), math.erf(math.sqrt(2))  # ±2 sigma
    mass = (high - low) / 2
    density = math.exp(-2) / math.sqrt(2 * math.pi)
    kept_std = math.sqrt(1 - 4 * density / mass)  # of a unit normal cut at ±2
    with torch.no_grad():
        tensor.uniform_(low, high, generator=generator).erfinv_()
        return tensor.mul_(math.sqrt(2) * std / kept_std).clamp_(-2 * std / kept_std, 2 * std / kept_std)


class CastLinear(nn.Module):
    """y = x Wᵀ (+ b), weights in float32, product in the dtype of x."""

    def __init__(self, width_in: int, width_out: int, bias: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width_out, width_in))
        self.bias = nn.Parameter(torch.zeros(width_out)) if bias else None

    def initialise(self, generator: torch.Generator) -> None:
        """std 1/√fan_in; the bias stays 0."""
        truncated_normal_(self.weight, self.weight.shape[1] ** -0.5, generator)

    def forward(self, x: Tensor) -> Tensor:
        bias = None if self.bias is None else self.bias.to(x.dtype)
        return F.linear(x, self.weight.to(x.dtype), bias)


class CastEmbedding(nn.Module):
    """A table `[rows, D]`, truncated normal, looked up in `dtype`."""

    def __init__(self, rows: int, width: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        self.embedding_weight = nn.Parameter(torch.empty(rows, width))

    def initialise(self, generator: torch.Generator) -> None:
        """std 1/√D."""
        truncated_normal_(self.embedding_weight, self.embedding_weight.shape[1] ** -0.5, generator)

    def forward(self, index: Tensor) -> Tensor:
        table = self.embedding_weight.to(self.dtype)
        if index.is_cuda and len(table) <= ONE_HOT_ROWS:
            return one_hot_product(index, table)
        return F.embedding(index, table)


ONE_HOT_ROWS = 64  # of the largest table that is read by `one_hot_product`


def one_hot_product(index: Tensor, table: Tensor) -> Tensor:
    """Rows of a small table, by a product: a GPU adds up its gradient in a fixed order, a lookup's in any order."""
    return (index[..., None] == torch.arange(len(table), device=index.device)).to(table.dtype) @ table


class RotaryPositions(nn.Module):
    """Tables cos and (−sin, sin) `[S, K]` for rotary positions; k is paired with k + K/2, not with k + 1."""

    cos: Tensor
    sin: Tensor

    def __init__(self, head_dim: int, length: int, base: float, dtype: torch.dtype) -> None:
        super().__init__()
        wide = at_least_float32(dtype)
        frequency = base ** (-torch.arange(0, head_dim, 2, dtype=wide) / head_dim)  # [K/2]
        angle = torch.outer(torch.arange(length, dtype=wide), frequency)  # [S, K/2]
        self.register_buffer("cos", angle.cos().repeat(1, 2), persistent=False)
        self.register_buffer("sin", torch.cat((-angle.sin(), angle.sin()), dim=1), persistent=False)


def rotate(x: Tensor, positions: RotaryPositions) -> Tensor:
    """Turn each pair (x_k, x_{k+K/2}) of `[B, S, A, K]` by its position's angle, in the tables' dtype.

    `roll` and not `cat`: a compiler fuses it, forward and backward, and would store the parts of a `cat`.
    """
    wide = x.to(positions.cos.dtype)
    other = wide.roll(x.shape[-1] // 2, dims=-1)  # x_{k±K/2}
    return (wide * positions.cos[:, None] + other * positions.sin[:, None]).to(x.dtype)


class Attention(nn.Module):
    """Full bidirectional attention; one fused projection, no bias, no mask (PAD is attended like any token).

    A head is ⌊width / heads⌋ wide.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        mixed = width // heads * heads
        self.qkv_proj = CastLinear(width, 3 * mixed)
        self.o_proj = CastLinear(mixed, width)

    def forward(self, x: Tensor, positions: RotaryPositions | None) -> Tensor:
        q, k, v = self.qkv_proj(x).unflatten(-1, (3, self.heads, -1)).unbind(2)  # [B, S, A, K] each
        if positions is not None:
            q, k = rotate(q, positions), rotate(k, positions)
        q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)  # [B, A, S, K]
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2)  # [B, S, A, K]
        return self.o_proj(mixed.flatten(-2))


def inner_width(width: int, expansion: float) -> int:
    """Inner width I of a SwiGLU: expansion · width · 2/3, rounded up to a multiple of 256, and at least 256."""
    return max(1, -(-round(expansion * width * 2 / 3) // 256)) * 256


class SwiGLU(nn.Module):
    """silu(x G) · (x U) D, with the inner width of `inner_width`."""

    def __init__(self, width: int, expansion: float) -> None:
        super().__init__()
        inner = inner_width(width, expansion)
        self.gate_up_proj = CastLinear(width, 2 * inner)
        self.down_proj = CastLinear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        gate, up = self.gate_up_proj(x).chunk(2, dim=-1)  # [B, S, I] each
        return self.down_proj(F.silu(gate) * up)

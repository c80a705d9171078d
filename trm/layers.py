"""The parts a block is made of. B batch, S sequence (P puzzle + L grid tokens), D hidden, A heads, K head width.

Weights are kept in float32 and cast to the dtype of their input at use; normalisation and rotation are
computed in float32 or wider (method.md, "The network"; TRM, arXiv 2510.04871, and its published code).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trm.fused_ops import at_least_float32, swiglu, turned_heads


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
        return F.embedding(index, self.embedding_weight.to(self.dtype))


class RotaryPositions(nn.Module):
    """Tables cos, sin `[S, K]` for rotary positions; halves are rotated, not neighbours."""

    cos: Tensor
    sin: Tensor

    def __init__(self, head_dim: int, length: int, base: float, dtype: torch.dtype) -> None:
        super().__init__()
        wide = at_least_float32(dtype)
        frequency = base ** (-torch.arange(0, head_dim, 2, dtype=wide) / head_dim)  # [K/2]
        angle = torch.outer(torch.arange(length, dtype=wide), frequency).repeat(1, 2)  # [S, K]
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)


class Attention(nn.Module):
    """Full bidirectional attention; one fused projection, no bias, no mask (PAD is attended like any token)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv_proj = CastLinear(width, 3 * width)
        self.o_proj = CastLinear(width, width)

    def forward(self, x: Tensor, positions: RotaryPositions | None) -> Tensor:
        if positions is None:
            q, k, v = self.qkv_proj(x).unflatten(-1, (3, self.heads, -1)).unbind(-3)  # each [B, S, A, K]
        else:
            weight = self.qkv_proj.weight.to(x.dtype)
            q, k, v = turned_heads(x, weight, positions.cos, positions.sin, self.heads)
        q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)  # [B, A, S, K]
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2)  # [B, S, A, K]
        return self.o_proj(mixed.flatten(-2))


def inner_width(width: int, expansion: float) -> int:
    """Of a SwiGLU: expansion · width · 2/3, rounded up to a multiple of 256, of which it is one at least."""
    return max(1, -(-round(expansion * width * 2 / 3) // 256)) * 256


class SwiGLU(nn.Module):
    """silu(x G) · (x U) D, with the inner width of `inner_width`."""

    def __init__(self, width: int, expansion: float) -> None:
        super().__init__()
        inner = inner_width(width, expansion)
        self.gate_up_proj = CastLinear(width, 2 * inner)
        self.down_proj = CastLinear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        return swiglu(x, self.gate_up_proj.weight.to(x.dtype), self.down_proj.weight.to(x.dtype))

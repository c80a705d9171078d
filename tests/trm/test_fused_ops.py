"""The fused operations give the plain formulas' values and gradients, and keep less for the backward pass."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from trm.fused_ops import add_norm, gated_linear, rotated_heads

EPS = 1e-5


def plain_norm(h: Tensor, update: Tensor) -> Tensor:
    x = h + update
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + EPS)


def plain_gate(gate_up: Tensor, weight: Tensor) -> Tensor:
    gate, up = gate_up.chunk(2, dim=-1)
    return F.linear(F.silu(gate) * up, weight)


def plain_turn(qkv: Tensor) -> Tensor:
    """Each pair (a, b) of halves as a complex number, multiplied by e^{iθ}."""
    cos, sin = angles_of(qkv)
    half = qkv.shape[-1] // 2
    pairs = torch.complex(qkv[..., :half], qkv[..., half:])
    by = torch.complex(cos[:, :half], sin[:, :half])[None, :, None, None]
    turned = pairs * by
    q_and_k = torch.cat((turned.real, turned.imag), dim=-1)
    return torch.stack((q_and_k[:, :, 0], q_and_k[:, :, 1], qkv[:, :, 2]), dim=2)


def angles_of(qkv: Tensor) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    frequency = torch.rand(qkv.shape[-1] // 2, dtype=qkv.dtype, generator=generator)
    angle = torch.outer(torch.arange(qkv.shape[1], dtype=qkv.dtype), frequency).repeat(1, 2)
    return angle.cos(), angle.sin()


def fused_turn(qkv: Tensor) -> Tensor:
    return torch.stack(rotated_heads(qkv, *angles_of(qkv)), dim=2)


CASES: dict[str, tuple[Callable[..., Tensor], Callable[..., Tensor], tuple[tuple[int, ...], ...]]] = {
    "add_norm": (lambda h, u: add_norm(h, u, EPS), plain_norm, ((2, 3, 8), (2, 3, 8))),
    "gated_linear": (gated_linear, plain_gate, ((2, 3, 10), (4, 5))),
    "rotated_heads": (fused_turn, plain_turn, ((2, 3, 3, 2, 6),)),
}


def arguments(shapes: tuple[tuple[int, ...], ...], dtype: torch.dtype) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [
        torch.randn(*s, generator=generator, dtype=torch.float64).to(dtype).requires_grad_() for s in shapes
    ]


@pytest.mark.parametrize("name", CASES)
def test_value_and_gradients_are_those_of_the_plain_formula(name: str) -> None:
    fused, plain, shapes = CASES[name]
    results = []
    for function in (fused, plain):
        given = arguments(shapes, torch.float64)
        made = function(*given)
        (made * torch.arange(made.numel(), dtype=made.dtype).view_as(made)).sum().backward()
        results.append([made.detach(), *(g.grad for g in given)])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_the_gradient_is_the_derivative(name: str) -> None:
    fused, _, shapes = CASES[name]
    assert torch.autograd.gradcheck(fused, arguments(shapes, torch.float64))


@pytest.mark.parametrize("name", ["add_norm", "gated_linear"])
def test_bfloat16_stays_within_its_rounding(name: str) -> None:
    fused, plain, shapes = CASES[name]
    narrow, wide = arguments(shapes, torch.bfloat16), arguments(shapes, torch.float64)
    ours, theirs = fused(*narrow), plain(*wide)
    assert ours.dtype == torch.bfloat16
    ours.sum().backward()
    theirs.sum().backward()
    torch.testing.assert_close(ours.double(), theirs, rtol=0.03, atol=0.03)
    for a, b in zip(narrow, wide, strict=True):
        assert a.grad is not None
        torch.testing.assert_close(a.grad.double(), b.grad, rtol=0.05, atol=0.1)


def kept_bytes(function: Callable[..., Tensor], given: list[Tensor]) -> int:
    """Memory that autograd holds for the backward pass, beyond what was given."""
    held: dict[int, int] = {}

    def hold(tensor: Tensor) -> Tensor:
        held[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(hold, lambda t: t):
        made = function(*given)
    for tensor in (made, *given):  # the result lives on anyway
        held.pop(tensor.untyped_storage().data_ptr(), None)
    return sum(held.values())


@pytest.mark.parametrize("name", ["add_norm", "gated_linear"])
def test_less_than_a_fifth_of_the_plain_formulas_memory_is_kept(name: str) -> None:
    fused, plain, _ = CASES[name]
    shapes = {"add_norm": ((4, 64, 64),) * 2, "gated_linear": ((4, 64, 256), (64, 128))}[name]
    given = arguments(shapes, torch.float32)
    assert kept_bytes(fused, given) < 0.2 * kept_bytes(plain, given)

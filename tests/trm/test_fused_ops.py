"""The fused operations give the plain formulas' values and gradients, and keep less for the backward pass."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from trm import fused_ops
from trm.fused_ops import add_norm, swiglu, turned_heads

EPS = 1e-5


def plain_norm(h: Tensor, update: Tensor) -> Tensor:
    x = h + update
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + EPS)


def plain_swiglu(x: Tensor, gate_up: Tensor, down: Tensor) -> Tensor:
    gate, up = F.linear(x, gate_up).chunk(2, dim=-1)
    return F.linear(F.silu(gate) * up, down)


def angles_for(x: Tensor) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    frequency = torch.rand(WIDTH // 2, dtype=torch.float64, generator=generator).to(x.dtype)
    angle = torch.outer(torch.arange(x.shape[1], dtype=x.dtype), frequency).repeat(1, 2)
    return angle.cos(), angle.sin()


def plain_heads(x: Tensor, weight: Tensor) -> Tensor:
    """Each pair (a, b) of halves as a complex number, multiplied by e^{iθ}."""
    qkv = F.linear(x, weight).unflatten(-1, (3, HEADS, WIDTH))
    (cos, sin), half = angles_for(x), WIDTH // 2
    by = torch.complex(cos[:, :half], sin[:, :half])[None, :, None, None]
    turned = torch.complex(qkv[..., :half], qkv[..., half:]) * by
    q_and_k = torch.cat((turned.real, turned.imag), dim=-1)
    return torch.stack((q_and_k[:, :, 0], q_and_k[:, :, 1], qkv[:, :, 2]), dim=2)


def fused_heads(x: Tensor, weight: Tensor) -> Tensor:
    return torch.stack(turned_heads(x, weight, *angles_for(x), HEADS), dim=2)


HEADS, WIDTH = 2, 6
CASES: dict[str, tuple[Callable[..., Tensor], Callable[..., Tensor], tuple[tuple[int, ...], ...]]] = {
    "add_norm": (lambda h, u: add_norm(h, u, EPS), plain_norm, ((2, 3, 8), (2, 3, 8))),
    "swiglu": (swiglu, plain_swiglu, ((2, 3, 4), (10, 4), (4, 5))),
    "turned_heads": (fused_heads, plain_heads, ((2, 3, 5), (3 * HEADS * WIDTH, 5))),
}


@pytest.fixture(params=[1024, 4], ids=["whole", "in parts"], autouse=True)
def rows_at_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused_ops, "ROWS_AT_ONCE", request.param)


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


@pytest.mark.parametrize("name", ["add_norm", "swiglu"])
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


@pytest.mark.parametrize("name", ["add_norm", "swiglu"])
def test_no_more_than_half_of_the_plain_formulas_memory_is_kept(name: str) -> None:
    fused, plain, _ = CASES[name]
    shapes = {"add_norm": ((4, 64, 64),) * 2, "swiglu": ((4, 64, 64), (512, 64), (64, 256))}[name]
    given = arguments(shapes, torch.float32)
    assert kept_bytes(fused, given) <= 0.5 * kept_bytes(plain, given)


@pytest.mark.parametrize("name", ["swiglu", "turned_heads"])
def test_a_weights_gradient_over_many_parts_is_rounded_to_bfloat16_once(name: str) -> None:
    """Summed in bfloat16 part by part, small terms would vanish in a large sum."""
    fused, plain, shapes = CASES[name]
    many = ((400, *shapes[0][1:]), *shapes[1:])
    narrow = [t.detach().abs().requires_grad_() for t in arguments(many, torch.bfloat16)]
    wide = [t.detach().double().requires_grad_() for t in narrow]
    fused(*narrow).sum().backward()
    plain(*wide).sum().backward()
    for ours, exact in zip(narrow[1:], wide[1:], strict=True):
        assert ours.grad is not None
        assert exact.grad is not None
        error = (ours.grad.double() - exact.grad).norm() / exact.grad.norm()
        assert error < 0.005

"""Part 6: each backend of scaled_dot_product_attention, forward and backward, at the shapes of the published models."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks.gpu_parts.part import Row
from benchmarks.limits import best_seconds
from trm_lab.cluster.attention import EVERY, SUITS

BACKENDS = dict(zip(SUITS, EVERY, strict=True))
HEADS, WIDTHS = 8, (32, 64)  # compact and medium
EXAMPLES = {916: 64, 80: 1024}  # by positions, 16 of which are the puzzle's
WITH_BACKWARD = 3.5  # times the forward pass's operations: five products backward for two forward
ALLOWED = 0.02  # error of output and of gradient: ‖bfloat16 − float32‖ / ‖float32‖
COMPARED = 4  # examples that are computed in float32, too


def measure(device: torch.device, examples: dict[int, int] = EXAMPLES) -> Iterator[Row]:
    """Backend after backend at each shape, then which is the fastest."""
    winners = []
    for width in WIDTHS:
        for positions, batch in examples.items():
            qkv = drawn(batch, positions, width, device)
            rows = [attempt(name, qkv, device) for name in BACKENDS]
            table = f"Attention, bfloat16, {HEADS} heads of width {width}, {positions} positions, {batch} examples"
            yield from ({"table": table, **row} for row in rows)
            winners.append({"head width": width, "positions": positions, **fastest(rows)})
    yield from ({"table": "The fastest whose numbers are right", **winner} for winner in winners)
    for width in WIDTHS:
        yield {"note": advice(width, {winner["set"] for winner in winners if winner["head width"] == width}, device)}


def drawn(batch: int, positions: int, width: int, device: torch.device) -> Tensor:
    """`[B, S, 3, A, K]` normal bfloat16, as a linear layer leaves q, k and v."""
    generator = torch.Generator(device).manual_seed(0)
    return torch.randn(
        (batch, positions, 3, HEADS, width), dtype=torch.bfloat16, device=device, generator=generator
    ).requires_grad_()


def attend(qkv: Tensor) -> Tensor:
    """Attention's output `[B, A, S, K]`."""
    q, k, v = (part.transpose(1, 2) for part in qkv.unbind(2))
    return F.scaled_dot_product_attention(q, k, v)


def attempt(name: str, qkv: Tensor, device: torch.device) -> Row:
    """A backend's seconds and error; or why it cannot compute these shapes."""
    try:
        with sdpa_kernel(BACKENDS[name]):
            return timed(name, qkv, device)
    except (RuntimeError, torch.OutOfMemoryError) as error:  # no kernel for this card or these shapes
        return {"backend": name, "forward, ms": None, "problem": str(error).splitlines()[0]}


def timed(name: str, qkv: Tensor, device: torch.device) -> Row:
    """Forward alone and with backward."""
    batch, positions, _, heads, width = qkv.shape
    direction = qkv.detach()[:, :, 0].transpose(1, 2)  # random, in the memory layout of a real gradient
    operations = 4 * batch * heads * positions**2 * width
    with torch.no_grad():
        forward = best_seconds(lambda: attend(qkv), device)
    both = best_seconds(lambda: torch.autograd.grad(attend(qkv), qkv, direction), device)
    return {
        "backend": name,
        "forward, ms": 1000 * forward,
        "TFLOP/s": operations / forward / 1e12,
        "with backward, ms": 1000 * both,
        "TFLOP/s, both": WITH_BACKWARD * operations / both / 1e12,
        "error": error(qkv, direction),
    }


def error(qkv: Tensor, direction: Tensor) -> float:
    """The larger error of output and gradient over the first examples, relative to the same in float32."""
    ours = output_and_gradient(qkv, direction)
    with sdpa_kernel(SDPBackend.MATH):
        few = slice(0, COMPARED)
        exact = output_and_gradient(qkv[few].detach().float().requires_grad_(), direction[few].float())
    errors = [(a[:COMPARED].float() - b).norm() / b.norm() for a, b in zip(ours, exact, strict=True)]
    return float(torch.stack(errors).max())


def output_and_gradient(qkv: Tensor, direction: Tensor) -> tuple[Tensor, Tensor]:
    """`[B, A, S, K]` and the gradient of its product with `direction`, `[B, S, 3, A, K]`."""
    mixed = attend(qkv)
    (gradient,) = torch.autograd.grad(mixed, qkv, direction)
    return mixed.detach(), gradient


def fastest(rows: list[Row]) -> Row:
    """The fastest backend, forward and backward, whose numbers are right; `set` is the run key that selects it."""
    right = [row for row in rows if row["forward, ms"] is not None and row["error"] <= ALLOWED]
    if not right:
        return {"set": "attention=auto", "ms": None, "times the next": None}
    first, *others = sorted(right, key=lambda row: float(row["with backward, ms"]))
    best = first["with backward, ms"]
    gain = others[0]["with backward, ms"] / best if others else None
    return {"set": f"attention={first['backend']}", "ms": best, "times the next": gain}


def advice(width: int, named: set[str], device: torch.device) -> str:
    """The entry of `MEASURED` (trm_lab/cluster/attention.py), if one backend is the fastest at every length."""
    if len(named) > 1 or "attention=auto" in named:
        return f"Heads {width} wide: no backend is the fastest at every length; set `attention` for the run at hand."
    capability = torch.cuda.get_device_capability(device) if device.type == "cuda" else None
    (setting,) = named
    entry = f'Condition({capability}, {width}, "bfloat16"): "{setting.removeprefix("attention=")}"'
    return (
        f"Heads {width} wide: `{setting}` at every length; for `MEASURED` in trm_lab/cluster/attention.py: `{entry}`."
    )

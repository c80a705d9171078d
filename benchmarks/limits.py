"""The machine's own limits, measured where and when a configuration is: matrix products and memory copies.

The limit of a dtype is the fastest matrix product among the configuration's own shapes and one large square, in the
same process and with the same threads; measured before and after each configuration, since a shared machine changes.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch

from benchmarks.roofline import Product

WARM_UP_SECONDS, MEASURED_SECONDS = 0.03, 0.15
LARGEST_ROWS = 1 << 16
SQUARE = {"cpu": 1536, "cuda": 8192}
COPIED_BYTES = {"cpu": 1 << 28, "cuda": 1 << 30}  # larger than any cache


@dataclass(frozen=True)
class Limits:
    """Rates of one moment.

    square, own: matrix products, operations a second, of a large square and at the configuration's own shapes (over all
    of one pass together).  best: of all shapes.  copied: bytes a second that a copy reads and writes.
    """

    square: float
    own: float
    best: float
    copied: float


def measure(products: Iterable[Product], batch: int, dtype: torch.dtype, device: torch.device) -> Limits:
    """All limits; `products` are those of one pass and one example."""
    shapes = [(min(batch * p.rows, LARGEST_ROWS), p.inner, p.columns) for p in products]
    rates = {shape: matrix_rate(*shape, dtype, device) for shape in dict.fromkeys(shapes)}
    operations = [2 * rows * inner * columns for rows, inner, columns in shapes]
    seconds = sum(work / rates[shape] for work, shape in zip(operations, shapes, strict=True))
    side = SQUARE[device.type]
    square = matrix_rate(side, side, side, dtype, device)
    return Limits(square, sum(operations) / seconds, max(square, *rates.values()), copy_rate(device))


def matrix_rate(rows: int, inner: int, columns: int, dtype: torch.dtype, device: torch.device) -> float:
    """Operations a second of `[rows, inner]` times the transpose of `[columns, inner]`, as a linear layer has it."""
    generator = torch.Generator().manual_seed(0)
    x, weight = (torch.randn(n, inner, generator=generator).to(device, dtype) for n in (rows, columns))
    y = torch.empty(rows, columns, dtype=dtype, device=device)
    return 2 * rows * inner * columns / best_seconds(lambda: torch.mm(x, weight.T, out=y), device)


def copy_rate(device: torch.device) -> float:
    """Bytes a second, read and written ones together, of a copy that no cache holds."""
    generator = torch.Generator(device).manual_seed(0)  # zeros could be read from one page, or travel compressed
    source = torch.rand(COPIED_BYTES[device.type] // 4, generator=generator, device=device)
    target = torch.empty_like(source)
    return 2 * COPIED_BYTES[device.type] / best_seconds(lambda: target.copy_(source), device)


def best_seconds(work: Callable[[], object], device: torch.device) -> float:
    """Seconds of one call: the shortest of those that fit into `MEASURED_SECONDS`, at least three, after a warm-up."""
    _for_seconds(work, device, WARM_UP_SECONDS, 1)
    return min(_for_seconds(work, device, MEASURED_SECONDS, 3))


def _for_seconds(work: Callable[[], object], device: torch.device, seconds: float, least: int) -> list[float]:
    taken: list[float] = []
    started = time.perf_counter()
    while len(taken) < least or time.perf_counter() - started < seconds:
        taken.append(cuda_seconds(work) if device.type == "cuda" else _seconds(work))
    return taken


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def cuda_seconds(work: Callable[[], object]) -> float:
    """Seconds from the start of what `work` queues on the GPU to its end, by the GPU's own clock."""
    before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    before.record()
    work()
    after.record()
    after.synchronize()
    return before.elapsed_time(after) / 1000

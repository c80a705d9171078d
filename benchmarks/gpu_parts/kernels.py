"""Part 7: the kernels that take most of a step, and the share of it in which the GPU is idle."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from benchmarks.configurations import Configuration, named
from benchmarks.contender import make_step, repeat
from benchmarks.gpu_parts.part import Row, forget

NAMES = "dis-compact-arc-b512-bfloat16-auto dis-compact-nqueens-b1024-bfloat16-auto"
WARM_UP, STEPS = 7, 6  # steps; DIS makes six of each example
HEAVIEST = 15
LONGEST_NAME = 90

Interval = tuple[str, float, float]  # name, start and end in microseconds


def measure(device: torch.device, names: str = NAMES) -> Iterator[Row]:
    """One configuration after the other."""
    for configuration in named(names, device.type, "bfloat16"):
        with forget():
            seen = kernels(configuration, device)
        yield from rows(configuration.name, seen)


def kernels(configuration: Configuration, device: torch.device) -> list[Interval]:
    """The GPU's work in `STEPS` steps: kernels, copies and fills."""
    step = make_step(configuration, "ours", device)
    repeat(step, WARM_UP)
    torch.cuda.synchronize(device)
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
        repeat(step, STEPS)
        torch.cuda.synchronize(device)
    events = [e for e in seen.events() or [] if e.device_type == DeviceType.CUDA and not e.is_user_annotation]
    return [(event.name, event.time_range.start, event.time_range.end) for event in events]


def rows(name: str, seen: list[Interval]) -> Iterator[Row]:
    """The table of the heaviest, and the idle share."""
    if not seen:
        yield {"note": f"{name}: the profiler saw no kernel (CUPTI does not work on this machine)"}
        return
    calls, spent = defaultdict[str, int](int), defaultdict[str, float](float)
    for kernel, start, end in seen:
        calls[kernel] += 1
        spent[kernel] += end - start
    total = sum(spent.values())
    for kernel in sorted(spent, key=lambda kernel: -spent[kernel])[:HEAVIEST]:
        yield {
            "table": f"Heaviest kernels of {name}",
            "kernel": kernel[:LONGEST_NAME],
            "calls a step": calls[kernel] / STEPS,
            "ms a step": spent[kernel] / STEPS / 1000,
            "share": spent[kernel] / total,
        }
    span = max(end for *_, end in seen) - min(start for _, start, _ in seen)
    yield {
        "table": f"The GPU in {STEPS} steps",
        "configuration": name,
        "launches a step": len(seen) / STEPS,
        "different kernels": len(spent),
        "ms a step": span / STEPS / 1000,
        "idle share": 1 - busy((start, end) for _, start, end in seen) / span,
    }


def busy(intervals: Iterable[tuple[float, float]]) -> float:
    """Length of the union of the intervals."""
    total, until = 0.0, float("-inf")
    for start, end in sorted(intervals):
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total

"""Seconds and memory of one training step (one supervision step and its update) on random tokens.

python -m benchmarks.train_step                          DIS-compact, batch 16, 900 tokens, bfloat16
python -m benchmarks.train_step --arch trm_compact --dtype float32

Absolute times on a CPU belong to that machine and moment; the matrix-product rate measured in the same run is printed
beside them, so that the share of the machine's limit can be compared. Counted operations leave out what torch's counter
does not see: on a CPU, the products inside fused attention (about a third of the step at 900 tokens).
"""

import argparse
import resource
import statistics
import time
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from torch.utils.flop_counter import FlopCounterMode

from dis_trm.supervision import DISSupervision
from trm.act import ACTSupervision
from trm.distributed import Ranks, choose_device
from trm.model import FORWARD_DTYPES, PuzzleShape, TinyRecursiveModel
from trm.puzzles.batch import Batch
from trm.training.config import architecture, train_config
from trm.training.learner import Learner

SUPERVISIONS = {"act": ACTSupervision, "dis": DISSupervision}
CONFIGS = Path(__file__).resolve().parents[1] / "configs"


def main() -> None:
    """Measure and print one line a figure."""
    line = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    line.add_argument("--arch", default="dis")
    line.add_argument("--dtype", default="bfloat16", choices=FORWARD_DTYPES)
    line.add_argument("--batch", type=int, default=16)
    line.add_argument("--tokens", type=int, default=900)
    line.add_argument("--repeats", type=int, default=6)
    line.add_argument("--device", default="auto")
    given = line.parse_args()
    device = choose_device(given.device)
    learner = make_learner(given, device)
    batch = random_batch(given.batch, given.tokens).to(device)
    with FlopCounterMode(display=False) as counter:
        learner.step(batch)
    seconds = [timed(lambda: learner.step(batch), device) for _ in range(given.repeats)]
    median, operations = statistics.median(seconds), counter.get_total_flops()
    rate = matrix_rate(FORWARD_DTYPES[given.dtype], device)
    print(f"{given.arch}, {given.dtype}, batch {given.batch}, {given.tokens} tokens, {device}, {cpu()}")
    print(
        f"  seconds a step: median {median:.3f}, from {min(seconds):.3f} to {max(seconds):.3f} ({given.repeats})"
    )
    print(f"  milliseconds an example: {1000 * median / given.batch:.1f}")
    print(f"  counted: {operations / 1e9 / given.batch:.1f} GFLOP an example")
    print(
        f"  achieved: {operations / median / 1e9:.0f} GFLOP/s, {operations / median / rate:.0%} of the limit below"
    )
    print(f"  matrix products alone on this machine: {rate / 1e9:.0f} GFLOP/s")
    print(f"  peak memory: {peak_bytes(device) / 1e9:.2f} GB")


def make_learner(given: argparse.Namespace, device: torch.device) -> Learner:
    """A learner with the published settings of `arch`."""
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        overrides = [
            f"arch={given.arch}",
            f"arch.forward_dtype={given.dtype}",
            f"global_batch_size={given.batch}",
        ]
        config = train_config(compose("train_arc_tiny_corrupt", overrides), SUPERVISIONS)
    arch = architecture(config.arch, SUPERVISIONS)
    kind: Any = SUPERVISIONS[arch.supervision]
    shape = PuzzleShape(given.tokens, 12, 10_000)
    model = TinyRecursiveModel(arch.network, shape, kind.step_rows(arch.settings)).to(device)
    return Learner(config, kind(model, arch.settings), Ranks(device=device), 10**6)


def random_batch(slots: int, tokens: int) -> Batch:
    """Tokens of ARC's vocabulary."""
    generator = torch.Generator().manual_seed(0)

    def draw(low: int, high: int, *size: int) -> torch.Tensor:
        return torch.randint(low, high, size, generator=generator, dtype=torch.int32)

    return Batch(draw(0, 12, slots, tokens), draw(1, 12, slots, tokens), draw(1, 10_000, slots))


def timed(work: Any, device: torch.device) -> float:
    """Seconds of one call, to the end of what it started."""
    started = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started


def matrix_rate(dtype: torch.dtype, device: torch.device) -> float:
    """Floating-point operations a second of a plain matrix product of the model's size, best of 5."""
    x, weight = (torch.randn(*size, dtype=dtype, device=device) for size in ((4096, 256), (1536, 256)))
    product = torch.nn.functional.linear
    return 2 * 4096 * 256 * 1536 / min(timed(lambda: product(x, weight), device) for _ in range(5))


def peak_bytes(device: torch.device) -> int:
    """Of the process on a CPU, of the allocator on a GPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def cpu() -> str:
    """Threads and instruction set that torch uses."""
    return f"{torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}"


if __name__ == "__main__":
    main()

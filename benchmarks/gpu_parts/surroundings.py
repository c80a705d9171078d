"""Part 1: versions, the GPU, the attention backend that torch chooses, and the limits of the GPU's rates."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from importlib.metadata import version

import torch
from torch.nn.attention import SDPBackend

from benchmarks import limits, machine
from benchmarks.configurations import named
from benchmarks.gpu_parts.part import Row
from benchmarks.roofline import products
from trm_lab.cluster.attention import head_width

SHAPES = ("dis-compact-arc-b512", "dis-medium-arc-b128", "dis-compact-nqueens-b1024")
DTYPES = ("bfloat16", "float32")


def measure(device: torch.device) -> Iterator[Row]:
    """Yield versions, then the attention that torch chooses, then the limits."""
    yield from ({"table": "Machine", "what": name, "is": is_} for name, is_ in about(device).items())
    for name in SHAPES:
        for dtype in DTYPES:
            yield {"table": "Attention that torch chooses", **chosen_attention(f"{name}-{dtype}", device)}
    for dtype in DTYPES:
        (configuration,) = named(f"{SHAPES[0]}-{dtype}", device.type, dtype)
        _, arch = configuration.composed()
        shapes = products(arch.network, configuration.shape)
        measured = limits.measure(shapes, configuration.batch, configuration.torch_dtype, device)
        yield {
            "table": "Limits",
            "dtype": dtype,
            "matrix products, TFLOP/s": measured.square / 1e12,
            "at the shapes of DIS compact": measured.own / 1e12,
            "copy, GB/s read and written": measured.copied / 1e9,
        }


def about(device: torch.device) -> dict[str, str | int | float]:
    """The machine, for the readers of all figures."""
    facts = {key: value for key, value in machine.described(device).items() if value is not None}
    facts["cores"] = os.cpu_count() or 0
    if device.type == "cuda":
        card = torch.cuda.get_device_properties(device)
        facts |= {
            "triton": version("triton"),
            "GPUs": torch.cuda.device_count(),
            "driver": driver(),
            "capability": f"{card.major}.{card.minor}",
            "multiprocessors": card.multi_processor_count,
            "memory, GiB": card.total_memory / 2**30,
            "L2, MiB": card.L2_cache_size / 2**20,
            "cuDNN": torch.backends.cudnn.version() or "none",
        }
    return facts


def driver() -> str:
    """The driver's version, from nvidia-smi."""
    if shutil.which("nvidia-smi") is None:
        return "no nvidia-smi here"
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    return subprocess.run(query, capture_output=True, encoding="utf-8", check=False).stdout.split("\n")[0]


def chosen_attention(name: str, device: torch.device) -> dict[str, str | int]:
    """The backend that scaled_dot_product_attention would take for a configuration's shapes, with gradient."""
    (configuration,) = named(name, device.type, "bfloat16")
    _, arch = configuration.composed()
    network = arch.network
    width, length = head_width(network), network.puzzle_tokens + configuration.shape.seq_len
    size = (1, length, network.num_heads, width)
    q, k, v = (torch.zeros(size, dtype=network.dtype, device=device, requires_grad=True) for _ in range(3))
    choice = torch._fused_sdp_choice(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2))  # [B, A, S, K]
    return {"head width": width, "positions": length, "dtype": configuration.dtype, "backend": SDPBackend(choice).name}

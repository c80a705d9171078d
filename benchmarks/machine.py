"""On what a measurement was made: processor, versions, command; and the memory that a process takes."""

import platform
import resource
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

CPUINFO = Path("/proc/cpuinfo")
BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}  # x86 twice, and Arm


def described(device: torch.device) -> dict[str, Any]:
    """What the reader of a figure must know of the machine."""
    about = {
        "processor": _cpuinfo("model name") or platform.machine(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "device": str(device),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "system": platform.system(),
    }
    if device.type == "cuda":
        about["gpu"] = torch.cuda.get_device_name(device)
        about["cuda"] = torch.version.cuda
        about["float32 products"] = torch.get_float32_matmul_precision()
    return about


def now() -> str:
    """Date and time, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def command(module: str, arguments: Sequence[str] | None) -> str:
    """The command line that measures this again; without arguments, those of this process."""
    return shlex.join(["python", "-m", module, *(sys.argv[1:] if arguments is None else arguments)])


def without_bfloat16(device: torch.device) -> str | None:
    """Why bfloat16 is not worth measuring here; None where the processor computes in it."""
    if device.type == "cuda" or not CPUINFO.exists():
        return None
    flags = set((_cpuinfo("flags") or _cpuinfo("Features") or "").split())
    if flags & BFLOAT16_FLAGS:
        return None
    return "this processor has no bfloat16 instructions, so torch would imitate them (--force-bfloat16 measures it)"


def _cpuinfo(key: str) -> str | None:
    """The first processor's line of that name, on Linux."""
    lines = CPUINFO.read_text(encoding="utf-8").splitlines() if CPUINFO.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), None)


@dataclass(frozen=True)
class Memory:
    """Bytes. peak: of the process on a CPU, on a GPU what torch reserves, the pools of CUDA graphs included; baseline:
    before a model was made."""

    peak: int
    baseline: int

    @property
    def own(self) -> int:
        """What model, optimizer, slots and step take."""
        return self.peak - self.baseline


def start_peak(device: torch.device) -> None:
    """Start counting the peak from here; without Linux's switch for it the peak is since the process's start."""
    if device.type == "cuda":
        torch.cuda.empty_cache()  # memory that only the tuning of kernels took
        torch.cuda.reset_peak_memory_stats(device)
        return
    switch = Path("/proc/self/clear_refs")
    if switch.exists():
        switch.write_text("5", encoding="utf-8")  # proc(5): resets the peak resident set size


def peak(device: torch.device) -> int:
    """Bytes since `start_peak`."""
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

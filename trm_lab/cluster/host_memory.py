"""The CPU's memory: freed memory that a process keeps for its next tensors, and where copies of a GPU's tensors go."""

import ctypes
import math
import sys
from collections.abc import Sequence

import torch
from torch import Tensor

MOST_WASTED = 1 << 26  # bytes beyond a copy, or a quarter of it where that is more
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
LARGEST = 1 << 30
LARGEST_BEFORE_2_35 = 1 << 25  # what an older glibc accepts


def keep_freed_memory() -> bool:
    """Let glibc keep freed memory for the next tensor; True if it does.

    It would give every large block back to the system and ask for it again at the next step, and the system would
    clear it page by page: about a tenth of a training step on a CPU. Other C libraries are left as they are.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    trims = bool(mallopt(M_TRIM_THRESHOLD, LARGEST))
    return any(mallopt(M_MMAP_THRESHOLD, most) for most in (LARGEST, LARGEST_BEFORE_2_35)) and trims


def memory_for_copy(shape: Sequence[int], dtype: torch.dtype, device: torch.device) -> Tensor:
    """An empty CPU tensor for a copy of a device's: pinned, so that a GPU fills it by itself, if that wastes little.

    torch rounds pinned memory up to a power of two (4.01 GiB to 8) and keeps it for the next copy.
    """
    size = math.prod(shape) * dtype.itemsize
    wasted = (1 << (size - 1).bit_length()) - size if size else 0
    pinned = device.type == "cuda" and wasted <= max(MOST_WASTED, size // 4)
    return torch.empty(tuple(shape), dtype=dtype, pin_memory=pinned)

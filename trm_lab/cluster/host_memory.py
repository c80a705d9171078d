"""What a CPU process does with the memory of tensors that it no longer needs."""

import ctypes
import sys

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

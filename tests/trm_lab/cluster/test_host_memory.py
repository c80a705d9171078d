"""Copies of a GPU's tensors lie in pinned memory where torch's rounding of it to a power of two wastes little."""

from typing import Any

import pytest
import torch

from trm_lab.cluster.host_memory import memory_for_copy

MIB = 1 << 20


@pytest.mark.parametrize(
    ("mebibytes", "device", "pinned"),
    [
        (1, "cuda", True),
        (129, "cuda", False),  # takes 256
        (193, "cuda", True),  # takes 256
        (1000, "cuda", True),
        (4101, "cuda", False),  # takes 8192
        (1000, "cpu", False),
    ],
)
def test_a_copy_wastes_at_most_64_mib_or_a_quarter(
    mebibytes: int, device: str, pinned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    allocations: list[tuple[Any, Any]] = []

    def empty(shape: tuple[int, ...], dtype: torch.dtype, pin_memory: bool) -> None:
        allocations.append((shape, pin_memory))

    monkeypatch.setattr(torch, "empty", empty)
    memory_for_copy((mebibytes, MIB // 2), torch.bfloat16, torch.device(device))
    assert allocations == [((mebibytes, MIB // 2), pinned)]


def test_nothing_is_a_copy_too() -> None:
    assert memory_for_copy((0, 3), torch.int32, torch.device("cpu")).shape == (0, 3)

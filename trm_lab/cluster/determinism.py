"""The same bits from the same command on a GPU, at a cost in speed."""

import os

import torch


def make_deterministic(device: torch.device) -> None:
    """Make every operation on a GPU add up in a fixed order, as a CPU does; to be called before the first operation.

    Without it two gradients are added up in any order (atomic additions): that of attention, and that of embedding
    tables of more than `trm.layers.ONE_HOT_ROWS` rows.
    """
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else cuBLAS refuses
        torch.use_deterministic_algorithms(True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]

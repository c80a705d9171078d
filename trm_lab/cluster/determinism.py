"""The same bits from the same command on a GPU, at a cost in speed."""

import os

import torch


def make_deterministic(device: torch.device) -> None:
    """Let every operation on a GPU add up in one order; before the first of them runs. A CPU always does.

    Otherwise the backward pass of attention alone adds up in any order (atomic additions), and of large embedding
    tables (`trm.layers.ONE_HOT_ROWS`) the gradient.
    """
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else cuBLAS refuses
        torch.use_deterministic_algorithms(True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]

"""The same bits from the same command: always on a CPU, where it costs nothing; on a GPU if asked, for some speed."""

import os

import torch


def make_deterministic(wanted: bool) -> None:
    """Add up in a fixed order, or as is fastest, in all of this process from now on; call it before a GPU is used.

    As is fastest, a GPU adds up two gradients in any order (atomic additions): that of attention, and that of
    embedding tables of more than `trm.layers.ONE_HOT_ROWS` rows. A CPU of several threads does so in compiled code,
    with the gradient of any embedding table.
    """
    if wanted:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else cuBLAS refuses
    torch.use_deterministic_algorithms(wanted)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]

"""Whether a model and its batch can fit into a machine at all, known before anything is allocated.

Everything is counted from below, so that what is refused could never have run. Legend: see trm.model.
"""

import os
from dataclasses import dataclass

import torch

from trm.errors import UserError
from trm.model import PuzzleShape, TRMConfig
from trm.recursion import RECURSIONS

VALUE = 4  # bytes of a float32 weight, moment or gradient, and of an int32 token
GIB = 2**30


@dataclass(frozen=True)
class Load:
    """What a process holds in memory.

    slots: examples at a time, on this rank.
    frames: targets that each slot carries besides its label.
    trains: whether there are gradients, moments and what a backward pass needs.
    averages: whether there is a moving average of the weights.
    puzzle_share: share of the puzzle table that this rank holds.
    parts: into which the slots are cut for the backward pass.
    """

    slots: int
    frames: int = 0
    trains: bool = False
    averages: bool = False
    puzzle_share: float = 1.0
    parts: int = 1


def needed_bytes(network: TRMConfig, shape: PuzzleShape, weights: int, load: Load) -> int:
    """Bytes that a process cannot do without; weights: as `trm_lab.flops.trained_weights` counts them."""
    copies = 1 + 3 * load.trains + load.averages  # gradient and two moments
    table = VALUE * int(load.puzzle_share * shape.num_puzzle_identifiers * network.puzzle_emb_ndim)
    latent = (network.puzzle_tokens + shape.seq_len) * network.hidden_size * network.dtype.itemsize
    saved = network.block_passes[1] * latent if load.trains else 0
    slot = len(RECURSIONS[network.recursion].starts) * latent + VALUE * shape.seq_len * (2 + load.frames)
    return VALUE * copies * weights + table + load.slots * slot + load.slots // load.parts * saved


def check_memory(network: TRMConfig, shape: PuzzleShape, weights: int, load: Load, device: torch.device) -> None:
    """UserError if a process needs more memory than the device has, whatever else is on it; see `needed_bytes`."""
    needed, there = needed_bytes(network, shape, weights, load), memory_of(device)
    if needed > there:
        raise UserError(
            f"{weights:,} weights, {shape.num_puzzle_identifiers:,} puzzle embeddings and {load.slots:,} examples at a "
            f"time need at least {needed / GIB:,.1f} GiB",
            f"at most the {there / GIB:,.1f} GiB that this {device.type} has",
            "lower arch.hidden_size, arch.L_layers, arch.expansion or the batch size (global_batch_size, --batch-size)",
        )


def memory_of(device: torch.device) -> int:
    """Bytes of the GPU, or of this machine."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")

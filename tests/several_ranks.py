"""A function on several gloo ranks of this machine, without torchrun."""

import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from trm_lab.cluster.ranks import Ranks

Work = Callable[[Ranks], Any]
# Ranks are forked from a process that has imported what they need, and has used none of it.
multiprocessing.set_forkserver_preload(["tests.models", "tests.runs"])


def on_ranks(world_size: int, work: Work, folder: Path) -> list[Any]:
    """What `work`, a function of a module, gives on each rank: tensors, numbers, strings, lists and dicts of them."""
    folder.mkdir(parents=True, exist_ok=True)
    mp.start_processes(_rank, (world_size, work, folder), world_size, start_method="forkserver")
    return [torch.load(folder / f"rank_{rank}.pt", weights_only=True) for rank in range(world_size)]


def _rank(rank: int, world_size: int, work: Work, folder: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{folder / 'store'}", rank=rank, world_size=world_size)
    with Ranks(rank, world_size) as ranks:
        torch.save(work(ranks), folder / f"rank_{rank}.pt")

"""What a rank is: torchrun's environment, the device, the process group, reductions and gathering."""

import os
import platform
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from types import TracebackType
from typing import Any, Protocol

import torch
import torch.distributed as dist

# Its defaults `group=group.WORLD` are evaluated when it is imported. torch imports it with the first
# optimizer; were that after `join`, the process group would outlive `close`, and its threads, still running
# while the interpreter ends, could abort the process ("terminate called without an active exception").
import torch.distributed.nn.functional
from torch import Tensor

from trm.errors import UserError
from trm_lab.cluster.host_memory import keep_freed_memory, memory_for_copy
from trm_lab.cluster.rendezvous import name_of_this_start
from trm_lab.commands.choices import DEVICE_CHOICES

LEAVE_SECONDS = 5.0  # that a failed rank waits to leave the process group


class Work(Protocol):
    """A message under way."""

    def wait(self) -> Any:
        """Return when it has arrived (on CUDA: when the device's queue will have seen it)."""
        ...


class Done:
    """A message that needs no sending."""

    def wait(self) -> None:
        """Return at once."""


@dataclass(frozen=True)
class Ranks:
    """This process among all; with one process every method is the identity.

    `with join() as ranks:` leaves the process group at the end; a rank that fails waits `LEAVE_SECONDS` at most.
    """

    rank: int = 0
    world_size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def is_first(self) -> bool:
        """True on the one rank that prints and writes, and that has all scores."""
        return self.rank == 0

    @property
    def device_name(self) -> str:
        """Its model, as the system calls it, such as "NVIDIA H200"; at least "cpu"."""
        return torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else platform.processor() or "cpu"

    @property
    def title(self) -> str:
        """The device and how many ranks have one, in words; on a CPU also a rank's threads."""
        count = f"{self.world_size} rank{'s' * (self.world_size > 1)}"
        if self.device.type == "cuda":
            return f"{self.device_name}, {count}"
        threads = torch.get_num_threads()
        name = f"CPU ({self.device_name})" if self.device_name != "cpu" else "CPU"
        return f"{name}, {count} of {threads} thread{'s' * (threads > 1)}"

    def local_slots(self, global_slots: int) -> tuple[int, int]:
        """(first, count) of this rank's consecutive slice of `global_slots`, which must divide evenly."""
        count = global_slots // self.world_size
        return self.rank * count, count

    def on_device(self, numbers: Sequence[float]) -> Tensor:
        """The numbers `[k]` as float64 on the device; from pinned memory, so that nothing waits for a GPU."""
        pinned = self.device.type == "cuda"
        return torch.tensor(numbers, dtype=torch.float64, pin_memory=pinned).to(self.device, non_blocking=True)

    def sum_(self, tensor: Tensor) -> Tensor:
        """Sum over the ranks, in place."""
        if self.world_size > 1:
            dist.all_reduce(tensor)
        return tensor

    def start_sum_(self, tensor: Tensor) -> "Work":
        """Begin to sum over the ranks, in place; the result is there after `wait()`."""
        if self.world_size == 1:
            return Done()
        work = dist.all_reduce(tensor, async_op=True)
        assert work is not None
        return work

    def gather_rows(self, rows: Tensor) -> Tensor:
        """Concatenate every rank's `[B, …]` along the batch, in rank order, on every rank."""
        if self.world_size == 1:
            return rows
        parts = [torch.empty_like(rows) for _ in range(self.world_size)]
        dist.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    def exchange_rows(self, rows: Tensor, sent: list[int], received: list[int]) -> Tensor:
        """The received[i] rows of each rank i, in order, for `rows` `[Σ sent, …]`, of which sent[i] go to rank i."""
        if self.world_size == 1:
            return rows
        arriving = rows.new_empty(sum(received), *rows.shape[1:])
        dist.all_to_all_single(arriving, rows.contiguous(), received, sent)
        return arriving

    def collect_rows(self, rows: Tensor) -> Tensor:
        """Every rank's `[n, …]` one after another on the first rank, on the CPU; empty on the others.

        ⌈n/W⌉ rows of each of the W ranks are in flight at a time: the first device holds little more than two shares.
        """
        if self.world_size == 1:
            return rows
        own, places = rows.contiguous(), rows.new_zeros(0, *rows.shape, device="cpu")
        if self.is_first:
            places = memory_for_copy((self.world_size, *rows.shape), rows.dtype, self.device)
        done = 0
        for part in own.chunk(self.world_size):
            self._collect(part, places[:, done : done + len(part)])
            done += len(part)
        return places.flatten(0, 1)

    def _collect(self, rows: Tensor, places: Tensor) -> None:
        """Copy every rank's rows `[m, …]` to its place of `[W, m, …]`, which is on the first rank."""
        arriving = [torch.empty_like(rows) for _ in range(self.world_size)] if self.is_first else None
        dist.gather(rows, arriving)
        for place, arrived in zip(places, arriving or [], strict=True):
            place.copy_(arrived)

    def collected(self, thing: Any) -> Iterator[Any]:
        """On the first rank the `thing` (picklable) of each other rank, one in memory at a time; nothing on the others.

        Every rank iterates over it to the end, which is when it sends its own.
        """
        if not self.is_first:
            dist.send_object_list([thing], dst=0)
            return
        for rank in range(1, self.world_size):
            box: list[Any] = [None]
            dist.recv_object_list(box, src=rank)
            yield box.pop()

    def equal(self, value: Tensor) -> bool:
        """Whether every rank has the same integers `value` `[k]`."""
        if self.world_size == 1:
            return True
        extremes = torch.cat((value, -value))
        dist.all_reduce(extremes, op=dist.ReduceOp.MAX)
        highest, lowest = extremes.chunk(2)
        return bool((highest == -lowest).all())

    def store(self) -> Any:
        """Where ranks leave short notes for each other without meeting; None for a single process.

        A client of its own: the process group's is busy while it waits.
        """
        if self.world_size == 1:
            return None
        shared: Any = dist.distributed_c10d._get_default_store()
        return shared.clone()

    def broadcast_object(self, thing: Any) -> Any:
        """Rank 0's `thing` (small, picklable) on every rank."""
        if self.world_size == 1:
            return thing
        box = [thing]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def first_decides(self, work: Callable[[], Any]) -> Any:
        """What `work` gives on the first rank (small, picklable), on every rank.

        Raises:
            UserError, OSError: the one that it raised there, on every rank, so that none waits for the others.
        """
        if self.world_size == 1:
            return work()
        outcome: tuple[type[Exception] | None, Any] | None = None
        if self.is_first:
            try:
                outcome = (None, work())
            except UserError as error:
                outcome = (UserError, (error.given, error.allowed, error.remedy))
            except OSError as error:
                outcome = (OSError, (error.errno, error.strerror, error.filename))
        raised, value = self.broadcast_object(outcome)
        if raised is not None:
            raise raised(*value)
        return value

    def barrier(self) -> None:
        """Wait for all ranks."""
        if self.world_size > 1:
            dist.barrier()

    def close(self, within: float | None = None) -> None:
        """Leave the process group; this waits for messages under way, and on NCCL for all ranks to leave.

        within: seconds to wait, after which a thread waits in the background; None: no limit.
        """
        if self.world_size > 1 and dist.is_initialized():
            leaving = threading.Thread(target=dist.destroy_process_group, daemon=True)
            leaving.start()
            leaving.join(within)

    def __enter__(self) -> "Ranks":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(None if error is None else LEAVE_SECONDS)


def choose_device(choice: str, local_rank: int = 0) -> torch.device:
    """The device for `auto`, `cpu` or `cuda`; UserError when CUDA is asked for and absent."""
    if choice not in DEVICE_CHOICES:
        raise UserError(f"device={choice}", " | ".join(DEVICE_CHOICES), "choose one of these")
    available = torch.cuda.is_available()
    if choice == "cuda" and not available:
        raise UserError(
            "device=cuda, but this torch finds no CUDA device",
            "device=cpu, or device=auto, which takes CUDA where it is",
            "drop device=cuda, or install a CUDA build of torch on a machine with an NVIDIA GPU",
        )
    if choice == "cpu" or not available:
        return torch.device("cpu")
    if local_rank >= torch.cuda.device_count():
        raise UserError(
            f"local rank {local_rank} of torchrun, but {torch.cuda.device_count()} CUDA devices",
            "at most one process for each CUDA device",
            f"use --nproc_per_node={torch.cuda.device_count()}, or device=cpu",
        )
    return torch.device("cuda", local_rank)


def emulates_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 products are made of float32 ones on this device: slower by an order of magnitude."""
    if device.type != "cpu" or platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    features = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(features) and not (features.get("avx512_bf16") or features.get("amx_bf16"))


def join(device_choice: str = "auto", timeout: timedelta | None = None, local_rank: int | None = None) -> Ranks:
    """Join the process group that torchrun's environment describes; a plain `python` run is one rank.

    nccl carries CUDA tensors, gloo carries the CPU's.  timeout: how long a rank waits for the others (None: torch's).
    local_rank: which of the machine's GPUs; None: as torchrun says, or the first.
    """
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    rank = int(os.environ.get("RANK", "0"))
    local = int(os.environ.get("LOCAL_RANK", "0")) if local_rank is None else local_rank
    device = choose_device(device_choice, local)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    else:
        keep_freed_memory()
    if world_size > 1 and not dist.is_initialized():
        backend = "nccl" if device.type == "cuda" else "gloo"
        if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True":
            store = _store_of_this_start(rank, world_size, timeout or dist.constants.default_pg_timeout)
            dist.init_process_group(backend, store=store, rank=rank, world_size=world_size, timeout=timeout)
        else:
            dist.init_process_group(backend, timeout=timeout)
    return Ranks(rank, world_size, device)


def _store_of_this_start(rank: int, world_size: int, timeout: timedelta) -> dist.Store:
    """torchrun's store, without what earlier starts left in it (see trm_lab/cluster/rendezvous.py)."""
    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    shared = dist.TCPStore(host, port, world_size, is_master=False, timeout=timeout)
    return dist.PrefixStore(name_of_this_start(shared, rank, world_size, timeout), shared)

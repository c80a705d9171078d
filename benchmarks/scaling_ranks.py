"""One rank of the scaling measurement: trains a few steps and counts what it sends, keeps and waits for.

What is handed to torch.distributed is counted by wrapping its functions; what is then really sent, by the kernel's own
count of each TCP connection (TCP_INFO, Linux).
"""

import json
import os
import socket
import statistics
import struct
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from hydra import compose, initialize_config_dir

from benchmarks.machine import peak, start_peak
from benchmarks.scaling_model import Job
from trm.batch import Batch
from trm.model import PuzzleShape
from trm.randomness import torch_generator
from trm_lab.cluster.energy import EnergyMeter
from trm_lab.cluster.ranks import Ranks
from trm_lab.configuration.architecture import Architecture, architecture
from trm_lab.configuration.train_config import TrainConfig, train_config
from trm_lab.runs.checkpoint_writer import CheckpointWriter
from trm_lab.runs.retention import Retention
from trm_lab.runs.training_state import TrainingState, snapshot
from trm_lab.training.learner import Learner
from trm_lab.training.metric_window import Window
from trm_lab.training.weight_consistency import check_same_weights

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
VOCABULARY = 12
TINY = ("arch.hidden_size=64", "arch.num_heads=2")
BYTES_SENT = 200  # where struct tcp_info has tcpi_bytes_sent

PURPOSES = {  # who calls → what for
    "SignSGD.step": "puzzle gradients",
    "SignSGD._step_whole_table": "puzzle gradients",
    "SignSGD._sent_to_owners": "puzzle gradients",
    "PuzzleEmbedding._route": "puzzle identifiers",
    "PuzzleEmbedding._fetched": "puzzle rows",
    "PuzzleEmbedding.whole": "puzzle table",
    "Window.close": "metrics",
    "check_same_weights": "weights compared",
}


@dataclass(frozen=True)
class Trial:
    """What is measured; `settings` are overrides of the entry's configuration."""

    name: str
    entry: str
    settings: tuple[str, ...]
    grid: int
    puzzles: int
    batch: int
    ranks: int
    shared: bool = False
    steps: int = 3
    checkpoint: bool = True

    def composed(self) -> tuple[TrainConfig, Architecture]:
        """The run's configuration, and its architecture."""
        words = [*self.settings, f"global_batch_size={self.batch}", f"shard_puzzle_emb={self.shared}"]
        with initialize_config_dir(str(CONFIGS), version_base="1.3"):
            config = train_config(compose(self.entry, words))
        return config, architecture(config.arch)

    @property
    def shape(self) -> PuzzleShape:
        """Of the random puzzles."""
        return PuzzleShape(self.grid, VOCABULARY, self.puzzles)

    def job(self) -> Job:
        """What the model must know of it."""
        config, arch = self.composed()
        return Job.of(self.name, config, arch, self.shape, self.batch)


class Traffic:
    """Counts what is handed to torch.distributed while it is in force.

    payload: bytes by purpose.  seconds: in calls and in waiting for those under way, other ranks' delay with it.
    """

    COUNTED = ("all_reduce", "all_gather", "all_to_all_single", "send")

    def __init__(self) -> None:
        self.payload: dict[str, int] = defaultdict(int)
        self.seconds = 0.0
        self._kept: dict[str, Callable[..., Any]] = {}

    def __enter__(self) -> "Traffic":
        for name in (*self.COUNTED, "recv"):
            self._kept[name] = getattr(dist, name)
            setattr(dist, name, self._counting(name, self._kept[name]))
        return self

    def __exit__(self, *_: object) -> None:
        for name, function in self._kept.items():
            setattr(dist, name, function)

    def _counting(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            if name in self.COUNTED:
                tensor = given[1] if name in ("all_gather", "all_to_all_single") else given[0]
                self.payload[purpose(name, tensor)] += tensor.nbytes
            started = time.perf_counter()
            work = function(*given, **named)
            self.seconds += time.perf_counter() - started
            return Waiting(work, self) if named.get("async_op") else work

        return call


@dataclass(frozen=True)
class Waiting:
    """A message under way whose waiting is counted."""

    work: Any
    traffic: Traffic

    def wait(self) -> None:
        """See `trm_lab.cluster.ranks.Work`."""
        started = time.perf_counter()
        self.work.wait()
        self.traffic.seconds += time.perf_counter() - started


def purpose(kind: str, tensor: torch.Tensor) -> str:
    """What a message of this kind is for, by who sends it.

    Raises:
        RuntimeError: nobody known; `PURPOSES` is behind the code.
    """
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_code.co_filename.endswith("distributed.py"):
        frame = frame.f_back
    caller = frame.f_code.co_qualname
    if caller == "Learner.step":
        return "gradients" if tensor.dtype == torch.float32 else "step numbers"
    if caller == "SignSGD.step" and not tensor.is_floating_point():
        return "puzzle identifiers"
    if caller.startswith("Learner.tensors"):
        return "weights finite" if kind == "all_reduce" else "slots"
    if caller not in PURPOSES:
        raise RuntimeError(f"{caller} sends something that PURPOSES does not name")
    return PURPOSES[caller]


def bytes_sent() -> int | None:
    """By this process's TCP connections so far, as the kernel counts them; None where it does not tell."""
    if not Path("/proc/self/fd").is_dir():
        return None
    total = 0
    for number in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # no socket, not TCP, or closed meanwhile
            with socket.socket(fileno=os.dup(int(number))) as one:
                about = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 512)
            if len(about) >= BYTES_SENT + 8:
                total += struct.unpack_from("Q", about, BYTES_SENT)[0]
    return total


@dataclass(frozen=True)
class Counted:
    """What one rank measured; payloads in bytes by purpose, of one step, one record and one checkpoint.

    on_wire: bytes that the kernel sent in a step.  communication: seconds of a step in messages, waiting with it.
    memory: peak of the steps over what the process took before there was a model.  checkpoint_memory: the same with a
    checkpoint.  collecting, copying, writing: seconds of a checkpoint: gathering it, its private copy (these hold the
    training up), and writing it in the background.
    """

    rank: int
    step: dict[str, float]
    record: dict[str, float]
    checkpoint: dict[str, float]
    on_wire: float | None
    seconds: float
    communication: float
    memory: int
    checkpoint_memory: int
    collecting: float
    copying: float
    writing: float
    checkpoint_bytes: int


def measure(rank: int, trial: Trial, folder: str) -> None:
    """Be one of the ranks; the result goes into `folder` as JSON."""
    torch.set_num_threads(1)
    if trial.ranks > 1:
        store = f"file://{folder}/store"
        dist.init_process_group("gloo", store, rank=rank, world_size=trial.ranks)
    ranks = Ranks(rank, trial.ranks)
    try:
        counted = _measured(trial, ranks)
    finally:
        ranks.close()
    (Path(folder) / f"rank_{rank}.json").write_text(json.dumps(asdict(counted)), encoding="utf-8")


def _measured(trial: Trial, ranks: Ranks) -> Counted:
    warm, one = _parts(
        replace(trial, settings=(*trial.settings, *TINY), grid=16, puzzles=8, batch=2), Ranks()
    )
    warm().step(one)  # what the libraries take, whatever the model
    learner_of, batch = _parts(trial, ranks)
    start_peak(ranks.device)
    before = peak(ranks.device)
    learner, window = learner_of(), Window()
    start_peak(ranks.device)  # a table is whole for a moment before it is shared out
    learner.step(batch)  # makes the moments and the slots
    ranks.barrier()
    wire, seconds = bytes_sent(), []
    with Traffic() as steps:
        for _ in range(trial.steps):
            started = time.perf_counter()
            result = learner.step(batch)
            seconds.append(time.perf_counter() - started)
            window.add(result.output)
    after = bytes_sent()
    used = peak(ranks.device) - before
    with Traffic() as record:
        window.close(ranks, {}, trial.batch, EnergyMeter(ranks.device))
        window.record()
    costs = 0.0, 0.0, 0.0, 0
    with Traffic() as checkpoint:
        if trial.checkpoint:
            costs = _checkpoint(learner, ranks)
    each = trial.steps
    return Counted(
        ranks.rank,
        {name: total / each for name, total in steps.payload.items()},
        dict(record.payload),
        dict(checkpoint.payload),
        None if wire is None or after is None else (after - wire) / each,
        statistics.median(seconds),
        steps.seconds / each,
        used,
        peak(ranks.device) - before,
        *costs,
    )


def _parts(trial: Trial, ranks: Ranks) -> tuple[Callable[[], Learner], Batch]:
    """What makes the learner, and this rank's random batch."""
    config, arch = trial.composed()
    generator = torch_generator(0, "scaling")
    first, slots = ranks.local_slots(trial.batch)

    def draw(low: int, high: int, *size: int) -> torch.Tensor:
        whole = torch.randint(low, high, (trial.batch, *size), generator=generator, dtype=torch.int32)
        return whole[first : first + slots]

    batch = Batch(draw(0, VOCABULARY, trial.grid), draw(1, VOCABULARY, trial.grid), draw(0, trial.puzzles))

    def learner_of() -> Learner:
        supervision = arch.build(trial.shape)
        if config.shard_puzzle_emb and supervision.model.puzzle_emb is not None:
            supervision.model.puzzle_emb.shard(ranks)
        return Learner(config, supervision, ranks, 10**6)

    return learner_of, batch


def _checkpoint(learner: Learner, ranks: Ranks) -> tuple[float, float, float, int]:
    """Seconds of collecting, copying and writing, and bytes written; the last two on the first rank."""
    started = time.perf_counter()
    check_same_weights(learner, ranks)
    parts = learner.tensors()
    collected = time.perf_counter()
    if not ranks.is_first:
        return collected - started, 0.0, 0.0, 0
    private = snapshot(TrainingState(**parts, state={"step": learner.steps_done}))
    copied = time.perf_counter()
    with (
        tempfile.TemporaryDirectory() as folder,
        CheckpointWriter(Retention(1, None, False)) as writer,
    ):
        writer.submit(Path(folder) / "step_1", private, keep=False)
        writer.wait()
        written = time.perf_counter()
    return collected - started, copied - collected, written - copied, private.nbytes()

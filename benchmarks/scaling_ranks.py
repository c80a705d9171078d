"""One rank of the scaling measurement: trains a few steps and counts what it hands over, keeps and waits for."""

import json
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
import torch.distributed as dist
from hydra import compose, initialize_config_dir

from benchmarks.machine import peak, start_peak
from trm.batch import Batch
from trm.model import PuzzleShape
from trm.randomness import torch_generator
from trm_lab.cluster.energy import EnergyMeter
from trm_lab.cluster.ranks import Ranks
from trm_lab.configuration.architecture import Architecture, architecture
from trm_lab.configuration.train_config import TrainConfig, register_defaults, train_config
from trm_lab.runs.checkpoint_writer import CheckpointWriter
from trm_lab.runs.retention import Retention
from trm_lab.runs.training_state import TrainingState, snapshot
from trm_lab.training.learner import Learner
from trm_lab.training.metric_window import Window
from trm_lab.training.weight_consistency import check_same_weights

register_defaults()
CONFIGS = Path(__file__).resolve().parents[1] / "configs"
VOCABULARY = 12
TINY = ("arch.hidden_size=64", "arch.num_heads=2")
SENDING = {  # collective → which of its arguments is the tensor that this rank hands over
    "all_reduce": 0,
    "all_gather": 1,
    "all_to_all_single": 1,
    "gather": 0,
}


@dataclass(frozen=True)
class Trial:
    """One measurement; `settings` are overrides of the entry's configuration.

    grid: tokens of a puzzle.  batch: over all ranks.  shared: the puzzle table is shared out over the ranks.
    """

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


class Traffic:
    """`with Traffic() as traffic:` counts what is handed to torch.distributed within.

    payload: bytes by collective.  seconds: in calls and in waiting for those under way, other ranks' delay included.
    """

    def __init__(self) -> None:
        self.payload: Counter[str] = Counter()
        self.seconds = 0.0
        self._patches = ExitStack()

    def __enter__(self) -> "Traffic":
        for name in SENDING:
            self._patches.enter_context(patch.object(dist, name, self._counting(name, getattr(dist, name))))
        return self

    def __exit__(self, *_: object) -> None:
        self._patches.close()

    def _counting(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            self.payload[name] += arguments[SENDING[name]].nbytes
            work = self.timed(function, *arguments, **named)
            return Waiting(work, self) if named.get("async_op") else work

        return call

    def timed(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Call a function, and add the time that it takes."""
        started = time.perf_counter()
        try:
            return function(*arguments, **named)
        finally:
            self.seconds += time.perf_counter() - started


@dataclass(frozen=True)
class Waiting:
    """A message under way, whose waiting is counted; see `trm_lab.cluster.ranks.Work`."""

    work: Any
    traffic: Traffic

    def wait(self) -> None:
        """Wait until it has arrived."""
        self.traffic.timed(self.work.wait)


@dataclass(frozen=True)
class Counted:
    """What one rank measured; payloads in bytes by collective, of one step, one record and one checkpoint.

    communication: seconds of a step in messages, waiting included.  memory: peak of the steps above what the process
    took before there was a model.  checkpoint_memory: the same with a checkpoint.  collecting, copying, writing:
    seconds of a checkpoint: gathering it, its private copy (these two hold up the training), and writing it in the
    background.
    """

    rank: int
    step: dict[str, float]
    record: dict[str, float]
    checkpoint: dict[str, float]
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
    with Ranks(rank, trial.ranks) as ranks:
        counted = _measured(trial, ranks)
    (Path(folder) / f"rank_{rank}.json").write_text(json.dumps(asdict(counted)), encoding="utf-8")


def _measured(trial: Trial, ranks: Ranks) -> Counted:
    tiny = replace(trial, settings=(*trial.settings, *TINY), grid=16, puzzles=8, batch=2, shared=False)
    make_tiny_learner, tiny_batch = _parts(tiny, Ranks())
    make_tiny_learner().step(tiny_batch)  # loads what the libraries take, whatever the model
    make_learner, batch = _parts(trial, ranks)
    start_peak(ranks.device)
    before = peak(ranks.device)
    learner, window = make_learner(), Window()
    start_peak(ranks.device)  # a table is whole for a moment before it is shared out
    learner.step(batch)  # makes the moments and the slots
    ranks.barrier()
    seconds = []
    with Traffic() as steps:
        for _ in range(trial.steps):
            started = time.perf_counter()
            result = learner.step(batch)
            seconds.append(time.perf_counter() - started)
            window.add(result.output)
    memory = peak(ranks.device) - before
    with Traffic() as record:
        window.close(ranks, {}, trial.batch, EnergyMeter(ranks.device))
        window.record()
    costs = 0.0, 0.0, 0.0, 0
    with Traffic() as checkpoint:
        if trial.checkpoint:
            costs = _checkpoint(learner, ranks)
    return Counted(
        ranks.rank,
        {name: total / trial.steps for name, total in steps.payload.items()},
        dict(record.payload),
        dict(checkpoint.payload),
        statistics.median(seconds),
        steps.seconds / trial.steps,
        memory,
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

    def make_learner() -> Learner:
        supervision = arch.build(PuzzleShape(trial.grid, VOCABULARY, trial.puzzles))
        if config.shard_puzzle_emb and supervision.model.puzzle_emb is not None:
            supervision.model.puzzle_emb.shard(ranks)
        return Learner(config, supervision, ranks, 10**6)

    return make_learner, batch


def _checkpoint(learner: Learner, ranks: Ranks) -> tuple[float, float, float, int]:
    """Seconds of collecting, copying and writing, and bytes written; the last three on the first rank."""
    started = time.perf_counter()
    check_same_weights(learner, ranks)
    parts = learner.tensors()
    collected = time.perf_counter()
    if not ranks.is_first:
        return collected - started, 0.0, 0.0, 0
    private_parts = ("carry",) if ranks.world_size > 1 else ()
    private = snapshot(TrainingState(**parts, state={"step": learner.steps_done}), private_parts)
    copied = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, CheckpointWriter(Retention(1, None, False)) as writer:
        writer.submit(Path(folder) / "step_1", private, keep=False)
        writer.wait()
        written = time.perf_counter()
    return collected - started, copied - collected, written - copied, private.nbytes()

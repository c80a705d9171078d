"""What a training step sends and keeps on each rank, and how long it takes: formulas, up to any number of ranks.

W ranks, B slots over all ranks, b = B/W of each, N puzzles, E embedding width, n trained weights, S = P + L tokens,
D hidden. Bytes sent by a rank: a ring all-reduce of s bytes takes 2(W−1)/W·s, an all-gather of s bytes a rank (W−1)·s
(Patarasuk & Yuan 2009), an exchange of s bytes a rank (W−1)/W·s, as every W-th slot's puzzle lies on the rank itself.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from trm.model import PuzzleShape
from trm_lab.configuration.architecture import Architecture
from trm_lab.configuration.train_config import TrainConfig
from trm_lab.training.flat_parameters import FlatParameters

FLOAT, INT, LONG, DOUBLE = 4, 4, 8, 8  # bytes
WORKING_COPIES = 5  # of the weights


@dataclass(frozen=True)
class Job:
    """What decides the cost of a step.

    trained, fixed: weights with and without gradient (the puzzle table apart).  tensors: that the trained ones are.
    flat: numbers of the vector in which these lie.
    frames: `[L]` int32 rows that a slot keeps besides question and answer (DIS: what is fed, and N+1 targets).
    latent: bytes of a number in z_H and z_L.  metrics: numbers of a record.  network_calls, gradient_calls: passes of
    the reasoning module, and those of them with gradient.  block: its weights.  shared: the table is shared out.
    """

    name: str
    trained: int
    tensors: int
    flat: int
    fixed: int
    block: int
    layers: int
    network_calls: int
    gradient_calls: int
    puzzles: int
    width: int
    batch: int
    tokens: int
    grid: int
    hidden: int
    frames: int
    latent: int
    metrics: int
    ema: bool
    mixes_by_attention: bool = True
    shared: bool = False

    @classmethod
    def of(cls, name: str, config: TrainConfig, arch: Architecture, shape: PuzzleShape, batch: int) -> "Job":
        """The job of a run's configuration."""
        network, steps = arch.network, arch.settings.halt_max_steps
        small = PuzzleShape(shape.seq_len, shape.vocab_size, 1)
        made = arch.build(small)
        trained = {name: p for name, p in made.model.named_parameters() if p.requires_grad}
        fixed = [p.numel() for p in made.model.parameters() if not p.requires_grad]
        return cls(
            name,
            sum(p.numel() for p in trained.values()),
            len(trained),
            FlatParameters(trained).vector.numel(),
            sum(fixed) + 2 * network.hidden_size,  # H_init, L_init
            sum(p.numel() for p in made.model.L_level.parameters()),
            network.L_layers,
            network.network_calls,
            network.L_cycles + 1,
            shape.num_puzzle_identifiers,
            network.puzzle_emb_ndim,
            batch,
            network.puzzle_tokens + shape.seq_len,
            shape.seq_len,
            network.hidden_size,
            steps + 2 if made.fixed_steps else 0,
            network.dtype.itemsize,
            # sums and counts of the metrics; energy, and whether it is known
            2 * (steps + (6 if made.fixed_steps else 8) + (network.puzzle_emb_ndim > 0)) + 2,
            config.ema,
            not network.mlp_t,
            config.shard_puzzle_emb,
        )

    def on(self, **changes: Any) -> "Job":
        """The same with other values."""
        return replace(self, **changes)

    @property
    def sums_small_table(self) -> bool:
        """Whether the table's gradient is summed as a whole: it has fewer rows than half the slots."""
        return not self.shared and 2 * self.puzzles < self.batch

    @property
    def slot_bytes(self) -> int:
        """What a slot keeps between steps: latents, question, answer, frames, identifier, step, halted."""
        return 2 * self.tokens * self.hidden * self.latent + (2 + self.frames) * self.grid * INT + 2 * INT + 1

    @property
    def slot_operations(self) -> float:
        """Floating-point operations of a step for one slot: a pass with gradient counts three times in the weights'
        products, and 3.5 times in attention, whose backward pass computes the scores again."""
        passes = self.network_calls + 2 * self.gradient_calls
        products = 2 * self.block * self.tokens * passes
        if not self.mixes_by_attention:
            return products
        scores = self.network_calls + 2.5 * self.gradient_calls
        return products + 4 * self.tokens**2 * self.hidden * self.layers * scores


@dataclass(frozen=True)
class Message:
    """One collective call. payload: bytes that a rank hands over, on the mean over ranks."""

    purpose: str
    kind: str  # all_reduce, all_gather, all_to_all, send
    payload: float

    def sent(self, ranks: int) -> float:
        """Bytes that a rank sends, on the mean over ranks."""
        share = {
            "all_reduce": 2 * (ranks - 1) / ranks,
            "all_gather": ranks - 1,
            "all_to_all": (ranks - 1) / ranks,
            "send": 1.0,
        }
        return share[self.kind] * self.payload


def step_messages(job: Job, ranks: int) -> list[Message]:
    """Of a training step, none for a single rank; records and checkpoints apart."""
    if ranks == 1:
        return []
    b = job.batch / ranks
    flat = [
        Message("gradients", "all_reduce", FLOAT * job.flat),
        Message("step numbers", "all_reduce", 4 * DOUBLE),
    ]
    if not job.width:
        return flat
    row = FLOAT * job.width
    if job.shared:
        return [
            *flat,
            Message("puzzle identifiers", "all_to_all", LONG * ranks),
            Message("puzzle identifiers", "all_to_all", INT * b),
            Message("puzzle rows", "all_to_all", row * b),
            Message("puzzle gradients", "all_to_all", row * b),
        ]
    if job.sums_small_table:
        return [*flat, Message("puzzle gradients", "all_reduce", job.puzzles * (row + FLOAT))]
    return [
        *flat,
        Message("puzzle gradients", "all_gather", row * b),
        Message("puzzle identifiers", "all_gather", INT * b),
    ]


def record_messages(job: Job, ranks: int) -> list[Message]:
    """Of one line of metrics.jsonl."""
    return [Message("metrics", "all_reduce", DOUBLE * job.metrics)] if ranks > 1 else []


def checkpoint_messages(job: Job, ranks: int) -> list[Message]:
    """Of one checkpoint: the ranks compare their weights, and the first one gets all slots and all shares."""
    if ranks == 1:
        return []
    vectors = 1 + (job.width > 0 and not job.shared)
    messages = [
        Message("weights compared", "all_reduce", 4 * vectors * LONG),
        Message("weights finite", "all_reduce", FLOAT),
        Message("slots", "all_gather", job.slot_bytes * job.batch / ranks),
    ]
    if job.shared:
        shares = -(-job.puzzles // ranks) * job.width * FLOAT * (ranks - 1) / ranks  # all but the first send
        messages.append(Message("puzzle table", "send", shares))
    return messages


def by_purpose(messages: Iterable[Message]) -> dict[str, float]:
    """Payloads summed by purpose."""
    total: dict[str, float] = {}
    for message in messages:
        total[message.purpose] = total.get(message.purpose, 0) + message.payload
    return total


def sent(messages: Iterable[Message], ranks: int) -> float:
    """Bytes that a rank sends, on the mean over ranks."""
    return sum(message.sent(ranks) for message in messages)


def memory(job: Job, ranks: int, activation_bytes: float) -> dict[str, float]:
    """Bytes on a rank while it trains; `activation_bytes` is what a step takes for each slot, as measured.

    working: a weight's gradients before they are added up over its uses, and the update's intermediate results; a
    multiple of the weights, as measured.
    """
    b = job.batch / ranks
    share = -(-job.puzzles // ranks) if job.shared else job.puzzles
    rows = 0.0
    if job.width and not job.sums_small_table:
        rows = 5 * FLOAT * job.width * (b if job.shared or ranks == 1 else job.batch)  # rows, sums, new rows
    return {
        "weights": FLOAT * (job.flat + job.fixed),
        "gradient": FLOAT * job.flat,
        "moments": 2 * FLOAT * job.flat,
        "working": WORKING_COPIES * FLOAT * job.flat,
        "average": FLOAT * job.flat if job.ema else 0,
        "puzzle table": FLOAT * share * job.width,
        "puzzle update": rows,
        "slots": job.slot_bytes * b,
        "activations": activation_bytes * b,
    }


def gathered_slots(job: Job, ranks: int) -> float:
    """Bytes that a checkpoint needs besides: every rank's slots on every rank, the largest tensor twice."""
    if ranks == 1:
        return 0
    largest = max(job.tokens * job.hidden * job.latent, (job.frames - 1) * job.grid * INT)
    return job.batch * (job.slot_bytes + largest)


def checkpoint_bytes(job: Job) -> float:
    """Tensors of a checkpoint; the same on any number of ranks."""
    weights = job.trained * (3 + job.ema) + job.tensors + job.fixed  # each tensor's moments know their step
    return FLOAT * (weights + job.puzzles * job.width) + job.batch * job.slot_bytes


@dataclass(frozen=True)
class Cluster:
    """Assumed, not measured: devices and links.

    rate: operations a second that a device attains with enough slots.  kernel_seconds: the least time of one kernel,
    which bounds a step with few slots.  node: devices within the fast link.  fast, slow: bytes a second and device
    within a node and between nodes.  latency: seconds of a collective, times log2 W.  peer: seconds that each further
    rank adds to an exchange.  disk: bytes a second of the disk.  copying: bytes a second from device to host.
    """

    rate: float = 350e12
    kernel_seconds: float = 6e-6
    node: int = 8
    fast: float = 400e9
    slow: float = 50e9
    latency: float = 20e-6
    peer: float = 2e-6
    disk: float = 2e9
    copying: float = 20e9

    def seconds(self, message: Message, ranks: int) -> float:
        """Of one collective."""
        band = self.fast if ranks <= self.node else self.slow
        waiting = self.latency * max(1.0, math.log2(ranks))
        if message.kind == "all_to_all":
            waiting += self.peer * (ranks - 1)
        return waiting + message.sent(ranks) / band

    def compute(self, job: Job, slots: float) -> float:
        """Seconds of a step's arithmetic on `slots` slots, no shorter than its kernels' launches."""
        kernels = job.layers * (12 * job.network_calls + 30 * job.gradient_calls) + 150
        return max(job.slot_operations * slots / self.rate, self.kernel_seconds * kernels)


@dataclass(frozen=True)
class Scaled:
    """One row of the table. slots: of a rank.  efficiency: speed-up over W."""

    ranks: int
    slots: int
    compute: float
    communication: float
    efficiency: float
    sent: float
    gathered: float
    memory: float

    @property
    def step(self) -> float:
        """Seconds."""
        return self.compute + self.communication


def scaled(job: Job, ranks: int, cluster: Cluster, activation_bytes: float) -> Scaled | None:
    """The job on `ranks` ranks at the same global batch; None where there are fewer slots than ranks."""
    if ranks > job.batch:
        return None
    slots = math.ceil(job.batch / ranks)  # the slowest rank's; a run wants a divisor
    messages = step_messages(job, ranks)
    compute = cluster.compute(job, slots)
    communication = sum(cluster.seconds(message, ranks) for message in messages)
    alone = cluster.compute(job, job.batch)
    rows = [m for m in messages if m.purpose.startswith("puzzle")]
    total = sum(memory(job, ranks, activation_bytes).values())
    efficiency = alone / (ranks * (compute + communication))
    return Scaled(
        ranks, slots, compute, communication, efficiency, sent(messages, ranks), sent(rows, ranks), total
    )

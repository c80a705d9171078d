"""What a run has spent on its training, and what an answer of it takes: calls, operations, seconds, joules.

A network call is one pass of the reasoning module over the batch. Operations are those of `trm_lab.flops`.
R training records, L grid tokens, V vocabulary.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analysis.comparing.scored_runs import plain_scored
from trm.errors import UserError, shown
from trm_lab.puzzles.arc.colours import TOKEN_COLOURS
from trm_lab.puzzles.maze.tokens import MAZE_CHARACTERS
from trm_lab.puzzles.queens.tokens import QUEENS_QUEEN
from trm_lab.puzzles.sudoku.tokens import SUDOKU_BLANK
from trm_lab.runs.recorded_evaluations import Evaluation
from trm_lab.runs.recorded_run import Run
from trm_lab.runs.recorded_training import Training

if TYPE_CHECKING:  # with the networks comes torch, for which no figure waits before its runs are read
    from trm.model import PuzzleShape
    from trm_lab.configuration.architecture import Architecture

_CPU = re.compile(r"\b(cpu|unknown|x86\w*|i\d86|arm\w*|aarch64|amd64|intel64|ppc64\w*|riscv\w*|s390x)\b", re.IGNORECASE)


@dataclass(frozen=True)
class TrainingCost:
    """Costs of the first updates of a run.

    network_calls, gradient_calls: passes over the batch, and those of them that carry gradient.
    seconds: updates × the median time of one, so that what lies between updates (evaluations, checkpoints, a machine
      that was busy for a while) does not count; None without training records, and unless all ran `on_gpu`.
    operations, joules: None where they are not known.
    """

    updates: int
    network_calls: int | float
    gradient_calls: int
    operations: int | float | None
    seconds: float | None
    joules: float | None


@dataclass(frozen=True)
class AnswerCosts:
    """Costs of one answer.

    operations: by formula, or counted where the formula lacks the dataset's shape; None where neither is there.
    seconds: as evaluate.py measured it on a GPU, without loading and scoring; None where it did not.
    device: on which evaluate.py measured; "" where it did not.
    joules: the same of energy; None where the device did not report it, either.
    """

    network_calls: int | float
    operations: int | float | None
    seconds: float | None
    device: str
    joules: float | None = None


def training_cost(run: Run, updates: int) -> TrainingCost:
    """What the first `updates` updates took."""
    training, batch = run.training, run.config.get("global_batch_size")
    from trm_lab.flops import step_flops

    network, shape = architecture(run), puzzle_shape(run)
    learning = 0 if network is None else network.network.gradient_calls
    operations, seconds = None, seconds_per_update(training)
    if network is not None and shape is not None and isinstance(batch, int):
        each = step_flops(network, shape)
        operations = None if each is None else each * batch * updates
    used: NDArray[np.float64] = training.joules[training.step <= updates]
    return TrainingCost(
        updates=updates,
        network_calls=_network_calls(training, updates),
        gradient_calls=learning * updates,
        operations=operations,
        seconds=updates * seconds if seconds is not None and on_gpu(device_of(run)) else None,
        joules=float(used.sum()) if len(used) and not np.isnan(used).any() else None,
    )


def _network_calls(training: Training, updates: int) -> int:
    """Network calls of the first updates; updates after the last record count as the last one says."""
    if not len(training.step):
        return 0
    ends = np.minimum(training.step, updates)
    ends[-1] = updates
    return int((np.diff(ends, prepend=0) * training.network_calls).sum())


def seconds_per_update(training: Training) -> float | None:
    """The median over the records, without the warm-up of each launch where anything is left; None without records."""
    lengths, seconds = np.diff(training.step, prepend=0), training.seconds
    if training.warm_up_steps is not None and training.warm_up_seconds is not None:
        timed = lengths > training.warm_up_steps
        if timed.any():
            lengths = (lengths - training.warm_up_steps)[timed]
            seconds = (seconds - training.warm_up_seconds)[timed]
    return float(np.median(seconds / np.maximum(lengths, 1))) if len(lengths) else None


def answer_costs(run: Run, evaluation: Evaluation) -> AnswerCosts:
    """What an answer of this evaluation, one of training's, takes."""
    measured = plain_scored(run, has=lambda one: one.cost is not None)
    cost = None if measured is None else measured.cost
    operations = operations_after_steps(run, evaluation)
    counted = cost.operations if cost and cost.network_calls == evaluation.calls_per_answer else None
    return AnswerCosts(
        network_calls=evaluation.calls_per_answer,
        operations=operations[-1] if operations else counted,
        seconds=cost.seconds if cost is not None and on_gpu(cost.device) else None,
        device="" if cost is None else f"{cost.ranks} × {cost.device}",
        joules=None if cost is None else cost.joules,
    )


def operations_after_steps(run: Run, evaluation: Evaluation) -> list[int] | None:
    """`[S]`, of an answer that stops after each supervision step; None where they are not known."""
    from trm_lab.flops import answer_flops

    arch, shape = architecture(run), puzzle_shape(run)
    each = None if arch is None or shape is None else answer_flops(arch, shape)
    return None if each is None else [each * step for step in range(1, len(evaluation.network_calls) + 1)]


def architecture(run: Run) -> "Architecture | None":
    """The method with its settings and the network's; None where config.yaml does not tell them."""
    from trm_lab.configuration.architecture import architecture as architecture_of
    from trm_lab.methods import METHODS

    arch = run.config.get("arch")
    if not isinstance(arch, Mapping) or arch.get("supervision") not in METHODS:
        return None
    try:
        return architecture_of(arch)
    except (UserError, TypeError):
        return None


def puzzle_shape(run: Run) -> "PuzzleShape | None":
    """L and V of the run's data; of records without them as they follow from the scorer or ARC, or else None."""
    from trm.model import PuzzleShape

    length, tokens = run.evaluation.seq_len or 0, run.evaluation.vocab_size or 0
    if length > 0 and tokens > 0:
        return PuzzleShape(length, tokens, 1)
    for task in run.evaluation.tasks:
        side = task.facts.get("size" if task.scorer == "sudoku" else "side")
        vocabulary = {
            "sudoku": SUDOKU_BLANK + 1 + side if isinstance(side, int) else 0,
            "queens": QUEENS_QUEEN + 1,
            "maze": len(MAZE_CHARACTERS),
        }.get(task.scorer)
        if vocabulary and isinstance(side, int):
            return PuzzleShape(side * side, vocabulary, 1)
    if run.evaluation.is_arc and run.samples is not None:
        return PuzzleShape(run.samples.inputs.shape[1], len(TOKEN_COLOURS), 1)
    return None


def on_gpu(device: str) -> bool:
    """Whether all of it is of GPUs, as `device_of` and scores name them.

    A CPU, named by its kind or by its machine's, is shared with whatever else runs there: its seconds measure nothing.
    """
    return not _CPU.search(device)


def device_of(run: Run) -> str:
    """On what a run was trained, as its provenance says: every kind that one of its launches had."""
    launches = run.provenance.get("launches")
    names = []
    for launch in launches if isinstance(launches, list) else []:
        if isinstance(launch, Mapping):
            ranks = launch.get("ranks", 1)
            names.append(f"{'' if ranks == 1 else f'{shown(ranks, 9)} × '}{shown(launch.get('device', 'unknown'), 60)}")
    return ", then ".join(dict.fromkeys(names)) or "unknown"

"""Running a builder as its command line does, and training a small model on what it built."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from dis_trm.supervision import DISConfig, DISSupervision
from tests.models import network
from trm.model import PuzzleShape, TinyRecursiveModel
from trm.optim import AdamAtan2
from trm.randomness import SeededStepRandom
from trm_lab.cluster.ranks import Ranks
from trm_lab.evaluation.evaluator import Evaluator
from trm_lab.puzzles.loading import EvaluationData, TrainingData
from trm_lab.puzzles.manifest import MANIFEST_FILE, fingerprint, read_command


def build(builder: ModuleType, output: Path, *flags: object) -> Path:
    """Run a builder's main on a command line."""
    builder.main(["--output-dir", str(output), *map(str, flags)])
    return output


def files(dataset: Path) -> dict[str, bytes]:
    """Every file's bytes."""
    return {p.relative_to(dataset).as_posix(): p.read_bytes() for p in dataset.rglob("*") if p.is_file()}


def check_same_bytes_twice(builder: ModuleType, folder: Path, *flags: object) -> None:
    """The same flags give the same bytes, wherever; another seed gives others."""
    first, second = (build(builder, folder / name, *flags) for name in ("first", "second"))
    assert files(first) == files(second)
    assert MANIFEST_FILE in files(first)
    command = read_command(first)  # for a configuration that would build at this place
    assert command is not None
    program = builder.command_line().prog
    assert command.differences(f"{program} {shlex.join(map(str, flags))}") == []
    other = build(builder, folder / "other", *flags, "--seed", 7)
    assert fingerprint(other) != fingerprint(first)


def train_and_score(dataset: Path, steps: int = 30, rows: int = 16) -> tuple[Sequence[float], dict[str, Any]]:
    """Train a small DIS model for some supervision steps; the losses, and its scores on the test split."""
    data = TrainingData([dataset], seed=0, global_batch_size=rows, epochs_per_iteration=10_000)
    test = EvaluationData([dataset], global_batch_size=rows)
    metadata = data.metadata
    shape = PuzzleShape(metadata.seq_len, metadata.vocab_size, metadata.num_puzzle_identifiers)
    settings = DISConfig(halt_max_steps=2)
    config = network(hidden_size=32, puzzle_emb_ndim=32, H_cycles=1, L_cycles=2)
    model = TinyRecursiveModel(config, shape, DISSupervision.step_rows(settings))
    supervision = DISSupervision(model, settings)
    optimizer = AdamAtan2(model.parameters(), lr=3e-3)
    carry, losses = None, []
    data.start_iteration(0)
    for step in range(steps):
        batch = data.next_batch()
        assert batch is not None
        carry = carry if carry is not None else supervision.initial_carry(batch)
        output = supervision.step(carry, batch, SeededStepRandom(0, step, rows, 0, rows))
        (output.loss / rows).backward()
        optimizer.step()
        optimizer.zero_grad()
        carry = output.carry
        losses.append(output.loss.item() / rows)
    with torch.no_grad():
        scores = Evaluator(supervision, test, Ranks(), arc=False).run().scores
    return losses, scores


def check_learns_and_is_scored(dataset: Path, scorer: str, steps: int = 30) -> dict[str, Any]:
    """A few steps lower the loss, and the dataset's own scorer judges the answers; its scores."""
    losses, scores = train_and_score(dataset, steps)
    tenth = max(1, steps // 5)
    assert sum(losses[-tenth:]) < sum(losses[:tenth]), losses
    (task,) = scores["tasks"]
    assert task["scorer"] == scorer
    assert task["examples"] == scores["examples"]
    assert 0 <= task["verdicts"]["solved"] <= task["examples"]
    return task

"""Small models with random weights of puzzles that the page to play with knows, made without training."""

from pathlib import Path
from typing import Any

import torch

from dis_trm.supervision import DISConfig, DISSupervision
from tests.exportable import write_run
from tests.models import network
from trm.act import ACTConfig, ACTSupervision
from trm.batch import IGNORE_LABEL, Batch
from trm.model import PuzzleShape, TinyRecursiveModel
from trm.randomness import SeededStepRandom
from trm.supervision import StepOutput, Supervision

SUDOKU = PuzzleShape(seq_len=36, vocab_size=8, num_puzzle_identifiers=1)
QUEENS = PuzzleShape(seq_len=16, vocab_size=3, num_puzzle_identifiers=1)
MAZE = PuzzleShape(seq_len=25, vocab_size=6, num_puzzle_identifiers=1)
MLP: dict[str, Any] = {"mlp_t": True, "pos_encodings": "none", "puzzle_emb_ndim": 0}


def small_dis(shape: PuzzleShape, settings: DISConfig | None = None, **changes: Any) -> DISSupervision:
    settings = settings or DISConfig(halt_max_steps=3)
    model = TinyRecursiveModel(network(**changes), shape, DISSupervision.step_rows(settings))
    return DISSupervision(model, settings)


def small_trm(shape: PuzzleShape, **changes: Any) -> ACTSupervision:
    """Its halting head and its puzzle embedding, which start at zero, are drawn too."""
    model = TinyRecursiveModel(network(**changes), shape)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        model.q_head.weight.normal_(generator=generator)
    if model.puzzle_emb is not None:
        model.puzzle_emb.weights.normal_(generator=generator)
    return ACTSupervision(model, ACTConfig(halt_max_steps=4))


def written(folder: Path, supervision: Supervision[Any]) -> Path:
    """A run with one checkpoint of it."""
    return write_run(folder, supervision, "act" if isinstance(supervision, ACTSupervision) else "dis")


@torch.no_grad()
def steps_of(supervision: Supervision[Any], question: torch.Tensor, longer: int = 1) -> list[StepOutput[Any]]:
    """Every supervision step of one question `[L]`, as an evaluation takes them.

    longer: times as many steps as trained.
    """
    supervision.model.eval()
    trained = supervision.max_steps
    supervision.take_steps(trained * longer)
    batch = Batch(question[None], torch.full_like(question[None], IGNORE_LABEL), torch.zeros(1, dtype=torch.int32))
    carry, outputs = supervision.initial_carry(batch), []
    for step in range(supervision.max_steps):
        outputs.append(supervision.step(carry, batch, SeededStepRandom(0, step, 1)))
        carry = outputs[-1].carry
    supervision.take_steps(trained)
    return outputs

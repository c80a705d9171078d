"""Small models and batches for tests."""

from typing import Any

import torch

from dis_trm.supervision import DISConfig, DISSupervision
from trm.act import ACTConfig, ACTSupervision
from trm.batch import Batch
from trm.model import PuzzleShape, TinyRecursiveModel, TRMConfig
from trm.randomness import SeededStepRandom

SHAPE = PuzzleShape(seq_len=16, vocab_size=12, num_puzzle_identifiers=9)


def network(**changes: Any) -> TRMConfig:
    small = {
        "hidden_size": 16,
        "num_heads": 2,
        "L_layers": 1,
        "H_cycles": 2,
        "L_cycles": 3,
        "puzzle_emb_ndim": 16,
        "puzzle_emb_len": 2,
        "forward_dtype": "float32",
    }
    return TRMConfig(**{**small, **changes})


def act(settings: ACTConfig | None = None, **changes: Any) -> ACTSupervision:
    settings = settings or ACTConfig(halt_max_steps=4)
    return ACTSupervision(TinyRecursiveModel(network(**changes), SHAPE), settings)


def dis(settings: DISConfig | None = None, **changes: Any) -> DISSupervision:
    settings = settings or DISConfig(halt_max_steps=3)
    rows = DISSupervision.step_rows(settings)
    return DISSupervision(TinyRecursiveModel(network(**changes), SHAPE, rows), settings)


def batch(slots: int = 4, seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)

    def tokens(low: int, high: int, *shape: int) -> torch.Tensor:
        return torch.randint(low, high, shape, generator=generator, dtype=torch.int32)

    return Batch(tokens(0, 12, slots, 16), tokens(1, 12, slots, 16), tokens(1, 9, slots))


def draws(step: int = 1, slots: int = 4) -> SeededStepRandom:
    return SeededStepRandom(0, step, slots)

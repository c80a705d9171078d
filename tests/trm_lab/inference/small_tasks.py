"""Tasks for a canvas of 4×4, and a model that repeats the question, for tests."""

from dataclasses import replace
from typing import Any

import numpy as np

from tests.models import act
from trm.act import ACTCarry, ACTSupervision
from trm.batch import Batch
from trm.randomness import StepRandom
from trm.supervision import StepOutput
from trm_lab.puzzles.arc.grids import Grid
from trm_lab.puzzles.arc.sources import Pair, Task

CANVAS = 4


def grid(height: int, width: int, seed: int = 0) -> Grid:
    return np.random.default_rng([height, width, seed]).integers(0, 10, (height, width)).astype(np.uint8)


def task(name: str = "small", demonstrations: int = 2, tests: int = 2, seed: int = 0) -> Task:
    """Random grids of 2×3 that turn into 3×2; the last test output is hidden."""
    pairs = [
        Pair(grid(2, 3, 100 * seed + 2 * n), grid(3, 2, 100 * seed + 2 * n + 1)) for n in range(demonstrations + tests)
    ]
    hidden = Pair(pairs[-1].input, None)
    return Task(name, tuple(pairs[:demonstrations]), (*pairs[demonstrations:-1], hidden))


class Repeating(ACTSupervision):
    """Answers every question with the question, and counts its steps."""

    made = 0

    def step(self, carry: ACTCarry, batch: Batch, rng: StepRandom) -> StepOutput[ACTCarry]:
        output = super().step(carry, batch, rng)
        self.made += 1
        return replace(output, predictions=output.carry.inputs)


def repeating(**changes: Any) -> Repeating:
    plain = act(**changes)
    return Repeating(plain.model, plain.config)

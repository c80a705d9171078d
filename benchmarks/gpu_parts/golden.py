"""Part 2: numbers recorded from the published implementations, and ours on this GPU in float64 and float32."""

import math
from collections.abc import Iterator

import torch

from benchmarks.gpu_parts.part import Row, verdict
from tests.golden.cases import Case, rollouts
from tests.golden.replay import adam_atan2_errors, first_step_errors, last_errors, token_loss_errors

FLOAT32_FACTOR = 4.0  # times what a CPU is allowed in float32: a GPU adds in another order
GRADIENTS, WEIGHTS, LOSSES, OPTIMIZER = 1e-6, 1e-6, 1e-5, 1e-12  # relative


def measure(device: torch.device) -> Iterator[Row]:
    """A row for each case and dtype: its largest error, where it is, and whether it is allowed."""
    yield row("token losses", "float32", token_loss_errors(device), LOSSES)
    yield row("Adam-atan2", "float64", adam_atan2_errors(device), OPTIMIZER)
    for name in rollouts():
        case = Case(name)
        float32 = FLOAT32_FACTOR * case.float32_tolerance
        yield row(f"{name}, first step", "float64", first_step_errors(case, "float64", device), GRADIENTS)
        yield row(f"{name}, first step", "float32", first_step_errors(case, "float32", device), float32)
        yield row(f"{name}, all updates and an evaluation", "float64", last_errors(case, device), WEIGHTS)


def row(case: str, dtype: str, errors: dict[str, float], allowed: float) -> Row:
    """The largest error of a case; nan is larger than any number."""
    place, error = max(errors.items(), key=lambda pair: math.inf if math.isnan(pair[1]) else pair[1])
    return {
        "table": "Recorded numbers of the published implementations (relative errors)",
        "case": case,
        "dtype": dtype,
        "largest error": error,
        "of": place,
        "allowed": allowed,
        "": verdict(error, allowed),
    }

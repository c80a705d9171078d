"""Floating-point operations of a training step and of an answer, counted by torch while a model without memory runs.

Only the dense products are counted, 2·m·n·k each (a multiplication and an addition are two); what lies between them
(norms, rotation, softmax, loss, update) is left out. The backward pass is counted like the forward one.
"""

from functools import lru_cache
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from trm.batch import IGNORE_LABEL, Batch
from trm.model import PuzzleShape
from trm.randomness import SeededStepRandom
from trm.supervision import Supervision
from trm_lab.configuration.architecture import Architecture

MOST_CALLS = 4096  # network calls of a step that are counted: a stranger's configuration may ask for any number


class FlopCounter(TorchDispatchMode):
    """`with FlopCounter() as counter:` afterwards `counter.total` holds the operations of what ran within.

    torch's own `FlopCounterMode` also keeps track of modules, and cannot bear a call without gradient inside a step
    with gradient; the formulas are torch's.
    """

    total = 0

    def __torch_dispatch__(
        self, function: Any, types: Any, arguments: tuple[Any, ...] = (), named: dict[str, Any] | None = None
    ) -> Any:
        result = function(*arguments, **(named or {}))
        count = flop_registry.get(function._overloadpacket)
        if count is not None:
            self.total += count(*arguments, **(named or {}), out_val=result)
        return result


@lru_cache(maxsize=256)
def step_flops(architecture: Architecture, shape: PuzzleShape) -> int | None:
    """Operations of a training step, for each example; None where the step has more than `MOST_CALLS` calls."""
    return _count(architecture, shape, training=True)


@lru_cache(maxsize=256)
def answer_flops(architecture: Architecture, shape: PuzzleShape) -> int | None:
    """Operations of one supervision step of an answer, for each example; None as for `step_flops`."""
    return _count(architecture, shape, training=False)


def trained_weights(architecture: Architecture, shape: PuzzleShape) -> int:
    """Numbers that the optimizer updates: all weights but the puzzle table."""
    return sum(p.numel() for p in _without_memory(architecture, shape).model.parameters() if p.requires_grad)


def _without_memory(architecture: Architecture, shape: PuzzleShape) -> Supervision[Any]:
    with torch.device("meta"):
        return architecture.build(shape)


def _count(architecture: Architecture, shape: PuzzleShape, training: bool) -> int | None:
    if architecture.network.block_passes[0] > MOST_CALLS:
        return None
    supervision = _without_memory(architecture, shape)
    supervision.model.train(training)
    tokens = torch.zeros(1, shape.seq_len, dtype=torch.int32, device="meta")
    blank = torch.zeros(1, dtype=torch.int32, device="meta")
    labels, path = torch.full_like(tokens, IGNORE_LABEL), tokens[:, None]
    batch = Batch(tokens, labels, blank, reveal_order=tokens, stored_steps=path)  # whatever targets may read
    carry = supervision.initial_carry(batch)
    with torch.set_grad_enabled(training), FlopCounter() as counter:
        output = supervision.step(carry, batch, SeededStepRandom(0, 0, 1))
        if training:
            output.loss.backward()
    return counter.total

"""Answers to a batch, step by step. B slots, L grid tokens, S supervision steps."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from trm.losses import TOKEN_LOSSES, sequence_loss
from trm.puzzles.batch import IGNORE_LABEL, Batch
from trm.randomness import StepRandom
from trm.supervision import StepOutput, Supervision


@dataclass(frozen=True)
class Rollout:
    """What a model answered.

    predictions: `[B, S, L]` uint8, after each step.  right: `[B, S]` int32, scored tokens that are right.
    scored: `[B]` int32, tokens with a known answer.  loss: `[B]` float64 token loss of the last step.
    q_halt_logits `[B]` float32, confidence `[B]` float64: of the last step.
    network_calls: `[S]`, summed up to each step.
    """

    predictions: Tensor
    right: Tensor
    scored: Tensor
    loss: Tensor
    q_halt_logits: Tensor
    confidence: Tensor
    network_calls: list[int]


@torch.no_grad()
def roll_out(supervision: Supervision[Any], batch: Batch, rng: StepRandom) -> Rollout:
    """Answer every row of `batch` from scratch, until all slots have finished; the model is in eval mode."""
    outputs = list(_steps(supervision, batch, rng))
    predictions = torch.stack([p for p, _, _ in outputs], 1)  # [B, S, L]
    counted = batch.labels != IGNORE_LABEL
    right = (counted[:, None] & (predictions == batch.labels[:, None])).sum(-1)
    calls = torch.tensor([c for _, c, _ in outputs]).cumsum(0).tolist()
    last = outputs[-1][2]
    assert last is not None
    token_loss = TOKEN_LOSSES[supervision.loss_type]
    return Rollout(
        predictions=predictions.to(torch.uint8),
        right=right.int(),
        scored=counted.sum(-1).int(),
        loss=sequence_loss(token_loss, last.logits, batch.labels).double(),
        q_halt_logits=last.q_halt_logits.float(),
        confidence=supervision.confidence(last).double(),
        network_calls=calls,
    )


def _steps(
    supervision: Supervision[Any], batch: Batch, rng: StepRandom
) -> Iterator[tuple[Tensor, int, StepOutput[Any] | None]]:
    """(predictions, network calls, the whole output of the last step) of each step."""
    carry = supervision.initial_carry(batch)
    for step in range(1, supervision.max_steps + 1):  # in evaluation every slot takes them all
        output = supervision.step(carry, batch, rng)
        carry = output.carry
        yield output.predictions, output.network_calls, output if step == supervision.max_steps else None

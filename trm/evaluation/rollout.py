"""Answers to a batch, step by step. B slots, L grid tokens, S supervision steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from trm.losses import TOKEN_LOSSES, sequence_loss
from trm.puzzles.batch import Batch, token_tensor_dtype
from trm.randomness import StepRandom
from trm.supervision import Supervision


class StepProbe(Protocol):
    """What else to learn of a step than its answer, from the head's logits before and after it.

    reference: `[B, L, V]` of the answer that the step starts from (before the first step: of H_init).
    conditional: `[B, L, V]` of the answer that it makes.  labels: `[B, L]`.
    Gives tensors `[B, …]` by name, the same names at every step.
    """

    def __call__(self, reference: Tensor, conditional: Tensor, labels: Tensor) -> dict[str, Tensor]: ...


@dataclass(frozen=True)
class Rollout:
    """What a model answered.

    predictions: `[B, S, L]` of `token_tensor_dtype`, after each step.  loss: `[B]` float64 token loss of the last step.
    q_halt_logits `[B, S]` float32, confidence `[B, S]` float64: after each step.
    network_calls: `[S]`, summed up to each step.  probes: `[B, S, …]` by name.
    """

    predictions: Tensor
    loss: Tensor
    q_halt_logits: Tensor
    confidence: Tensor
    network_calls: list[int]
    probes: dict[str, Tensor]


@torch.no_grad()
def roll_out(
    supervision: Supervision[Any], batch: Batch, rng: StepRandom, probes: Sequence[StepProbe] = ()
) -> Rollout:
    """Answer every row of `batch` from scratch, until all slots have finished; the model is in eval mode."""
    model, carry = supervision.model, supervision.initial_carry(batch)
    reference = model.answer_logits(carry.z_H) if probes else None
    predictions, q_halt, confidence, calls, probed = [], [], [], [], []
    for _ in range(supervision.max_steps):  # in evaluation every slot takes them all
        output = supervision.step(carry, batch, rng)
        carry = output.carry
        predictions.append(output.predictions.to(token_tensor_dtype(output.logits.shape[-1])))
        q_halt.append(output.q_halt_logits.float())
        confidence.append(supervision.confidence(output).double())
        calls.append(output.network_calls)
        if reference is not None:
            probed.append(
                {
                    name: value
                    for probe in probes
                    for name, value in probe(reference, output.logits, batch.labels).items()
                }
            )
            reference = output.logits
    token_loss = TOKEN_LOSSES[supervision.loss_type]
    return Rollout(
        predictions=torch.stack(predictions, 1),  # [B, S, L]
        loss=sequence_loss(token_loss, output.logits, batch.labels).double(),
        q_halt_logits=torch.stack(q_halt, 1),
        confidence=torch.stack(confidence, 1),
        network_calls=torch.tensor(calls).cumsum(0).tolist(),
        probes={name: torch.stack([step[name] for step in probed], 1) for name in (probed or [{}])[0]},
    )

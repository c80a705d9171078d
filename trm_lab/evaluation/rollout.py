"""Answers to a batch, step by step. B slots, L grid tokens, S supervision steps."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from trm.batch import Batch, token_tensor_dtype
from trm.losses import TOKEN_LOSSES, mean_log_probability, sequence_loss
from trm.randomness import StepRandom
from trm.supervision import Supervision
from trm_lab.evaluation.answer_cells import AnswerCells, every_cell
from trm_lab.evaluation.improvement import step_improvement, step_target

SPENT = "network_calls_spent"  # among the probes, where rows stop at different steps: `[B]` float64, of each row
Confidence = Callable[[Tensor, Tensor], Tensor]  # of logits `[B, L, V]` and the tokens `[B, L]` decoded from them


class StepProbe(Protocol):
    """What else to learn of a step than its answer, from the head's logits before and after it.

    reference: `[B, L, V]` of the answer that the step starts from (before the first step: of the initial latents).
    conditional: `[B, L, V]` of the answer that it makes.  labels: `[B, L]`.
    confidence: gives `[B]`, the confidence of other answers than the model's own; None where it is not wanted.
    Gives tensors `[B, …]` by name, the same names at every step.
    """

    def __call__(
        self, reference: Tensor, conditional: Tensor, labels: Tensor, confidence: Confidence | None
    ) -> dict[str, Tensor]: ...


@dataclass(frozen=True)
class Rollout:
    """What a model answered.

    predictions: `[B, S, L]` of `token_tensor_dtype`, after each step.  loss: `[B]` float64 token loss of the last step.
    q_halt_logits `[B, S]` float32, confidence `[B, S]` float64: after each step.
    network_calls: `[S]`, summed up to each step.  probes: `[B, …]` by name, of each step but for `SPENT`.
    """

    predictions: Tensor
    loss: Tensor
    q_halt_logits: Tensor
    confidence: Tensor
    network_calls: list[int]
    probes: dict[str, Tensor]


@torch.no_grad()
def roll_out(
    supervision: Supervision[Any],
    batch: Batch,
    rng: StepRandom,
    probes: Sequence[StepProbe] = (),
    answer_cells: AnswerCells | None = None,
    most_steps: int | None = None,
    improvement: bool = False,
) -> Rollout:
    """Answer every row of `batch` from scratch, until all slots have finished; the model is in eval mode.

    most_steps: stop after so many, to warm up.
    answer_cells: over which the confidence of an answer is taken; None: over all, and of the model's own answers only.
    improvement: also probe whether each step lowers the cross-entropy (`improvement.py`).
    """
    token_loss = TOKEN_LOSSES[supervision.loss_type]

    def confidence_of(logits: Tensor, tokens: Tensor) -> Tensor:
        return mean_log_probability(token_loss, logits, tokens, (answer_cells or every_cell)(tokens))

    confidence_of_others = None if answer_cells is None else confidence_of
    model, carry = supervision.model, supervision.initial_carry(batch)
    reference = model.answer_logits(carry.latents) if probes or improvement else None
    predictions, q_halt, confidence, calls, probed = [], [], [], [], []
    for _ in range(min(supervision.max_steps, most_steps or supervision.max_steps)):  # in evaluation all take all
        output = supervision.step(carry, batch, rng)
        carry = output.carry
        predictions.append(output.predictions.to(token_tensor_dtype(output.logits.shape[-1])))
        q_halt.append(output.q_halt_logits.float())
        cells = (answer_cells or every_cell)(output.predictions)
        confidence.append(supervision.confidence(output, cells).double())
        calls.append(output.network_calls)
        if reference is not None:
            of_step: dict[str, Tensor] = {}
            for probe in probes:
                of_step |= probe(reference, output.logits, batch.labels, confidence_of_others)
            if improvement:
                target = step_target(supervision, carry, rng)
                of_step |= step_improvement(reference, output.logits, batch.labels, target, token_loss)
            probed.append(of_step)
            reference = output.logits
    return Rollout(
        predictions=torch.stack(predictions, 1),  # [B, S, L]
        loss=sequence_loss(token_loss, output.logits, batch.labels).double(),
        q_halt_logits=torch.stack(q_halt, 1),
        confidence=torch.stack(confidence, 1),
        network_calls=torch.tensor(calls).cumsum(0).tolist(),
        probes={name: torch.stack([step[name] for step in probed], 1) for name in (probed or [{}])[0]},
    )

"""DIS: exactly N steps for an example, each trained towards its own target; no halting.

B slots, L grid tokens, D hidden, V vocabulary, N supervision steps. DIS, arXiv 2511.16886 v2, Fig. 3, and its
published code. Where the two part, a switch of `DISConfig` says which is meant (method.md, "DIS supervision").
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dis_trm.targets import SCHEDULES, Corruption
from trm.act import check_loss_type, check_supervision_steps
from trm.errors import UserError
from trm.losses import TOKEN_LOSSES, sequence_loss
from trm.model import Latents, TinyRecursiveModel
from trm.puzzles.batch import Batch
from trm.randomness import StepRandom
from trm.supervision import (
    Carry,
    Correctness,
    StepOutput,
    choose,
    detached,
    empty_slots,
    metric_sums,
    start_slots,
)

SWITCHES = {
    "feed": ("prediction", "question"),
    "target_kernel": ("reveal", "mask", "replace"),
    "target_schedule": tuple(SCHEDULES),
    "pad_cells": ("release", "ignore"),
    "step_weights": ("uniform", "linear"),
    "step_index": ("integer", "continuous", "none"),
    "loss_terms": ("single", "dual"),
}


@dataclass(frozen=True)
class DISConfig:
    """DIS's supervision; the defaults are the released code.

    halt_max_steps: N, the exact number of supervision steps.
    feed: tokens embedded after step 1: the previous `prediction` (release) or always the `question` (paper).
    target_kernel, target_schedule, pad_cells, mask_token: see `dis_trm.targets.Corruption`.
    step_weights: `uniform` (release), or `linear`: w_s = 2s / (N+1), whose mean is 1 (paper §5.3).
    step_index: `integer` (a learned row for each step), `continuous` (s/N times one learned vector), `none`.
    loss_terms: `single`, CE(ℓ_c, y†_s), or `dual`, CE(ℓ_u, y†_{s−1}) + CE(ℓ_c, y†_s) (paper Eq. 9), where
      ℓ_u and ℓ_c are the head's logits before and after the step.
    """

    halt_max_steps: int = 6
    feed: str = "prediction"
    target_kernel: str = "reveal"
    target_schedule: str = "linear"
    pad_cells: str = "release"
    mask_token: int = 0
    step_weights: str = "uniform"
    step_index: str = "integer"
    loss_terms: str = "single"
    loss_type: str = "stablemax_cross_entropy"

    def __post_init__(self) -> None:
        check_supervision_steps(self.halt_max_steps)
        check_loss_type(self.loss_type)
        for key, allowed in SWITCHES.items():
            if getattr(self, key) not in allowed:
                raise UserError(
                    f"arch.{key}={getattr(self, key)}", " | ".join(allowed), f"set arch.{key} to one of these"
                )


@dataclass(frozen=True)
class DISCarry(Carry):
    """The slots, with fed `[B, L]`, the tokens to embed next, and path `[B, N+1, L]`, the targets; int32."""

    fed: Tensor
    path: Tensor


class DISSupervision:
    """Fixed-step slots, a target for each step."""

    config_class = DISConfig
    fixed_steps = True
    votes_ranked_by = "count, then mean token log-probability of the answer"

    def __init__(self, model: TinyRecursiveModel, config: DISConfig) -> None:
        if not 0 <= config.mask_token < model.shape.vocab_size:
            raise UserError(
                f"arch.mask_token={config.mask_token}",
                f"a token of the vocabulary, 0 to {model.shape.vocab_size - 1}",
                "set it to 0, the PAD token",
            )
        self.model, self.config = model, config
        self.max_steps, self.loss_type = config.halt_max_steps, config.loss_type
        self.corruption = Corruption(
            config.target_kernel,
            config.target_schedule,
            config.pad_cells,
            config.halt_max_steps,
            model.shape.vocab_size,
            config.mask_token,
        )
        self.token_loss = TOKEN_LOSSES[config.loss_type]

    @staticmethod
    def step_rows(config: DISConfig) -> int:
        """Rows of the supervision-step table: N + 2 as released (1..N are read), or one direction, or none."""
        return {"integer": config.halt_max_steps + 2, "continuous": 1, "none": 0}[config.step_index]

    def initial_carry(self, batch: Batch) -> DISCarry:
        """Slots shaped like `batch`, every one marked halted."""
        slots = empty_slots(self.model, batch)
        path = slots["labels"][:, None].expand(-1, self.max_steps + 1, -1)
        return DISCarry(**slots, fed=slots["inputs"], path=path)

    def step(self, carry: DISCarry, batch: Batch, rng: StepRandom) -> StepOutput[DISCarry]:
        """One supervision step; see `trm.supervision.Supervision`."""
        model = self.model
        carry = self._start(carry, batch, rng)
        steps = carry.steps + 1
        x = model.embed(carry.fed, carry.puzzle_identifiers, self._step_embedding(steps))  # [B, P+L, D]
        latents = model.recurse(Latents(carry.z_H, carry.z_L), x)
        logits = model.answer_logits(latents.z_H)  # [B, L, V]
        losses = self._losses(carry, steps, logits)  # [B]
        predictions = logits.argmax(-1).int()
        halted = steps >= self.max_steps
        metrics = metric_sums(Correctness.of(predictions, carry.labels), steps, halted, self.max_steps)
        metrics["lm_loss"] = losses.detach().sum()
        fed = predictions if self.config.feed == "prediction" else carry.inputs
        after = replace(carry, **detached(latents), steps=steps, halted=halted, fed=fed)
        with torch.no_grad():  # no halting loss: the head is read, never trained
            q_halt = model.halting_logits(after.z_H)[:, 0]
        loss = (losses * self._step_weight(steps)).sum()
        return StepOutput(after, loss, logits, predictions, q_halt, metrics, model.config.network_calls)

    def confidence(self, output: StepOutput[DISCarry]) -> Tensor:
        """Mean log-probability of the predicted tokens; DIS has no halting probability."""
        return -self.token_loss(output.logits, output.predictions).mean(-1)

    def _start(self, carry: DISCarry, batch: Batch, rng: StepRandom) -> DISCarry:
        """Fill the free slots: question fed, and a new path of targets."""
        if not bool(carry.halted.any()):
            return carry
        free = carry.halted
        carry = start_slots(self.model, carry, batch)
        path = self.corruption.path(carry.inputs, carry.labels, rng)
        return replace(carry, fed=choose(free, carry.inputs, carry.fed), path=choose(free, path, carry.path))

    def _losses(self, carry: DISCarry, steps: Tensor, logits: Tensor) -> Tensor:
        """Each slot's token loss `[B]` at its step, unweighted."""
        losses = sequence_loss(self.token_loss, logits, _frame(carry.path, steps))
        if self.config.loss_terms == "dual":
            before = self.model.answer_logits(carry.z_H)
            losses = losses + sequence_loss(self.token_loss, before, _frame(carry.path, steps - 1))
        return losses

    def _step_embedding(self, steps: Tensor) -> Tensor | None:
        """`[B, D]` for step numbers `[B]`, or None without a step index."""
        table = self.model.timestep_embed
        if table is None:
            return None
        if self.config.step_index == "continuous":
            time = (steps / self.max_steps).to(table.dtype)
            return time[:, None] * table.embedding_weight.to(table.dtype)
        return table(steps)

    def _step_weight(self, steps: Tensor) -> Tensor | float:
        """w_s, of mean 1 over s = 1..N."""
        return 2 * steps / (self.max_steps + 1) if self.config.step_weights == "linear" else 1.0


def _frame(path: Tensor, steps: Tensor) -> Tensor:
    """The frame `[B, L]` of each slot's step `[B]`."""
    return path[torch.arange(len(path), device=path.device), steps.long()]

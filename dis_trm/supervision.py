"""DIS: exactly N steps for an example, each trained towards its own target; no halting.

B slots, L grid tokens, D hidden, V vocabulary, N supervision steps. DIS, arXiv 2511.16886 v2, Fig. 3, and its
published code. Where the two part, a switch of `DISConfig` says which is meant (docs/method.md, "DIS supervision").
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from dis_trm.reveal import DIRECTIONS, KERNELS, ORDERS, PUBLISHED, ROUNDS, SCHEDULES
from dis_trm.source import Prediction, TargetSettings
from dis_trm.targets import TARGETS, check_targets, missing_extra
from trm.act import check_loss_type, check_supervision_steps, cycles_in_words, steps_in_words
from trm.batch import IGNORE_LABEL, Batch
from trm.errors import UserError, shown
from trm.losses import TOKEN_LOSSES, mean_log_probability, sequence_loss
from trm.metrics import per_slot
from trm.model import TinyRecursiveModel
from trm.randomness import StepRandom
from trm.ranges import check_ranges
from trm.recursion import Latents, detached
from trm.supervision import Advanced, Carry, Correctness, StepOutput, empty_slots, start_slots, step_metrics

SWITCHES: dict[str, Collection[str]] = {
    "targets": TARGETS,
    "feed": ("prediction", "question"),
    "target_kernel": KERNELS,
    "target_order": (PUBLISHED, *ORDERS),
    "target_direction": DIRECTIONS,
    "target_schedule": (*SCHEDULES, ROUNDS),
    "pad_cells": ("release", "ignore"),
    "step_weights": ("uniform", "linear"),
    "step_index": ("integer", "continuous", "none"),
    "loss_terms": ("single", "dual"),
}


@dataclass(frozen=True)
class DISConfig(TargetSettings):
    """DIS's supervision; the defaults are the released code. Its targets: see `dis_trm.source.TargetSettings`.

    feed: tokens embedded after step 1: the previous `prediction` (release) or always the `question` (paper).
    step_weights: `uniform` (release), or `linear`: w_s = 2s / (N+1), whose mean is 1 (paper §5.3).
    step_index: `integer` (a learned row for each step), `continuous` (s/N times one learned vector), `none`.
    loss_terms: `single`, CE(ℓ_c, y†_s), or `dual`, CE(ℓ_u, y†_{s−1}) + CE(ℓ_c, y†_s) (paper Eq. 9), where
      ℓ_u and ℓ_c are the head's logits before and after the step; loss_type: one of the `trm.losses.TOKEN_LOSSES`.
    """

    feed: str = "prediction"
    step_weights: str = "uniform"
    step_index: str = "integer"
    loss_terms: str = "single"
    loss_type: str = "stablemax_cross_entropy"

    def __post_init__(self) -> None:
        check_ranges(self, "arch.")
        check_loss_type(self.loss_type)
        for key, allowed in SWITCHES.items():
            if getattr(self, key) not in allowed:
                raise UserError(
                    f"arch.{key}={getattr(self, key)}", " | ".join(allowed), f"set arch.{key} to one of these"
                )
        check_targets(self)


PUBLISHED_CYCLES = (1, 2)  # T and n of every published DIS model
RELEASED = {key: getattr(DISConfig, key) for key in SWITCHES}  # the released code's switches
PAPER = {**RELEASED, "feed": "question", "target_kernel": "mask", "pad_cells": "ignore", "step_weights": "linear"}


def dis_name(arch: Mapping[str, Any]) -> str:
    """What a figure calls DIS with these keys of a configuration's `arch`: its variant, and what departs from it."""
    switches = {key: arch[key] for key in RELEASED}
    if switches == RELEASED:
        name = "DIS (released code)"
    elif switches == PAPER:
        name = "DIS (paper)"
    else:
        changed = {key: value for key, value in switches.items() if value != RELEASED[key]}
        name = "DIS, " + ", ".join(f"{key}={shown(value, 60)}" for key, value in changed.items())
    if (arch["H_cycles"], arch["L_cycles"]) != PUBLISHED_CYCLES or arch["recursion"] != "trm":
        name += f", {cycles_in_words(arch)}"
    return name + steps_in_words(arch, DISConfig.halt_max_steps)


LATEST = ("latest_tokens", "latest_log_probabilities", "latest_target")  # in a plan, of the step before; `[B, L]` each


@dataclass(frozen=True)
class DISCarry(Carry):
    """The slots, with fed `[B, L]` int32, the tokens to embed next.

    plan: what the source of targets remembers of the slots' examples, `[B, …]` each by name; where it reads
      predictions, also those of the step before and what that step was trained towards (`LATEST`). Empty before
      examples start, and where their targets cannot be made.
    steps_done: supervision steps of every slot so far, which all slots share; a Python int, so that reading it never
      waits for a GPU.
    """

    fed: Tensor
    plan: dict[str, Tensor]
    steps_done: int

    def with_tensors(self, tensors: Mapping[str, Tensor]) -> "DISCarry":
        """See `Carry`; a name that is no field's and no latent's is the plan's."""
        own = {*self.latents, *(field.name for field in fields(self))}
        plan = {name: tensor for name, tensor in tensors.items() if name not in own}
        carried = {name: tensor for name, tensor in tensors.items() if name in own}
        return replace(super().with_tensors(carried), plan=plan)

    def restored(self, tensors: Mapping[str, Tensor]) -> "DISCarry":
        """See `Carry`; `steps_done` is read from the new `steps`."""
        steps = tensors["steps"]
        return replace(self.with_tensors(tensors), steps_done=self.steps_done if len(steps) == 0 else int(steps[0]))


class DISSupervision:
    """Exactly N steps for every slot, each trained towards its own target."""

    config_class = DISConfig
    fixed_steps = True
    confidence_kind = "answer_log_probability"

    def __init__(self, model: TinyRecursiveModel, config: DISConfig) -> None:
        if not 0 <= config.mask_token < model.shape.vocab_size:
            raise UserError(
                f"arch.mask_token={config.mask_token}",
                f"a token of the vocabulary, 0 to {model.shape.vocab_size - 1}",
                "set it to 0, the PAD token",
            )
        model.q_head.requires_grad_(False)  # read, never trained
        self.model, self.config = model, config
        self.max_steps, self.loss_type = config.halt_max_steps, config.loss_type
        self.run_forward: Callable[..., Advanced] = self.forward
        self.targets = TARGETS[config.targets](config, model.shape.vocab_size)
        self.batch_extras = self.targets.batch_extras  # optional parts of a batch that training needs
        self.token_loss = TOKEN_LOSSES[config.loss_type]

    @staticmethod
    def step_rows(config: DISConfig) -> int:
        """Rows of the supervision-step table: N + 2 as released (1..N are read), or one direction, or none."""
        return {"integer": config.halt_max_steps + 2, "continuous": 1, "none": 0}[config.step_index]

    def initial_carry(self, batch: Batch) -> DISCarry:
        """Slots shaped like `batch`, every one marked halted."""
        slots = empty_slots(self.model, batch)
        slots["steps"] = torch.full_like(slots["steps"], self.max_steps)
        return DISCarry(**slots, fed=slots["inputs"], plan={}, steps_done=self.max_steps)

    def step(self, carry: DISCarry, batch: Batch, rng: StepRandom) -> StepOutput[DISCarry]:
        """One supervision step; see `trm.supervision.Supervision`."""
        if carry.steps_done >= self.max_steps:
            carry = self._start(carry, batch, rng)
        steps = carry.steps + 1
        target = self._target(min(carry.steps_done + 1, self.config.halt_max_steps), carry, rng)
        before = self.trained_towards(carry, rng) if self.config.loss_terms == "dual" else None
        vectors = self.model.puzzle_vectors(carry.puzzle_identifiers)
        advanced = self.run_forward(carry.latents, carry.fed, carry.labels, target, before, vectors, steps)
        after = replace(
            carry,
            latents=advanced.latents,
            steps=steps,
            halted=advanced.halted,
            fed=advanced.predictions if self.config.feed == "prediction" else carry.inputs,
            plan=self._next_plan(carry, advanced, target),
            steps_done=carry.steps_done + 1,
        )
        return advanced.output(after, self.model.config.network_calls)

    def embed(self, tokens: Tensor, puzzle_vectors: Tensor | None, steps: Tensor) -> Tensor:
        """See `Supervision`; the step's index is added at every position."""
        return self.model.embed(tokens, puzzle_vectors, self._step_embedding(steps))

    def forward(
        self,
        latents: Latents,
        fed: Tensor,
        labels: Tensor,
        target: Tensor,
        target_before: Tensor | None,
        puzzle_vectors: Tensor | None,
        steps: Tensor,
    ) -> Advanced:
        """Recurse once and compare with the step's target.

        target, target_before: `[B, L]`, of this step and of the one before; the latter for `dual` only.
        steps: `[B]`, counting this one.
        """
        model = self.model
        x = self.embed(fed, puzzle_vectors, steps)  # [B, P+L, D]
        after = model.recurse(latents, x)
        logits = model.answer_logits(after)  # [B, L, V]
        losses = sequence_loss(self.token_loss, logits, target)  # [B]
        if target_before is not None:
            losses = losses + sequence_loss(self.token_loss, model.answer_logits(latents), target_before)
        predictions = logits.argmax(-1).int()
        halted = steps >= self.max_steps
        metrics = step_metrics(Correctness.of(predictions, labels), steps, halted, self.max_steps)
        metrics["lm_loss"] = per_slot(losses.detach().sum(), steps)
        loss = (losses * self._step_weight(steps)).sum()
        with torch.no_grad():
            q_halt = model.halting_logits(after)[:, 0]
        return Advanced(detached(after), halted, loss, logits.detach(), predictions, q_halt, metrics)

    def confidence(self, output: StepOutput[DISCarry], cells: Tensor) -> Tensor:
        """Mean log-probability of the predicted tokens at the marked cells; DIS has no halting probability."""
        return mean_log_probability(self.token_loss, output.logits, output.predictions, cells)

    def take_steps(self, steps: int) -> None:
        """See `Supervision`; steps beyond the trained N have step N's index and target."""
        check_supervision_steps(steps)
        self.max_steps = steps

    def _start(self, carry: DISCarry, batch: Batch, rng: StepRandom) -> DISCarry:
        """Fill the slots, which all are free: question fed, and a new plan of targets.

        Raises:
            UserError: in training, the batch lacks a part that the source of targets reads.
        """
        carry = start_slots(self.model, carry, batch)
        carry = replace(carry, fed=carry.inputs, plan={}, steps_done=0)
        missing = [name for name in self.batch_extras if getattr(batch, name) is None]
        if missing and self.model.training:
            raise missing_extra(self.config, missing[0])
        if missing:
            return carry
        plan = self.targets.start(batch, rng)
        if self.targets.reads_predictions:
            confidence = torch.zeros_like(carry.fed, dtype=torch.float32)
            plan = {**plan, **dict(zip(LATEST, (carry.fed, confidence, carry.fed), strict=True))}
            plan["latest_target"] = self._target(0, replace(carry, plan=plan), rng)
        return replace(carry, plan=plan)

    def _target(self, step: int, carry: DISCarry, rng: StepRandom) -> Tensor:
        """Frame `step` `[B, L]`; y* where an evaluation's batch lacks what its source reads."""
        plan, labels, latest = carry.plan, carry.labels, None
        if self.batch_extras and not plan:
            return labels
        if self.targets.reads_predictions:
            latest = Prediction(plan["latest_tokens"], plan["latest_log_probabilities"])
        target = self.targets.target(step, plan, labels, latest, rng)
        ignored = self.config.pad_cells == "ignore"
        return torch.where(labels == IGNORE_LABEL, IGNORE_LABEL, target) if ignored else target

    def trained_towards(self, carry: DISCarry, rng: StepRandom) -> Tensor:
        """Target `[B, L]` of the step that left `carry`, with the draws of that step."""
        latest = carry.plan.get("latest_target")
        return self._target(min(carry.steps_done, self.config.halt_max_steps), carry, rng) if latest is None else latest

    def _next_plan(self, carry: DISCarry, advanced: Advanced, target: Tensor) -> dict[str, Tensor]:
        """The plan after a step, which was trained towards `target` `[B, L]`."""
        if not (carry.plan and self.targets.reads_predictions):
            return carry.plan
        log_probabilities = -self.token_loss(advanced.logits, advanced.predictions).float()
        return carry.plan | dict(zip(LATEST, (advanced.predictions, log_probabilities, target), strict=True))

    def _step_embedding(self, steps: Tensor) -> Tensor | None:
        """`[B, D]` for step numbers `[B]`, or None without a step index."""
        table, trained = self.model.timestep_embed, self.config.halt_max_steps
        if table is None:
            return None
        steps = steps.clamp(max=trained)
        if self.config.step_index == "continuous":
            time = (steps / trained).to(table.dtype)
            return time[:, None] * table.embedding_weight.to(table.dtype)
        return table(steps)

    def _step_weight(self, steps: Tensor) -> Tensor | float:
        """w_s, of mean 1 over s = 1..N."""
        return 2 * steps / (self.config.halt_max_steps + 1) if self.config.step_weights == "linear" else 1.0

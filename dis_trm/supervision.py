"""DIS: exactly N steps for an example, each trained towards its own target; no halting.

B slots, L grid tokens, D hidden, V vocabulary, N supervision steps. DIS, arXiv 2511.16886 v2, Fig. 3, and its
published code. Where the two part, a switch of `DISConfig` says which is meant (docs/method.md, "DIS supervision").
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from dis_trm.targets import SCHEDULES, Corruption, Targets
from trm.act import check_loss_type, check_supervision_steps, cycles_in_words, steps_in_words
from trm.batch import Batch
from trm.errors import UserError, shown
from trm.losses import TOKEN_LOSSES, mean_log_probability, sequence_loss
from trm.metrics import per_slot
from trm.model import TinyRecursiveModel
from trm.randomness import StepRandom
from trm.ranges import MOST_STEPS, check_ranges, ranged
from trm.recursion import Latents
from trm.supervision import Advanced, Carry, Correctness, StepOutput, empty_slots, start_slots, step_metrics

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

    halt_max_steps: int = ranged(6, 1, MOST_STEPS)
    feed: str = "prediction"
    target_kernel: str = "reveal"
    target_schedule: str = "linear"
    pad_cells: str = "release"
    mask_token: int = ranged(0, 0, 65_535)
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
    if (arch["H_cycles"], arch["L_cycles"]) != PUBLISHED_CYCLES:
        name += f", {cycles_in_words(arch)}"
    return name + steps_in_words(arch, DISConfig.halt_max_steps)


@dataclass(frozen=True)
class DISCarry(Carry):
    """The slots, with fed `[B, L]`, the tokens to embed next, and path `[B, N+1, L]`, the targets; int32.

    steps_done: supervision steps of every slot so far, which all slots share; a Python int, so that reading it never
      waits for a GPU.
    """

    fed: Tensor
    path: Tensor
    steps_done: int

    def with_tensors(self, tensors: Mapping[str, Tensor]) -> "DISCarry":
        """See `Carry`; `steps_done` is read from the new `steps`."""
        steps = tensors["steps"]
        steps_done = self.steps_done if len(steps) == 0 else int(steps[0])
        return replace(self, **tensors, steps_done=steps_done)

    def rows(self, part: slice | Tensor) -> "DISCarry":
        """See `Carry`."""
        parts: dict[str, Any] = {name: tensor[part] for name, tensor in self.tensors().items()}
        return replace(self, **parts)


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
        self.targets = self.make_targets()
        self.token_loss = TOKEN_LOSSES[config.loss_type]

    def make_targets(self) -> Targets:
        """Φ: where the targets of the steps come from; a subclass may return another source."""
        config = self.config
        return Corruption(
            config.target_kernel,
            config.target_schedule,
            config.pad_cells,
            config.halt_max_steps,
            self.model.shape.vocab_size,
            config.mask_token,
        )

    @staticmethod
    def step_rows(config: DISConfig) -> int:
        """Rows of the supervision-step table: N + 2 as released (1..N are read), or one direction, or none."""
        return {"integer": config.halt_max_steps + 2, "continuous": 1, "none": 0}[config.step_index]

    def initial_carry(self, batch: Batch) -> DISCarry:
        """Slots shaped like `batch`, every one marked halted."""
        slots = empty_slots(self.model, batch)
        path = slots["labels"][:, None].expand(-1, self.config.halt_max_steps + 1, -1)
        slots["steps"] = torch.full_like(slots["steps"], self.max_steps)
        return DISCarry(**slots, fed=slots["inputs"], path=path, steps_done=self.max_steps)

    def step(self, carry: DISCarry, batch: Batch, rng: StepRandom) -> StepOutput[DISCarry]:
        """One supervision step; see `trm.supervision.Supervision`."""
        if carry.steps_done >= self.max_steps:
            carry = self._start(carry, batch, rng)
        steps = carry.steps + 1
        advanced = self.run_forward(
            Latents(carry.z_H, carry.z_L),
            carry.fed,
            carry.labels,
            carry.path[:, self._frames(carry.steps_done)],
            self.model.puzzle_vectors(carry.puzzle_identifiers),
            steps,
        )
        after = replace(
            carry,
            z_H=advanced.latents.z_H,
            z_L=advanced.latents.z_L,
            steps=steps,
            halted=advanced.halted,
            fed=advanced.predictions if self.config.feed == "prediction" else carry.inputs,
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
        frames: Tensor,
        puzzle_vectors: Tensor | None,
        steps: Tensor,
    ) -> Advanced:
        """Recurse once and compare with the step's target.

        frames: `[B, 2, L]` targets of the step before and of this one.  steps: `[B]`, counting this one.
        """
        model = self.model
        x = self.embed(fed, puzzle_vectors, steps)  # [B, P+L, D]
        after = model.recurse(latents, x)
        logits = model.answer_logits(after.z_H)  # [B, L, V]
        losses = sequence_loss(self.token_loss, logits, frames[:, 1])  # [B]
        if self.config.loss_terms == "dual":
            before = model.answer_logits(latents.z_H)
            losses = losses + sequence_loss(self.token_loss, before, frames[:, 0])
        predictions = logits.argmax(-1).int()
        halted = steps >= self.max_steps
        metrics = step_metrics(Correctness.of(predictions, labels), steps, halted, self.max_steps)
        metrics["lm_loss"] = per_slot(losses.detach().sum(), steps)
        loss = (losses * self._step_weight(steps)).sum()
        with torch.no_grad():
            q_halt = model.halting_logits(after.z_H)[:, 0]
        return Advanced(after.detached(), halted, loss, logits.detach(), predictions, q_halt, metrics)

    def confidence(self, output: StepOutput[DISCarry], cells: Tensor) -> Tensor:
        """Mean log-probability of the predicted tokens at the marked cells; DIS has no halting probability."""
        return mean_log_probability(self.token_loss, output.logits, output.predictions, cells)

    def take_steps(self, steps: int) -> None:
        """See `Supervision`; steps beyond the trained N have step N's index and target."""
        check_supervision_steps(steps)
        self.max_steps = steps

    def _frames(self, steps_done: int) -> slice:
        """The frames s−1 and s of the path for step s = steps_done + 1."""
        first = min(steps_done, self.config.halt_max_steps - 1)
        return slice(first, first + 2)

    def _start(self, carry: DISCarry, batch: Batch, rng: StepRandom) -> DISCarry:
        """Fill the slots, which all are free: question fed, and a new path of targets."""
        carry = start_slots(self.model, carry, batch)
        path = self.targets.path(carry.inputs, carry.labels, rng)
        return replace(carry, fed=carry.inputs, path=path, steps_done=0)

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

"""TRM's supervision: every step is trained towards y*, and a learned probability says when to halt.

B slots, L grid tokens, V vocabulary. "ACT": adaptive computation time; TRM, arXiv 2510.04871, and its
published code (docs/method.md, "TRM supervision").
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from trm.batch import Batch
from trm.errors import UserError, shown
from trm.losses import TOKEN_LOSSES, sequence_loss
from trm.metrics import FINISHED, Metric, per_slot
from trm.model import TinyRecursiveModel
from trm.randomness import StepRandom
from trm.ranges import MOST_STEPS, Range, check_ranges, ranged
from trm.recursion import Latents, detached
from trm.supervision import Advanced, Carry, Correctness, StepOutput, empty_slots, start_slots, step_metrics


@dataclass(frozen=True)
class ACTConfig:
    """TRM's supervision.

    halt_max_steps: N_sup, the cap in training and the exact number in evaluation.
    halt_exploration_prob: share of slots that must run at least u ~ U{2..halt_max_steps} steps.
    no_ACT_continue: leave out the q_continue loss (a second forward pass), as TRM's release does and HRM does not;
      where it is learned a slot halts at q_halt > q_continue, else at q_halt > 0.
    halts_above_continue: halt at q_halt > q_continue though it is not learned, as published transformers_baseline does.
    act_enabled: halt before halt_max_steps in training; loss_type: the token loss, one of `trm.losses.TOKEN_LOSSES`.
    """

    halt_max_steps: int = ranged(16, 1, MOST_STEPS)
    halt_exploration_prob: float = ranged(0.1, 0.0, 1.0, noun="a probability")
    no_ACT_continue: bool = True
    loss_type: str = "stablemax_cross_entropy"
    halts_above_continue: bool = False
    act_enabled: bool = True

    def __post_init__(self) -> None:
        check_ranges(self, "arch.")
        check_loss_type(self.loss_type)


def check_supervision_steps(steps: int) -> None:
    """UserError unless an answer can take so many supervision steps."""
    allowed = Range(1, MOST_STEPS, whole=True)
    if steps not in allowed:
        raise UserError(f"{steps} supervision steps", str(allowed), "set 16 (TRM) or 6 (DIS)")


def check_loss_type(loss_type: str) -> None:
    """UserError unless `loss_type` is one of `TOKEN_LOSSES`."""
    if loss_type not in TOKEN_LOSSES:
        raise UserError(f"arch.loss_type={loss_type}", " | ".join(TOKEN_LOSSES), "choose one of these")


def cycles_in_words(arch: Mapping[str, Any]) -> str:
    """`T=3 n=6` for the keys H_cycles and L_cycles, or `recursion=hrm T=2 n=2` where it is not TRM's.

    A plain transformer has no n; its T is said where it is not 1: `recursion=none`.
    """
    recursion, cycles = arch["recursion"], f"T={shown(arch['H_cycles'], 9)}"
    words = [] if recursion == "trm" else [f"recursion={shown(recursion, 20)}"]
    if recursion != "none":
        words += [cycles, f"n={shown(arch['L_cycles'], 9)}"]
    elif arch["H_cycles"] != 1:
        words += [cycles]
    return " ".join(words)


def steps_in_words(arch: Mapping[str, Any], published: int) -> str:
    """`, N_sup=4` where halt_max_steps is not as published, else nothing."""
    steps = arch["halt_max_steps"]
    return "" if steps == published else f", N_sup={shown(steps, 9)}"


def trm_name(arch: Mapping[str, Any]) -> str:
    """What papers call the model with these keys of `arch`, such as `TRM T=3 n=6` or `HRM T=2 n=2`."""
    name, words = "TRM", cycles_in_words(arch)
    if arch["recursion"] == "hrm" and not arch["no_ACT_continue"]:
        name, words = "HRM", words.removeprefix("recursion=hrm ")
    if arch["recursion"] == "none":
        name, words = "plain transformer", words.removeprefix("recursion=none")
    return f"{name} {words.strip()}".strip() + steps_in_words(arch, ACTConfig.halt_max_steps)


class ACTCarry(Carry):
    """The slots of adaptive halting, which needs no tensor beyond those of every supervision."""


class ACTSupervision:
    """Adaptive halting over slots, and the loss that teaches it."""

    config_class = ACTConfig
    fixed_steps = False
    confidence_kind = "halting_probability"

    def __init__(self, model: TinyRecursiveModel, config: ACTConfig) -> None:
        self.model, self.config = model, config
        self.max_steps, self.loss_type = config.halt_max_steps, config.loss_type
        self.run_forward: Callable[..., Advanced] = self.forward

    @staticmethod
    def step_rows(config: ACTConfig) -> int:
        """Rows of the supervision-step table: TRM has none."""
        return 0

    def initial_carry(self, batch: Batch) -> ACTCarry:
        """Slots shaped like `batch`, every one marked halted."""
        return ACTCarry(**empty_slots(self.model, batch))

    def step(self, carry: ACTCarry, batch: Batch, rng: StepRandom) -> StepOutput[ACTCarry]:
        """One supervision step; see `trm.supervision.Supervision`."""
        carry = start_slots(self.model, carry, batch)
        steps = carry.steps + 1
        advanced = self.run_forward(
            carry.latents,
            carry.inputs,
            carry.labels,
            self.model.puzzle_vectors(carry.puzzle_identifiers),
            steps,
            self._least_steps(rng).to(steps.device, non_blocking=True),
        )
        after = replace(carry, latents=advanced.latents, steps=steps, halted=advanced.halted)
        calls = self.model.config.network_calls
        return advanced.output(after, 2 * calls if self._learns_to_continue else calls)

    def embed(self, tokens: Tensor, puzzle_vectors: Tensor | None, steps: Tensor) -> Tensor:
        """See `Supervision`; the network is not told the step."""
        return self.model.embed(tokens, puzzle_vectors)

    def forward(
        self,
        latents: Latents,
        inputs: Tensor,
        labels: Tensor,
        puzzle_vectors: Tensor | None,
        steps: Tensor,
        least_steps: Tensor,
    ) -> Advanced:
        """Recurse once and compare with y*.

        steps: `[B]`, this step counted.  least_steps: `[B]`, before which a slot may not halt (exploration).
        """
        model = self.model
        x = self.embed(inputs, puzzle_vectors, steps)  # [B, P+L, D]
        latents = model.recurse(latents, x)
        logits = model.answer_logits(latents)  # [B, L, V]
        q_halt, q_continue = model.halting_logits(latents).unbind(-1)  # [B] each
        predictions = logits.argmax(-1).int()
        correct = Correctness.of(predictions, labels)
        lm_loss = sequence_loss(TOKEN_LOSSES[self.config.loss_type], logits, labels).sum()
        q_halt_loss = _bce_sum(q_halt, correct.whole)
        halted = self.halted(q_halt.detach(), q_continue.detach(), steps, least_steps)
        metrics = step_metrics(correct, steps, halted, self.max_steps)
        metrics["lm_loss"] = per_slot(lm_loss.detach(), steps)
        metrics["q_halt_loss"] = per_slot(q_halt_loss.detach(), steps)
        finished = halted & correct.scored
        right_halts = (finished & ((q_halt.detach() >= 0) == correct.whole)).sum()
        metrics["q_halt_accuracy"] = Metric(right_halts, finished.sum(), FINISHED)
        loss, after = lm_loss + 0.5 * q_halt_loss, detached(latents)  # ½·BCE(q_halt, [the answer is right])
        if self._learns_to_continue:
            q_continue_loss = _bce_sum(q_continue, self._continue_target(after, x, steps))
            metrics["q_continue_loss"] = per_slot(q_continue_loss.detach(), steps)
            loss = loss + 0.5 * q_continue_loss
        return Advanced(after, halted, loss, logits.detach(), predictions, q_halt.detach(), metrics)

    def confidence(self, output: StepOutput[ACTCarry], cells: Tensor) -> Tensor:
        """The halting probability, which is of the answer as a whole."""
        return halting_probability(output.q_halt_logits)

    def take_steps(self, steps: int) -> None:
        """See `Supervision`; the network knows nothing of the number of steps."""
        check_supervision_steps(steps)
        self.max_steps = steps

    @property
    def _learns_to_continue(self) -> bool:
        return not self.config.no_ACT_continue and self.model.training and self.max_steps > 1

    def halted(self, q_halt: Tensor, q_continue: Tensor, steps: Tensor, least_steps: Tensor) -> Tensor:
        """The halting rule, `[B]` bool: the slots that take new data next; all arguments `[B]`.

        A slot halts at N_sup steps. While training it also halts where q_halt > 0 (or > q_continue where that is
        learned), but not before `least_steps`. In evaluation every slot takes N_sup steps.
        """
        last, config = steps >= self.max_steps, self.config
        if not self.model.training or self.max_steps == 1 or not config.act_enabled:
            return last
        above_zero = config.no_ACT_continue and not config.halts_above_continue
        better = q_halt > (0 if above_zero else q_continue)
        return last | (better & (steps >= least_steps))

    def _least_steps(self, rng: StepRandom) -> Tensor:
        """Exploration: u ~ U{2..N} in some slots, 0 in the others; `[B]` float32, in the draw's memory."""
        explores = rng.uniform("halt exploration") < self.config.halt_exploration_prob
        return rng.uniform("least steps").mul_(self.max_steps - 1).floor_().add_(2).mul_(explores)

    @torch.no_grad()
    def _continue_target(self, after: Latents, x: Tensor, steps: Tensor) -> Tensor:
        """Bootstrapped value of going on: what the next step would think of halting, `[B]` in 0..1."""
        following = self.model.recurse(after, x)
        q_halt, q_continue = self.model.halting_logits(following).unbind(-1)
        best = torch.where(steps >= self.max_steps, q_halt, torch.maximum(q_halt, q_continue))
        return best.sigmoid()


def halting_probability(q_halt_logits: Tensor) -> Tensor:
    """σ(q_halt) in float64, as published: in float32 all logits above 17 would tie at 1."""
    return q_halt_logits.double().sigmoid()


def _bce_sum(logits: Tensor, target: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, target.to(logits.dtype), reduction="sum")

"""The seam between the methods: what a supervision is, and what TRM's and DIS's have in common.

B slots, P puzzle tokens, L grid tokens, D hidden, V vocabulary, N supervision steps of an example.
A batch is a set of slots. A slot that has halted takes the next batch's row at its position and starts
from the fixed latents with step 0; a running slot keeps its own data.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Generic, Protocol, Self, TypeVar

import torch
from torch import Tensor

from trm.batch import IGNORE_LABEL, Batch
from trm.metrics import FINISHED, STANDING, Metric
from trm.model import TinyRecursiveModel
from trm.randomness import StepRandom, counter_normal, seed_for
from trm.recursion import Latents


@dataclass(frozen=True)
class Carry:
    """The slots' state between supervision steps; every tensor is a field, or in a field's dict, with the slots first.

    latents: `[B, P+L, D]` each, detached, forward dtype.  steps: `[B]` int32, steps done on the current example.
    halted: `[B]` bool, the slot takes new data next.  inputs, labels `[B, L]`, puzzle_identifiers `[B]`: int32.
    """

    latents: Latents
    steps: Tensor
    halted: Tensor
    inputs: Tensor
    labels: Tensor
    puzzle_identifiers: Tensor

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor by name, for a checkpoint."""
        held = {field.name: getattr(self, field.name) for field in fields(self)}
        tensors: dict[str, Tensor] = {}
        for name, value in held.items():
            tensors |= value if isinstance(value, dict) else {name: value} if isinstance(value, Tensor) else {}
        return tensors

    def with_tensors(self, tensors: Mapping[str, Tensor]) -> Self:
        """The carry of the same step that holds other `tensors`, such as those of parts of the slots joined."""
        latents = {name: tensors[name] for name in self.latents}
        return replace(self, latents=latents, **{k: v for k, v in tensors.items() if k not in latents})

    def restored(self, tensors: Mapping[str, Tensor]) -> Self:
        """The carry, of any step, that holds `tensors`, which a checkpoint has as `tensors()` gave them."""
        return self.with_tensors(tensors)

    def rows(self, part: slice | Tensor) -> Self:
        """The carry of some of the slots: of a slice as views, of row numbers as copies."""
        return self.with_tensors({name: tensor[part] for name, tensor in self.tensors().items()})


C = TypeVar("C", bound=Carry)


@dataclass(frozen=True)
class StepOutput(Generic[C]):
    """What one supervision step gives.

    loss: scalar, summed over the slots, with gradient.  logits: `[B, L, V]`, detached.  predictions: `[B, L]` int32.
    q_halt_logits: `[B]`.  metrics: by name; see `trm.metrics`.
    network_calls: passes of the reasoning module that each slot took.
    The slots' step numbers and which have finished are `carry.steps` and `carry.halted`.
    """

    carry: C
    loss: Tensor
    logits: Tensor
    predictions: Tensor
    q_halt_logits: Tensor
    metrics: Mapping[str, Metric]
    network_calls: int


CONFIDENCE_KINDS = {
    "halting_probability": "mean halting probability",
    "answer_log_probability": "mean token log-probability of the answer, over its cells",
    "token_log_probability": "mean token log-probability over all cells, those around the answer too",
}


class Supervision(Protocol[C]):
    """TRM or DIS behind one interface: `ACTSupervision`, `DISSupervision`.

    `forward` is the tensors' part of `step`: everything between the slots being filled and the update, with no
    choice that depends on a tensor's value. `step` calls it through `run_forward`, which may be a compiled version.
    """

    model: TinyRecursiveModel
    max_steps: int  # supervision steps an example takes at most (DIS: exactly)
    fixed_steps: bool  # every example takes exactly max_steps, so that all slots start together
    loss_type: str  # a key of trm.losses.TOKEN_LOSSES
    confidence_kind: str  # what `confidence` gives, one of CONFIDENCE_KINDS
    run_forward: Callable[..., "Advanced"]

    def embed(self, tokens: Tensor, puzzle_vectors: Tensor | None, steps: Tensor) -> Tensor:
        """x̃ `[B, P+L, D]` of the tokens `[B, L]` that are fed at the steps `[B]`, the first of which is 1."""
        ...

    def forward(self, *inputs: Any) -> "Advanced":
        """Recurse once and compare with the step's target."""
        ...

    def initial_carry(self, batch: Batch) -> C:
        """Slots shaped like `batch`, every one marked halted."""
        ...

    def step(self, carry: C, batch: Batch, rng: StepRandom) -> StepOutput[C]:
        """Fill halted slots from `batch`, recurse once, and compare with the step's target."""
        ...

    def confidence(self, output: StepOutput[C], cells: Tensor) -> Tensor:
        """`[B]` float: the number whose mean ranks answers with equally many votes; cells: the answers', `[B, L]`."""
        ...

    def take_steps(self, steps: int) -> None:
        """From now on answer in so many supervision steps, fewer or more than were trained; only for evaluation."""
        ...


def empty_slots(model: TinyRecursiveModel, batch: Batch) -> dict[str, Any]:
    """The fields of a `Carry` in which every slot is free."""
    device = batch.inputs.device
    return {
        "latents": model.initial_latents(len(batch)),
        "steps": torch.zeros(len(batch), dtype=torch.int32, device=device),
        "halted": torch.ones(len(batch), dtype=torch.bool, device=device),
        "inputs": torch.zeros_like(batch.inputs),
        "labels": torch.full_like(batch.labels, IGNORE_LABEL),
        "puzzle_identifiers": torch.zeros_like(batch.puzzle_identifiers),
    }


def start_slots(model: TinyRecursiveModel, carry: C, batch: Batch) -> C:
    """Give every halted slot the batch's row at its position; `halted` still tells which just started."""
    fresh, free = model.initial_latents(len(batch)), carry.halted
    return replace(
        carry,
        latents={name: choose(free, fresh[name], latent) for name, latent in carry.latents.items()},
        steps=torch.where(free, 0, carry.steps),
        inputs=choose(free, batch.inputs, carry.inputs),
        labels=choose(free, batch.labels, carry.labels),
        puzzle_identifiers=choose(free, batch.puzzle_identifiers, carry.puzzle_identifiers),
    )


def disturbed(carry: C, noise: float, key: int, rows: Tensor) -> C:
    """The carry with Gaussian noise on its latents, `noise` times each one's own standard deviation.

    key, rows: `[B]`, of the draws; see `trm.randomness.counter_normal`.
    """
    latents = {name: _noisy(latent, noise, seed_for(key, name), rows) for name, latent in carry.latents.items()}
    return replace(carry, latents=latents)


def _noisy(latent: Tensor, noise: float, key: int, rows: Tensor) -> Tensor:
    deviation = latent.float().std(dim=(1, 2), keepdim=True)  # [B, 1, 1]
    return (latent.float() + noise * deviation * counter_normal(key, rows, latent.shape[1:])).to(latent.dtype)


def choose(slots: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    """Row-wise choice: `yes` in the marked slots `[B]`, else `no`; both `[B, …]`."""
    return torch.where(slots.view(-1, *[1] * (no.ndim - 1)), yes, no)


@dataclass(frozen=True)
class Advanced:
    """What `Supervision.forward` gives; all but the loss is detached, and no gradient crosses supervision steps.

    latents: for the next step.  halted: `[B]` bool.  The others: see `StepOutput`.
    """

    latents: Latents
    halted: Tensor
    loss: Tensor
    logits: Tensor
    predictions: Tensor
    q_halt_logits: Tensor
    metrics: Mapping[str, Metric]

    def output(self, carry: C, network_calls: int) -> StepOutput[C]:
        """The step's output, with the carry that goes on."""
        parts = (self.loss, self.logits, self.predictions, self.q_halt_logits, self.metrics)
        return StepOutput(carry, *parts, network_calls)


@dataclass(frozen=True)
class Correctness:
    """Predictions against y*: share of scored tokens right, and whether all are; `[B]` each."""

    share: Tensor  # float32
    whole: Tensor  # bool; true where nothing is scored, as published
    scored: Tensor  # bool: at least one token is scored

    @classmethod
    def of(cls, predictions: Tensor, labels: Tensor) -> "Correctness":
        """Compare `[B, L]` with `[B, L]`."""
        counted = labels != IGNORE_LABEL
        right = (counted & (predictions == labels)).sum(-1)
        total = counted.sum(-1)
        return cls(right / total.clamp(min=1), right == total, total > 0)


def step_metrics(correct: Correctness, steps: Tensor, halted: Tensor, max_steps: int) -> dict[str, Metric]:
    """What every supervision reports.

    accuracy, exact_accuracy, steps: means over slots that finished with something to score (as published).
    step_accuracy `[N]`: cell accuracy of all slots, by the supervision step at which they stand.
    """
    done = halted & correct.scored
    at_step = steps == torch.arange(1, max_steps + 1, device=steps.device)[:, None]  # [N, B]
    values = torch.stack((correct.scored.float(), correct.share * correct.scored))  # [2, B]
    standing, right = (values[:, None] * at_step).sum(-1)  # [N] each
    sums = {
        "accuracy": (correct.share * done).sum(),
        "exact_accuracy": (correct.whole & done).sum(),
        "steps": (steps * done).sum(),
    }
    finished = {name: Metric(total, done.sum(), FINISHED) for name, total in sums.items()}
    return {**finished, "step_accuracy": Metric(right, standing, STANDING)}

"""Does a supervision step improve the answer? Cross-entropies before and after it, against y* and its own target y†_s.

B rows, S supervision steps, L grid tokens, V vocabulary. ℓ_{s−1}, ℓ_s: the head's logits before and after step s (at
the first step before it: of the initial latents). Cross-entropies are softmax's, which the advantage margin bounds, and
beside them those of the loss that is trained, if it is another (stablemax): one may rise where the other falls. Means
are over the tokens that have a label, for targets too, so that all steps, and both methods, are measured on the same
cells.
DIS, arXiv 2511.16886 v2, §3.2: CE(ℓ_s, y†_s) < CE(ℓ_{s−1}, y†_s).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from trm.batch import IGNORE_LABEL
from trm.losses import TokenLoss, softmax_cross_entropy
from trm.randomness import StepRandom, counter_normal, seed_for
from trm.supervision import Carry, Supervision
from trm_lab.evaluation.counts import Counts, in_order, merge

ANSWER, TARGET = "answer", "target"  # y*, y†_s
TRAINED = "trained_"  # before these: in the loss that is trained
AGAINST = (ANSWER, TARGET, TRAINED + ANSWER, TRAINED + TARGET)
BEFORE, AFTER, CELLS = "ce_before@", "ce_after@", "cells_improved@"  # probes `[B, S]`; one of AGAINST follows
_LARGEST_BELOW_1 = 1 - 2.0**-24  # of float32


@dataclass(frozen=True)
class ExampleRandom:
    """Draws that belong to examples, not to slots: the same in any batch and on any rank (`trm.randomness.StepRandom`).

    numbers: `[B]` int64, of the examples.
    """

    seed: int
    numbers: Tensor

    def uniform(self, purpose: str, *shape: int) -> Tensor:
        """See `StepRandom`; normal numbers by counters, through their distribution function."""
        normal = counter_normal(seed_for(self.seed, purpose), self.numbers, shape)
        return torch.special.ndtr(normal).clamp_(max=_LARGEST_BELOW_1)


def step_target(supervision: Supervision[Any], carry: Carry, rng: StepRandom) -> Tensor | None:
    """y†_s `[B, L]` of the step that left `carry`, with that step's draws; y* for a method without other targets.

    None where the targets need a part of the training split that these examples lack, such as stored steps.
    """
    trained_towards = getattr(supervision, "trained_towards", None)
    if trained_towards is None:
        return carry.labels
    return trained_towards(carry, rng) if getattr(carry, "plan", True) else None


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Softmax cross-entropy `[B, L]` of logits `[B, L, V]`, 0 where ignored, to its last digits however near to 0.

    log(1 + Σ_{a≠y} e^(ℓ_a − ℓ_y)): from a log-sum-exp of all logits, cells that are nearly certain would not change.
    """
    scored = labels != IGNORE_LABEL
    answer = torch.where(scored, labels, 0).long()[..., None]
    gaps = (logits - logits.gather(-1, answer)).scatter(-1, answer, -torch.inf)
    return torch.where(scored, functional.softplus(gaps.logsumexp(-1), threshold=40), 0)


def step_improvement(
    before: Tensor, after: Tensor, labels: Tensor, target: Tensor | None, trained_loss: TokenLoss
) -> dict[str, Tensor]:
    """The probes of a step, `[B]` float32 each; nan for an example without a label.

    before, after: ℓ_{s−1}, ℓ_s `[B, L, V]`.  labels: y* `[B, L]`.  target: y†_s `[B, L]`, or None: without its probes.
    `ce_before@…`, `ce_after@…`: means over the example's tokens.  `cells_improved@…`: share of them whose CE fell.
    """
    labelled = labels != IGNORE_LABEL
    tokens = labelled.sum(-1)  # [B]; 0 / 0 is nan
    logits = before.double(), after.double()
    measures = {"": cross_entropy, **({} if trained_loss is softmax_cross_entropy else {TRAINED: trained_loss})}
    probes: dict[str, Tensor] = {}
    for name, towards in ((ANSWER, labels), *([] if target is None else [(TARGET, target)])):
        scored = torch.where(labelled, towards, IGNORE_LABEL)
        for measure, token_loss in measures.items():
            first, last = (token_loss(each, scored) for each in logits)  # [B, L]
            columns = {BEFORE: first, AFTER: last, CELLS: (last < first).double()}
            probes |= {column + measure + name: (value.sum(-1) / tokens).float() for column, value in columns.items()}
    return probes


def why_without_target(supervision: Supervision[Any]) -> str:
    """Why `step_target` gives None, in words."""
    lacking = " and ".join(name.replace("_", " ") for name in getattr(supervision, "batch_extras", ()))
    return f"they are made from the {lacking} of a training split, which a test split lacks"


class ImprovementTally:
    """Adds up `step_improvement` over examples."""

    def __init__(self) -> None:
        self.counts: Counts = {}  # by AGAINST; a sum for each part, since their order decides the last bits

    def add(self, first: int, probes: Mapping[str, NDArray[Any]]) -> None:
        """Add the probes of a part; first: place of its first row among all examples."""
        for name in AGAINST:
            if BEFORE + name not in probes:
                continue
            columns = np.stack([probes[column + name] for column in (BEFORE, AFTER, CELLS)]).astype(np.float64)
            columns = columns[:, ~np.isnan(columns[0, :, 0])]  # [3, E, S]
            counts = {"examples": columns.shape[1], "improved": (columns[1] < columns[0]).sum(0)}
            merge(self.counts, {name: {**counts, "sums": [(first, columns.sum(1))]}})

    def scores(self) -> dict[str, dict[str, Any]]:
        """For scores.json, against each of AGAINST: the number of examples, and lists `[S]`.

        before, after: mean CE.  cells_improved: mean share of an example's cells whose CE fell.
        examples_improved: share of the examples whose mean CE fell.
        """
        return {name: _means(counts) for name, counts in self.counts.items()}


def _means(counts: Mapping[str, Any]) -> dict[str, Any]:
    over = max(counts["examples"], 1)
    before, after, cells = sum(in_order(counts["sums"])) / over
    return {
        "examples": counts["examples"],
        "before": before.tolist(),
        "after": after.tolist(),
        "cells_improved": cells.tolist(),
        "examples_improved": (counts["improved"] / over).tolist(),
    }

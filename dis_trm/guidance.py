"""Guidance and advantage margin, from the logits before and after a supervision step.

B batch, L grid tokens, V vocabulary; `[B, L, V]` each: ℓ_u reference, the head before the step (at the first step the
head of the initial z_H); ℓ_c conditional, the head after it. Δℓ = ℓ_c − ℓ_u.
DIS, arXiv 2511.16886 v2, §3.1 and Prop. 4.1; nothing here is of DIS alone, so that TRM's steps are measured alike.
"""

from collections.abc import Callable, Sequence
from math import isfinite

import torch
from torch import Tensor

from trm.batch import IGNORE_LABEL, token_tensor_dtype
from trm.errors import UserError
from trm.layers import at_least_float32

LARGEST_WEIGHT = 1e6  # of guidance, either way: beyond it float32 logits may overflow
_HALF = torch.finfo(torch.float16)


def guided(reference: Tensor, conditional: Tensor, w: float) -> Tensor:
    """ℓ_w = (1 − w)·ℓ_u + w·ℓ_c, in float32 or wider.

    w = 0 gives `reference` and w = 1, plain decoding, `conditional`: themselves, not a rounded mixture.
    """
    if w in (0, 1):
        return conditional if w else reference
    wide = at_least_float32(conditional.dtype)
    return (1 - w) * reference.to(wide) + w * conditional.to(wide)


def advantage_margin(reference: Tensor, conditional: Tensor, labels: Tensor, w: float = 1.0) -> Tensor:
    """Δℓ[y*] − E_{a∼softmax(ℓ_w)} Δℓ[a] `[B, L]`, in float32 or wider; nan where `labels` `[B, L]` are not scored.

    It is −d/dw of the softmax cross-entropy CE(ℓ_w, y*), which is convex in w: the margin never rises with w, and
    margin at 1 ≤ CE(ℓ_u, y*) − CE(ℓ_c, y*) ≤ margin at 0. So a step whose margin is positive at w = 1 has improved the
    position. Computed as E(Δℓ[y*] − Δℓ[a]), where y* itself adds exactly 0: the sign of a margin far smaller than the
    logits is not rounding.
    """
    wide = at_least_float32(conditional.dtype)
    change = conditional.to(wide) - reference.to(wide)  # [B, L, V] Δℓ
    scored = labels != IGNORE_LABEL
    answer = torch.where(scored, labels, 0).long()[..., None]
    gaps = change.gather(-1, answer) - change
    probabilities = guided(reference, conditional, w).to(wide).softmax(-1)
    return torch.where(scored, (probabilities * gaps).sum(-1), torch.nan)


class GuidanceProbe:
    """Guided predictions and the advantage margin of one supervision step; a rollout calls it after each step.

    weights: the guidance scales w to decode with.  margin: also compute the advantage margin at w = 1.

    Raises:
        UserError: a weight is not finite, too large, or repeated.
    """

    def __init__(self, weights: Sequence[float], margin: bool = True) -> None:
        self._weights = {f"{w:g}": w for w in map(_checked, weights)}
        if len(self._weights) < len(weights):
            raise UserError(
                f"guidance weights {', '.join(f'{w:g}' for w in weights)}: two have one name",
                "weights that differ in their first six digits",
                "give each weight once",
            )
        self._margin = margin

    def __call__(
        self,
        reference: Tensor,
        conditional: Tensor,
        labels: Tensor,
        confidence: Callable[[Tensor, Tensor], Tensor] | None = None,
    ) -> dict[str, Tensor]:
        """The step's tensors by name, from logits `[B, L, V]` and labels `[B, L]`.

        `guided_confidence@<w>`: `[B]` float64, the confidence of ℓ_w and its argmax, if `confidence` is given.
        `guided_preds@<w>`: `[B, L]`, argmax of ℓ_w.  `margin`: `[B, L]` float16, nan where not scored; values
        beyond float16 become its largest number, and tiny ones its smallest, so that the sign is kept.
        """
        tensors: dict[str, Tensor] = {}
        for name, w in self._weights.items():
            logits = guided(reference, conditional, w)
            predictions = logits.argmax(-1).int()
            tensors[f"guided_preds@{name}"] = predictions.to(token_tensor_dtype(logits.shape[-1]))
            if confidence is not None:
                tensors[f"guided_confidence@{name}"] = confidence(logits, predictions).double()
        if self._margin:
            tensors["margin"] = _half(advantage_margin(reference, conditional, labels))
        return tensors


def _checked(weight: float) -> float:
    usable = isinstance(weight, int | float) and isfinite(weight) and abs(weight) <= LARGEST_WEIGHT
    if not usable:
        raise UserError(
            f"guidance weight {weight!r}",
            f"a finite number from {-LARGEST_WEIGHT:g} to {LARGEST_WEIGHT:g}",
            "0 repeats the step before, 1 is plain decoding, above 1 goes further the same way",
        )
    return float(weight)


def _half(margin: Tensor) -> Tensor:
    smallest = _HALF.smallest_normal * _HALF.eps  # subnormal
    clamped = torch.copysign(margin.abs().clamp(smallest, _HALF.max), margin)
    return torch.where(margin == 0, margin, clamped).to(torch.float16)

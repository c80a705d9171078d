"""Token losses. B batch, L grid tokens, V vocabulary; labels `IGNORE_LABEL` (−100) carry no loss."""

import math
import sys
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from trm.batch import IGNORE_LABEL
from trm.layers import at_least_float32

TokenLoss = Callable[[Tensor, Tensor], Tensor]


def stablemax_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """−log(s(ℓ_y) / Σ s(ℓ)) in float64, s(x) = x + 1 for x ≥ 0, 1 / (1 − x) below (docs/method.md, "Losses").

    Shapes: logits `[…, V]`, labels `[…]` → losses `[…]`, 0 where ignored.
    """
    wide = logits.to(torch.float64)
    scale = torch.where(wide < 0, 1 / (1 - wide.clamp(max=0) + 1e-30), wide + 1)  # clamp: 1/(1−x) stays finite
    log_probabilities = torch.log(scale / scale.sum(-1, keepdim=True))
    scored = labels != IGNORE_LABEL
    picked = log_probabilities.gather(-1, torch.where(scored, labels, 0).long()[..., None])[..., 0]
    return torch.where(scored, -picked, 0.0)


def softmax_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """The usual cross-entropy in float32 or wider; shapes as `stablemax_cross_entropy`."""
    wide = logits.to(at_least_float32(logits.dtype))
    losses = F.cross_entropy(wide.flatten(0, -2), labels.long().flatten(), ignore_index=IGNORE_LABEL, reduction="none")
    return losses.view(labels.shape)


TOKEN_LOSSES: dict[str, TokenLoss] = {
    "stablemax_cross_entropy": stablemax_cross_entropy,
    "softmax_cross_entropy": softmax_cross_entropy,
}


NOTHING = math.log(sys.float_info.min)  # the mean log-probability of an answer without a cell: below all others


def mean_log_probability(token_loss: TokenLoss, logits: Tensor, tokens: Tensor, cells: Tensor) -> Tensor:
    """Mean log-probability `[B]` (float64) of `tokens` `[B, L]`, over the marked `cells` `[B, L]`.

    logits: `[B, L, V]`, under which the tokens are read.
    """
    log_probabilities = -token_loss(logits, tokens).double()
    marked = cells.sum(-1)  # [B]
    mean = torch.where(cells, log_probabilities, 0.0).sum(-1) / marked.clamp(min=1)
    nothing = NOTHING + 0 * log_probabilities.sum(-1)  # nan stays nan
    return torch.where(marked > 0, mean, nothing)


def sequence_loss(token_loss: TokenLoss, logits: Tensor, labels: Tensor) -> Tensor:
    """Loss of each example `[B]`: the sum over its scored tokens divided by their number (at least 1)."""
    scored = (labels != IGNORE_LABEL).sum(-1).clamp(min=1)  # [B]
    return token_loss(logits, labels).sum(-1) / scored

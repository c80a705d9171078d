"""The sparse per-puzzle embedding and its sign-SGD. B slots, E embedding width.

With hundreds of thousands of puzzles, a dense gradient and Adam moments would be larger than all else
together; each step touches the B rows of its batch only.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trm.distributed import Ranks


class PuzzleEmbedding(nn.Module):
    """One vector for each puzzle identifier, zero at the start; a buffer, not a parameter.

    While gradients are recorded, `forward` hands out a leaf copy of the rows it reads; `SignSGD` takes the
    leaf's gradient back to the table.
    """

    weights: Tensor

    def __init__(self, puzzles: int, width: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        self.register_buffer("weights", torch.zeros(puzzles, width))
        self.rows: Tensor | None = None
        self.identifiers: Tensor | None = None

    def forward(self, identifiers: Tensor) -> Tensor:
        """Rows `[B, E]` of `identifiers` `[B]`, in the forward dtype."""
        rows = self.weights[identifiers]
        if torch.is_grad_enabled() and self.training:
            self.rows, self.identifiers = rows.requires_grad_(), identifiers
        return rows.to(self.dtype)


@dataclass
class SignSGD:
    """w ← w·(1 − lr·decay) − lr·sign(Σ g), on the rows used in this step only.

    Gradients of the same row are summed over the global batch before the sign is taken, so that the update
    does not depend on how the batch lies on the ranks.
    """

    embedding: PuzzleEmbedding
    weight_decay: float
    ranks: Ranks

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """Update from the rows that the last forward pass handed out, and drop them."""
        rows, identifiers = self.embedding.rows, self.embedding.identifiers
        if rows is None or identifiers is None or rows.grad is None:
            raise RuntimeError("SignSGD.step needs a backward pass through the puzzle embedding before it")
        gradients = self.ranks.gather_rows(rows.grad)  # [B_global, E]
        used, position = self.ranks.gather_rows(identifiers).unique(return_inverse=True)
        summed = torch.zeros(len(used), gradients.shape[1], dtype=gradients.dtype, device=gradients.device)
        summed.index_add_(0, position, gradients)
        weights = self.embedding.weights
        weights[used] = weights[used] * (1 - lr * self.weight_decay) - lr * summed.sign()
        self.embedding.rows = self.embedding.identifiers = None

"""The sparse per-puzzle embedding and its sign-SGD.

N puzzles, B slots over all ranks, b of this rank, E embedding width.

With hundreds of thousands of puzzles, a dense gradient and Adam moments would be larger than all else
together; each step touches the B rows of its batch only.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trm.distributed import Ranks


@dataclass(frozen=True)
class Lookup:
    """Rows `[b, E]` that a forward pass read, a leaf whose gradient goes back to the table; identifiers `[b]`."""

    identifiers: Tensor
    rows: Tensor


class PuzzleEmbedding(nn.Module):
    """One vector for each puzzle identifier, zero at the start; a buffer, not a parameter.

    While gradients are recorded, `forward` hands out a leaf copy of the rows it reads and remembers it in
    `lookups`; `SignSGD` takes the leaves' gradients back to the table.
    `shard` leaves each rank a share of the table; reading and updating then need all ranks to take part.
    """

    weights: Tensor

    def __init__(self, puzzles: int, width: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype, self.puzzles = dtype, puzzles
        self.register_buffer("weights", torch.zeros(puzzles, width))  # [N, E], or this rank's share of it
        self.first = 0  # the puzzle that weights[0] belongs to
        self.owners: Ranks | None = None  # the ranks that share the table; None: each has all of it
        self.lookups: list[Lookup] = []

    def forward(self, identifiers: Tensor) -> Tensor:
        """Rows `[b, E]` of `identifiers` `[b]`, in the forward dtype."""
        rows = self._read(identifiers)
        if torch.is_grad_enabled() and self.training:
            self.lookups.append(Lookup(identifiers, rows.requires_grad_()))
        return rows.to(self.dtype)

    def shard(self, ranks: Ranks) -> None:
        """Keep rows [rank·n, (rank+1)·n) of the table, n = ⌈N / ranks⌉; the last ranks' shares may be shorter."""
        share = -(-self.puzzles // ranks.world_size)
        self.first = min(ranks.rank * share, self.puzzles)
        self.weights = self.weights[self.first : self.first + share].clone()
        self.owners = ranks

    def whole(self) -> Tensor:
        """The table of all ranks `[N, E]`; on the CPU if it is shared out, and empty but on the first rank."""
        if self.owners is None:
            return self.weights
        share = -(-self.puzzles // self.owners.world_size)
        padded = self.weights.new_zeros(share, self.weights.shape[1])
        padded[: len(self.weights)] = self.weights
        gathered = self.owners.collect_rows(padded)
        return gathered[: self.puzzles]

    def load_whole(self, table: Tensor) -> None:
        """Take this rank's share of the table `[N, E]`."""
        self.weights.copy_(table[self.first : self.first + len(self.weights)])

    def mine(self, identifiers: Tensor) -> tuple[Tensor, Tensor]:
        """(row of the share, whether it is here) `[B]` each; the row is 0 where it is not."""
        local = identifiers.long() - self.first
        here = (local >= 0) & (local < len(self.weights))
        return torch.where(here, local, 0), here

    def _read(self, identifiers: Tensor) -> Tensor:
        if self.owners is None:
            return self.weights[identifiers]
        everyones = self.owners.gather_rows(identifiers)  # [B]
        local, here = self.mine(everyones)
        rows = self.weights.new_zeros(len(everyones), self.weights.shape[1])
        if len(self.weights):
            rows += self.weights[local] * here[:, None]
        self.owners.sum_(rows)  # one rank's row and zeros: exact
        first, count = self.owners.local_slots(len(everyones))
        return rows[first : first + count].clone()


@dataclass
class SignSGD:
    """w ← w·(1 − lr·decay) − lr·sign(Σ g), on the rows used in this step only.

    Gradients of the same row are summed over the global batch before the sign is taken, so that the update
    does not depend on how the batch lies on the ranks. All shapes are fixed: nothing waits for the device.
    """

    embedding: PuzzleEmbedding
    weight_decay: float
    ranks: Ranks

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """Update from the rows that the forward passes since the last step handed out, and drop them."""
        lookups = self.embedding.lookups
        gradients = [lookup.rows.grad for lookup in lookups]
        if not gradients or any(gradient is None for gradient in gradients):
            raise RuntimeError("SignSGD.step needs a backward pass through the puzzle embedding before it")
        together = torch.cat([gradient for gradient in gradients if gradient is not None])  # [b, E]
        identifiers = self.ranks.gather_rows(torch.cat([lookup.identifiers for lookup in lookups]))  # [B]
        summed = _summed_by_row(identifiers, self.ranks.gather_rows(together))  # [B, E]
        local, here = self.embedding.mine(identifiers)
        weights = self.embedding.weights
        if self.embedding.owners is not None:  # only the rows that are here
            local, summed = local[here], summed[here]
        updated = weights[local] * (1 - lr * self.weight_decay) - lr * summed.sign()
        weights[local] = updated  # slots of one row write the same numbers
        lookups.clear()


def _summed_by_row(identifiers: Tensor, gradients: Tensor) -> Tensor:
    """For each slot the gradient of its row: the sum over all slots `[B]` with its identifier; `[B, E]`."""
    ordered, order = identifiers.sort(stable=True)
    starts = torch.ones_like(ordered, dtype=torch.bool)
    starts[1:] = ordered[1:] != ordered[:-1]
    place = torch.empty_like(order)
    place[order] = starts.cumsum(0) - 1  # [B] which row each slot belongs to
    return torch.zeros_like(gradients).index_add_(0, place, gradients)[place]

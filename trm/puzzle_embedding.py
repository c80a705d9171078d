"""The sparse per-puzzle embedding and its sign-SGD.

N puzzles, B slots over all ranks, b of this rank, r rows that the ranks request from it, E embedding width, W ranks.

With hundreds of thousands of puzzles, a dense gradient and Adam moments would be larger than all else
together; each step touches the B rows of its batch only.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from trm.optim import Rate


class Ranks(Protocol):
    """The processes that train together, as far as the table and its update must know them."""

    @property
    def rank(self) -> int: ...
    @property
    def world_size(self) -> int: ...
    @property
    def is_first(self) -> bool: ...
    def sum_(self, tensor: Tensor) -> Tensor: ...
    def gather_rows(self, rows: Tensor) -> Tensor: ...
    def exchange_rows(self, rows: Tensor, sent: list[int], received: list[int]) -> Tensor: ...
    def collect_rows(self, rows: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class Route:
    """How rows of a shared-out table travel between their owners and this rank's slots.

    order: `[b]` the slots, by owner.  sent: slots for each owner, `W` numbers.  requested: rows that each rank
    requests from this one, `W` numbers.  rows: `[r]` their places in this rank's share, by rank and there by slot.
    """

    order: Tensor
    sent: list[int]
    requested: list[int]
    rows: Tensor


@dataclass(frozen=True)
class Lookup:
    """Rows `[b, E]` that a forward pass read, in its dtype: a leaf whose gradient goes back to the table.

    identifiers: `[b]`.  route: how they came from their owners; None where the table is here.
    """

    identifiers: Tensor
    rows: Tensor
    route: Route | None = None


class PuzzleEmbedding(nn.Module):
    """One vector for each puzzle identifier, zero at the start; a buffer, not a parameter.

    While gradients are recorded, `forward` hands out a leaf copy of the rows it reads and remembers it in
    `lookups`; `SignSGD` takes the leaves' gradients back to the table.
    `shard` leaves each rank a share of the table; reading and updating then need all ranks to take part, and the
    host waits for the device once in each reading: it must know how many rows go where.
    """

    weights: Tensor

    def __init__(self, puzzles: int, width: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype, self.puzzles = dtype, puzzles
        self.register_buffer("weights", torch.zeros(puzzles, width))  # [N, E], or this rank's share of it
        self.first, self.share = 0, puzzles  # the puzzle that weights[0] belongs to; ⌈N / W⌉
        self.owners: Ranks | None = None  # the ranks that share the table; None: each has all of it
        self.lookups: list[Lookup] = []

    def forward(self, identifiers: Tensor) -> Tensor:
        """Rows `[b, E]` of `identifiers` `[b]`, in the forward dtype."""
        route = None if self.owners is None else self._route(identifiers, self.owners)
        rows = self.weights[identifiers] if route is None else self._fetched(route)
        rows = rows.to(self.dtype)
        if torch.is_grad_enabled() and self.training:
            self.lookups.append(Lookup(identifiers, rows.requires_grad_(), route))
        return rows

    def shard(self, ranks: Ranks) -> None:
        """Keep rows [rank·n, (rank+1)·n) of the table, n = ⌈N / W⌉; the last ranks' shares may be shorter or empty."""
        if ranks.world_size == 1:
            return
        self.share = -(-self.puzzles // ranks.world_size)
        self.first = min(ranks.rank * self.share, self.puzzles)
        self.weights = self.weights[self.first : self.first + self.share].clone()
        self.owners = ranks

    def whole(self) -> Tensor:
        """The table of all ranks `[N, E]`; on the CPU if it is shared out, and empty but on the first rank."""
        if self.owners is None:
            return self.weights
        lacking = self.share - len(self.weights)
        padded = nn.functional.pad(self.weights, (0, 0, 0, lacking)) if lacking else self.weights
        return self.owners.collect_rows(padded)[: self.puzzles]

    def load_whole(self, table: Tensor) -> None:
        """Take this rank's share of the table `[N, E]`, which may lie on another device."""
        self.weights.copy_(table[self.first : self.first + len(self.weights)])

    def _route(self, identifiers: Tensor, owners: Ranks) -> Route:
        """Request the rows of `identifiers` `[b]` from their owners."""
        owner = identifiers.long() // self.share  # [b]
        order = owner.argsort(stable=True)
        sending = owner.new_zeros(owners.world_size).index_add_(0, owner, torch.ones_like(owner))  # [W]
        ones = [1] * owners.world_size
        sent, requested = torch.stack((sending, owners.exchange_rows(sending, ones, ones))).tolist()
        rows = owners.exchange_rows(identifiers[order], sent, requested).long() - self.first
        return Route(order, sent, requested, rows)

    def _fetched(self, route: Route) -> Tensor:
        """The rows `[b, E]` of the slots, fetched from their owners."""
        assert self.owners is not None
        arrived = self.owners.exchange_rows(self.weights[route.rows], route.requested, route.sent)
        rows = torch.empty_like(arrived)
        rows[route.order] = arrived
        return rows


@dataclass
class SignSGD:
    """w ← w·(1 − lr·decay) − lr·sign(Σ g), on the rows used in this step only.

    Gradients of the same row are summed over the global batch before the sign is taken, so that the update
    does not depend on how the batch lies on the ranks. They are summed where the row is: on its owner, or on every
    rank; and in slot order, so that it is the same sum. Only a table of fewer rows than half the slots is summed on
    each rank first, as that is then less to send.
    Unless the table is shared out, all shapes are fixed, and the host never waits for the device.
    """

    embedding: PuzzleEmbedding
    weight_decay: float
    ranks: Ranks

    def step(self, lr: float) -> Tensor:
        """Update from the rows that the forward passes since the last step handed out, and drop them.

        Returns this rank's part of the gradient's squared norm, a float64 scalar: the ranks' parts add up to it.
        """
        return self.update(*self.take(), *self.rates(lr))

    def rates(self, lr: float) -> tuple[float, float]:
        """1 − lr·decay, and lr."""
        return 1 - lr * self.weight_decay, lr

    @torch.no_grad()
    def take(self) -> tuple[Tensor, Tensor]:
        """Rows `[r]` of the table, or of this rank's share, and what is to be added to their gradients `[r, E]`."""
        lookups = self.embedding.lookups
        gradients = [lookup.rows.grad for lookup in lookups if lookup.rows.grad is not None]
        if not lookups or len(gradients) < len(lookups):
            raise RuntimeError("SignSGD.step needs a backward pass through the puzzle embedding before it")
        if self.embedding.owners is not None:
            rows, summands = self._sent_to_owners(gradients)
        else:
            rows, summands = torch.cat([lookup.identifiers for lookup in lookups]), torch.cat(gradients)
        lookups.clear()
        return rows, summands.to(self.embedding.weights.dtype)

    @torch.no_grad()
    def update(self, rows: Tensor, summands: Tensor, decay: Rate, lr: Rate) -> Tensor:
        """Update by the results of `take` and `rates`; returns what `step` returns."""
        weights = self.embedding.weights
        if self.embedding.owners is None:
            if 2 * len(weights) < len(rows) * self.ranks.world_size:
                return self._of_first(self._step_whole_table(rows, summands, decay, lr).double().square().sum())
            rows, summands = self.ranks.gather_rows(rows), self.ranks.gather_rows(summands)  # [B], [B, E]
        sums = _summed_by_row(rows, summands)
        weights[rows] = weights[rows] * decay - lr * sums.sign()  # slots of one row write the same numbers
        square = (summands.double() * sums.double()).sum()  # Σ over the slots of a row of g·Σg is |Σg|²
        return square if self.embedding.owners is not None else self._of_first(square)

    def _of_first(self, square: Tensor) -> Tensor:
        """`square`, which all ranks have alike, on the first rank and 0 on the others: their sum counts it once."""
        return square if self.ranks.is_first else torch.zeros_like(square)

    def _step_whole_table(self, rows: Tensor, gradients: Tensor, decay: Rate, lr: Rate) -> Tensor:
        """The update by sums `[N, E + 1]` over all rows, of which the last column counts the slots that used the row;
        the sums without it."""
        weights = self.embedding.weights
        counted = torch.cat((gradients, gradients.new_ones(len(rows), 1)), 1)  # [b, E + 1]
        sums = self.ranks.sum_(_add_to_rows(counted.new_zeros(len(weights), counted.shape[1]), rows, counted))
        updated = weights * decay - lr * sums[:, :-1].sign()
        weights.copy_(torch.where(sums[:, -1:] > 0, updated, weights))
        return sums[:, :-1]

    def _sent_to_owners(self, gradients: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Rows `[r]` of the share and what every rank's slots add to them `[r, E]`, in the order of the slots."""
        pieces: list[tuple[int, Tensor, Tensor]] = []  # by asking rank
        for lookup, gradient in zip(self.embedding.lookups, gradients, strict=True):
            route = lookup.route
            assert route is not None
            arrived = self.ranks.exchange_rows(gradient[route.order], route.sent, route.requested)
            pieces += zip(
                range(self.ranks.world_size),
                route.rows.split(route.requested),
                arrived.split(route.requested),
                strict=True,
            )
        pieces.sort(key=lambda piece: piece[0])
        return torch.cat([rows for _, rows, _ in pieces]), torch.cat([added for _, _, added in pieces])


def _summed_by_row(identifiers: Tensor, gradients: Tensor) -> Tensor:
    """For each slot the gradient of its row: the sum over all slots `[B]` with its identifier; `[B, E]`."""
    ordered, order = identifiers.sort(stable=True)
    starts = torch.ones_like(ordered, dtype=torch.bool)
    starts[1:] = ordered[1:] != ordered[:-1]
    place = torch.empty_like(order)
    place[order] = starts.cumsum(0) - 1  # [B] which row each slot belongs to
    return _add_to_rows(torch.zeros_like(gradients), place, gradients)[place]


def _add_to_rows(sums: Tensor, rows: Tensor, summands: Tensor) -> Tensor:
    """sums[rows] += summands, in place and in the order of the summands; index_add_ adds in any order on a GPU."""
    return sums.index_put_((rows,), summands, accumulate=True) if sums.is_cuda else sums.index_add_(0, rows, summands)

"""Which examples a training step sees: a resumable walk over groups.

An epoch visits every group once, in random order; a group gives one random puzzle, and that puzzle its examples
in random order, until the global batch B is full (the last puzzle is cut). An iteration is several epochs;
batches run across their borders, and only what is left at its end is dropped. G groups.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError
from trm.randomness import numpy_generator
from trm_lab.puzzles.layout import PuzzleExamples

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Draw:
    """Which examples a global batch holds, before their tokens are read or made.

    examples, puzzles: `[B]` numbers in the set.
    shifts: `[B, 2]` in [0, 1), where each lies on its canvas if it has no place of its own; (0, 0) for one
      random example of each puzzle, as ARC is published.
    """

    examples: Indices
    puzzles: Indices
    shifts: NDArray[np.float64]

    def rows(self, rows: Indices) -> "Draw":
        """The rows of the batch with these numbers, such as one rank's."""
        return Draw(self.examples[rows], self.puzzles[rows], self.shifts[rows])


class GroupSampler:
    """Draws global batches from one set.

    The group order of an epoch comes from (seed, epoch counted over the whole run), the draws of a batch
    from (seed, iteration, cursor); so `iteration` and `cursor`, the groups of it that are consumed, are all there is to
    a position.

    Args:
        examples: the set; only its index arrays are read.
        global_batch_size: B, over all ranks.
        seed: of the run.
        epochs_per_iteration: epochs between two evaluations.
        name: keeps the draws of several sets apart.

    Raises:
        UserError: an iteration cannot fill one batch.
    """

    def __init__(
        self,
        examples: PuzzleExamples,
        global_batch_size: int,
        seed: int,
        epochs_per_iteration: int = 1,
        name: str = "all",
    ) -> None:
        self._starts = examples.puzzle_indices[:-1].astype(np.int64)  # [P]
        self._sizes = np.diff(examples.puzzle_indices).astype(np.int64)  # [P]
        self._first_puzzles = examples.group_indices.astype(np.int64)  # [G + 1]
        self.groups = len(self._first_puzzles) - 1
        self.groups_per_iteration = self.groups * epochs_per_iteration
        self._batch, self._seed, self._name = global_batch_size, seed, name
        self.iteration = self.cursor = 0
        self._orders: dict[int, Indices] = {}  # of the epochs that the last batch touched
        self._check_fills(epochs_per_iteration)

    def go_to(self, iteration: int, cursor: int = 0) -> None:
        """Go to the beginning of an iteration, or to a position in it."""
        self.iteration, self.cursor = iteration, cursor

    def next_batch(self) -> Draw | None:
        """The next global batch; None at the end of the iteration."""
        generator = numpy_generator(self._seed, f"batch of {self._name}", self.iteration, self.cursor)
        groups = self._next_groups(self._batch)  # as many as could be needed
        puzzles = generator.integers(self._first_puzzles[groups], self._first_puzzles[groups + 1])
        filled = np.cumsum(self._sizes[puzzles])
        used = int(np.searchsorted(filled, self._batch)) + 1  # groups until the batch is full
        self.cursor += min(used, len(groups))
        if used > len(groups):
            return None
        return self._examples(puzzles[:used], generator)

    def _examples(self, puzzles: Indices, generator: np.random.Generator) -> Draw:
        """All examples of each puzzle, shuffled within it, the last puzzle cut to the batch."""
        sizes = self._sizes[puzzles]
        owner = np.repeat(np.arange(len(puzzles)), sizes)  # [E]
        first = np.repeat(self._starts[puzzles] - (np.cumsum(sizes) - sizes), sizes)
        examples = np.arange(len(owner)) + first
        shuffled = np.lexsort((generator.random(len(owner)), owner))[: self._batch]
        shifts = generator.random((len(shuffled), 2))
        corners = self._starts[puzzles] + generator.integers(0, sizes)  # an example of each puzzle
        shifts[examples[shuffled] == corners[owner[: self._batch]]] = 0
        return Draw(examples[shuffled], puzzles[owner[: self._batch]], shifts)

    def _next_groups(self, count: int) -> Indices:
        """The groups at the cursor, `count` of them or what is left of the iteration."""
        stop = min(self.cursor + count, self.groups_per_iteration)
        first, end = self.cursor // self.groups, -(-stop // self.groups)  # epochs of this iteration
        before = self.iteration * (self.groups_per_iteration // self.groups)  # epochs of earlier ones
        self._orders = {epoch: self._order(epoch) for epoch in range(before + first, before + end)}
        order = np.concatenate([np.zeros(0, np.int64), *self._orders.values()])
        return order[self.cursor - first * self.groups : stop - first * self.groups]

    def _order(self, epoch: int) -> Indices:
        if epoch in self._orders:
            return self._orders[epoch]
        return numpy_generator(self._seed, f"group order of {self._name}", epoch).permutation(self.groups)

    def _check_fills(self, epochs: int) -> None:
        fewest = int(np.minimum.reduceat(self._sizes, self._first_puzzles[:-1]).sum())  # examples in an epoch
        if epochs < 1 or fewest * epochs < self._batch:
            needed = -(-self._batch // fewest)
            raise UserError(
                given=f"{epochs} epochs of {fewest} examples in an iteration do not fill a batch of {self._batch}",
                allowed=f"global_batch_size up to {fewest * max(epochs, 1)}, or more epochs between evaluations",
                remedy=f"use at least {needed} epochs (eval_interval), or a smaller global_batch_size",
            )

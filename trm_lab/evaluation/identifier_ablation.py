"""What the puzzle embeddings contribute: answering with the right one, with none, or with another task's.

N puzzle identifiers, P puzzles, G groups.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError
from trm.randomness import numpy_generator
from trm_lab.commands.choices import IDENTIFIER_CHOICES
from trm_lab.puzzles.datasets import PuzzleSet


def identifiers_to_feed(
    choice: str, sets: Sequence[PuzzleSet], identifiers: int, blank: int, seed: int
) -> NDArray[np.int32]:
    """`[N]`: the identifier that the model is given in place of each one.

    choice: `correct`; `blank`, the blank one for all; `shuffled`: every group gets another group's, its k-th puzzle
      the other's k-th (counted round where that has fewer).

    Raises:
        UserError: no such choice, or shuffling with fewer than two groups or without identifiers.
    """
    if choice not in IDENTIFIER_CHOICES:
        raise UserError(f"identifiers={choice}", " | ".join(IDENTIFIER_CHOICES), "choose one of these")
    table = np.arange(identifiers, dtype=np.int32)
    if choice == "blank":
        table[:] = blank
    if choice == "shuffled":
        for puzzle_set in sets:
            _shuffle(table, puzzle_set, blank, seed)
    return table


def _shuffle(table: NDArray[np.int32], puzzle_set: PuzzleSet, blank: int, seed: int) -> None:
    starts = puzzle_set.examples.group_indices
    sizes = np.diff(starts)
    own = np.asarray(puzzle_set.examples.puzzle_identifiers)
    groups = len(sizes)
    if groups < 2 or (own == blank).all():
        raise UserError(
            f"shuffled identifiers for {puzzle_set.dataset}, which has {groups} groups"
            + (" and no puzzle identifiers" if (own == blank).all() else ""),
            "a dataset of at least two groups with identifiers of their own",
            "choose blank or correct",
        )
    order = numpy_generator(seed, "shuffled identifiers").permutation(groups)
    other_group = np.empty(groups, np.int64)
    other_group[order] = np.roll(order, 1)  # one cycle through all groups: none keeps its own
    group = np.repeat(np.arange(groups), sizes)  # [P]
    place = np.arange(len(group)) - starts[:-1][group]
    source = other_group[group]
    table[own] = own[starts[:-1][source] + place % sizes[source]]

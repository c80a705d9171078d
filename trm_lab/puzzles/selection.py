"""A part of a split to evaluate: some tasks, some augmentations of each. P puzzles, G groups, E examples."""

import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError, shown
from trm_lab.puzzles.arc.augmentation import SEPARATOR
from trm_lab.puzzles.layout import PuzzleExamples

NAMED_IN_ERRORS = 5


@dataclass(frozen=True)
class Selection:
    """What to take of a split, in file order; the default takes everything.

    tasks: names of the groups to take; empty for all.  first_tasks: so many groups of each set; None for all.
    augmentations: puzzles of a group besides its first one, the task as it is; None for all.
    """

    tasks: frozenset[str] = frozenset()
    first_tasks: int | None = None
    augmentations: int | None = None

    @property
    def takes_all(self) -> bool:
        """Whether nothing is left out."""
        return not self.tasks and self.first_tasks is None and self.augmentations is None

    def examples(self, one: PuzzleExamples, identifiers: Sequence[str]) -> NDArray[np.int64]:
        """Positions of the chosen examples in a set's file, rising."""
        if self.takes_all:
            return np.arange(one.count)
        groups = len(one.group_indices) - 1
        sizes = np.diff(one.group_indices)
        group = np.repeat(np.arange(groups), sizes)  # [P]
        place = np.arange(len(group)) - one.group_indices[:-1][group]  # [P], in its group
        kept = np.ones(len(group), bool)
        if self.augmentations is not None:
            kept &= place <= self.augmentations
        if self.tasks:
            names = [task_name(identifiers[i]) for i in one.puzzle_identifiers[one.group_indices[:-1]]]
            kept &= np.isin(names, list(self.tasks))[group]
        if self.first_tasks is not None:
            chosen = np.flatnonzero(np.bincount(group[kept], minlength=groups))[: self.first_tasks]
            kept &= np.isin(group, chosen)
        return np.flatnonzero(np.repeat(kept, np.diff(one.puzzle_indices)))

    def check(self, known: Collection[str]) -> None:
        """Check that the named tasks are among the `known` ones.

        Raises:
            UserError: one is not.
        """
        missing = sorted(self.tasks - set(known))
        if not missing:
            return
        near = difflib.get_close_matches(missing[0], known, 1)
        some = [shown(name, 60) for name in [*near, *sorted(known)][:NAMED_IN_ERRORS]]
        raise UserError(
            f"--tasks: no {', '.join(shown(name, 60) for name in missing[:NAMED_IN_ERRORS])} in this test split",
            f"names of its {len(known)} tasks, such as {', '.join(some)}"
            if known
            else "a split with named tasks",
            f"did you mean {near[0]}?" if near else "leave --tasks out to evaluate all",
        )


EVERYTHING = Selection()


def task_name(puzzle: str) -> str:
    """The task that a puzzle's name belongs to."""
    return puzzle.partition(SEPARATOR)[0]

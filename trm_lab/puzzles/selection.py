"""A part of a split to evaluate: some tasks, some augmentations, a sample. P puzzles, G groups, E examples."""

import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError, shown
from trm.randomness import numpy_generator
from trm_lab.puzzles.arc.augmentation import SEPARATOR
from trm_lab.puzzles.layout import PuzzleExamples

NAMED_IN_ERRORS = 5  # tasks


@dataclass(frozen=True)
class Selection:
    """The examples of a split to evaluate, in file order; the default takes everything.

    tasks: names of the groups to take; empty for all.  first_tasks: so many groups of each set; None for all.
    augmentations: puzzles of a group besides its first one, the task as it is; None for all.
    sampled: of these, groups drawn at random with at most so many examples in all; None for all.
    """

    tasks: frozenset[str] = frozenset()
    first_tasks: int | None = None
    augmentations: int | None = None
    sampled: int | None = None

    @property
    def takes_all(self) -> bool:
        """Whether nothing is left out."""
        return self == EVERYTHING

    def examples(self, puzzles: PuzzleExamples, identifiers: Sequence[str]) -> NDArray[np.int64]:
        """Positions of the chosen examples in a set's file, rising, before a sample is drawn.

        identifiers: the name of each; needed where tasks are named.
        """
        if self.takes_all:
            return np.arange(puzzles.count)
        first_puzzles = puzzles.group_indices[:-1]  # [G]
        groups = len(first_puzzles)
        group = np.repeat(np.arange(groups), np.diff(puzzles.group_indices))  # [P]
        place = np.arange(len(group)) - first_puzzles[group]  # [P], in its group
        chosen = np.ones(len(group), bool)  # [P]
        if self.augmentations is not None:
            chosen &= place <= self.augmentations
        if self.tasks:
            tasks = [task_name(identifiers[i]) for i in puzzles.puzzle_identifiers[first_puzzles]]
            chosen &= np.isin(tasks, list(self.tasks))[group]
        if self.first_tasks is not None:
            first_groups = np.flatnonzero(np.bincount(group[chosen], minlength=groups))[: self.first_tasks]
            chosen &= np.isin(group, first_groups)
        return np.flatnonzero(np.repeat(chosen, np.diff(puzzles.puzzle_indices)))

    def check(self, tasks: Collection[str]) -> None:
        """Check that the named tasks are among the `tasks` of a split.

        Raises:
            UserError: one is not.
        """
        missing = sorted(self.tasks - set(tasks))
        if not missing:
            return
        near = difflib.get_close_matches(missing[0], tasks, 1)
        some = [shown(name, 60) for name in [*near, *sorted(tasks)][:NAMED_IN_ERRORS]]
        raise UserError(
            f"--tasks: no {', '.join(shown(name, 60) for name in missing[:NAMED_IN_ERRORS])} in this test split",
            f"names of its {len(tasks)} tasks, such as {', '.join(some)}" if tasks else "a split with named tasks",
            f"did you mean {near[0]}?" if near else "leave --tasks out to evaluate all",
        )


EVERYTHING = Selection()


@dataclass(frozen=True)
class Part:
    """How much of a split an evaluation is of: so many `examples` of how many; sampled: as in `Selection`."""

    examples: int
    of: int
    sampled: int | None = None

    @property
    def title(self) -> str:
        """In words."""
        return f"{self.examples:,} of {self.of:,} examples" + (", drawn at random" if self.sampled is not None else "")


def sample_groups(groups: Sequence[NDArray[np.int64]], most: int) -> list[NDArray[np.bool_]]:
    """Which examples of several sets are in a sample of at most `most` of them all.

    Whole groups are taken in a random order, until the next one has no room. The order depends on the number of groups
    alone, so that every run looks at the same sample of a dataset, whatever its seed, and a smaller one is part of it.

    groups: for each set the group `[E]` of each example.

    Raises:
        UserError: the first group alone has more examples.
    """
    sizes = [np.unique(of_set, return_counts=True)[1] for of_set in groups]
    every = np.concatenate(sizes)
    order = numpy_generator(0, "evaluation sample").permutation(len(every))
    taken = np.zeros(len(every), bool)
    taken[order[: np.searchsorted(np.cumsum(every[order]), most, side="right")]] = True
    if not taken.any():
        raise UserError(
            f"a sample of {most:,} test examples, where the first task to be drawn has {every[order[0]]:,} of them",
            "as many as that task has, or more: a task is taken whole, so that all of its augmentations vote",
            f"raise it to {every[order[0]]:,} or more, or let fewer augmentations vote (eval_num_aug, --num-aug)",
        )
    ends = np.cumsum([len(of_set) for of_set in sizes])[:-1]
    return [
        of_set[np.unique(group, return_inverse=True)[1]]
        for of_set, group in zip(np.split(taken, ends), groups, strict=True)
    ]


def task_name(puzzle: str) -> str:
    """The task that a puzzle's name belongs to."""
    return puzzle.partition(SEPARATOR)[0]

"""Batches for training and for evaluation, cut to this rank.

B global batch, b = B / world_size rows of this rank, L grid tokens.
Ranks take consecutive slices of the global batch: rank r has rows [r·b, (r+1)·b).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trm.batch import IGNORE_LABEL, Batch
from trm.errors import UserError
from trm_lab.puzzles.batch_extras import Extra, open_extras
from trm_lab.puzzles.datasets import PuzzleData, PuzzleSet
from trm_lab.puzzles.layout import PuzzleExamples, PuzzleMetadata, TestPuzzles
from trm_lab.puzzles.manifest import CategoryNames
from trm_lab.puzzles.sampling import GroupSampler
from trm_lab.puzzles.selection import EVERYTHING, Part, Selection, sample_groups, task_name

_EXAMPLES_AT_ONCE = 8192  # of `unvouched`


class DataPosition(TypedDict):
    """Where training stands: the iteration, which set it is in, and how many of its groups are consumed."""

    iteration: int
    set: int
    cursor: int


@dataclass(frozen=True)
class EvaluationBatch:
    """This rank's rows of a batch; the rows after the first `len(examples)` are padding.

    batch: `[b, ...]`; padding rows hold pad_id, IGNORE_LABEL and the blank identifier.
    examples: `[real]` positions in the set's file; empty where a rank has nothing left.
    set_name: the set they are from.
    first: place of the batch's first row among all chosen examples.  count: rows of all ranks, without padding.
    """

    batch: Batch
    examples: NDArray[np.int64]
    set_name: str
    first: int
    count: int


class TrainingData(PuzzleData):
    """Training batches of one or more datasets, resumable.

    In an iteration the sets are walked one after another, each dropping its own incomplete last batch.

    Args:
        paths, build_command: see `PuzzleData`.
        seed: of the run.
        global_batch_size: B.
        epochs_per_iteration: epochs between two evaluations.
        rank, world_size: which slice of the global batch is ours.

    Raises:
        UserError: unusable datasets, or a batch size that does not divide or that an iteration cannot fill.
    """

    def __init__(
        self,
        paths: Sequence[Path | str],
        *,
        seed: int,
        global_batch_size: int,
        epochs_per_iteration: int = 1,
        rank: int = 0,
        world_size: int = 1,
        build_command: str | None = None,
    ) -> None:
        local = rows_per_rank(global_batch_size, world_size)
        super().__init__(paths, "train", build_command)
        self._rows = np.arange(rank * local, (rank + 1) * local)
        self._samplers = [
            GroupSampler(puzzles.examples, global_batch_size, seed, epochs_per_iteration, puzzles.name)
            for puzzles in self.sets
        ]
        self._iteration = self._set = 0
        self._extras: list[dict[str, Extra]] = [{} for _ in self.sets]

    def read_extras(self, names: Sequence[str]) -> None:
        """Give the batches from now on these optional parts: "reveal_order", "stored_steps" (see `Batch`).

        Raises:
            UserError: a dataset does not have one, or has a broken one.
        """
        self._extras = open_extras(names, self.sets, self.metadata)

    def start_iteration(self, iteration: int) -> None:
        """Go to the beginning of an iteration."""
        self._iteration, self._set = iteration, 0
        for sampler in self._samplers:
            sampler.go_to(iteration)

    def next_batch(self, free: NDArray[np.bool_] | None = None) -> Batch | None:
        """This rank's rows of the next global batch; None at the end of the iteration.

        free: `[b]` the slots that take a new row; the others' tokens are not read, and come as padding. None: all.
        """
        while self._set < len(self.sets):
            draw = self._samplers[self._set].next_batch()
            if draw is not None:
                places = np.arange(len(self._rows)) if free is None else np.flatnonzero(free)
                own, examples = draw.rows(self._rows[places]), self.sets[self._set].examples
                size = len(self._rows)
                extras = self._extras[self._set]
                return _batch(examples, own.examples, own.puzzles, self.metadata, size, places, own.shifts, extras)
            self._set += 1
        return None

    def batches(self) -> Iterator[Batch]:
        """The batches up to the end of the iteration."""
        while (batch := self.next_batch()) is not None:
            yield batch

    def state(self) -> DataPosition:
        """The position, for JSON; the same on every rank."""
        cursor = self._samplers[self._set].cursor if self._set < len(self.sets) else 0
        return {"iteration": self._iteration, "set": self._set, "cursor": cursor}

    def restore(self, state: DataPosition) -> None:
        """Go back to a position that `state` gave; the next batch is the one that would have come then.

        Raises:
            UserError: there is no such position in these datasets.
        """
        sizes = [sampler.groups_per_iteration for sampler in self._samplers] + [0]
        if state["set"] >= len(sizes) or state["cursor"] > sizes[state["set"]]:
            raise UserError(
                given=f"the saved position {dict(state)} is beyond the data: {sizes[:-1]} groups in an iteration",
                allowed="a position saved with the same datasets and the same epochs between evaluations",
                remedy="resume with the data_paths, epochs and eval_interval of the run that saved it",
            )
        self.start_iteration(state["iteration"])
        self._set = state["set"]
        if self._set < len(self.sets):
            self._samplers[self._set].go_to(state["iteration"], state["cursor"])


class EvaluationData(PuzzleData):
    """Every chosen example of a split once, in file order; iterate it.

    Every rank gets the same number of batches, each of b rows, so that ranks stay in step.

    Args:
        selection: which examples.

    Other arguments and Raises: see `TrainingData`; UserError also for a selection that names what is not there.
    """

    def __init__(
        self,
        paths: Sequence[Path | str],
        *,
        global_batch_size: int,
        split: str = "test",
        rank: int = 0,
        world_size: int = 1,
        build_command: str | None = None,
        selection: Selection = EVERYTHING,
    ) -> None:
        super().__init__(paths, split, build_command)
        self._rank, self._world_size = rank, world_size
        self.set_batch_size(global_batch_size)
        self._select(selection)

    def only(self, selection: Selection) -> "EvaluationData":
        """The same data with another selection; the files are not opened again."""
        part = copy(self)
        part._select(selection)
        return part

    def set_batch_size(self, global_batch_size: int) -> None:
        """Iterate in batches of another size from now on."""
        self._local = rows_per_rank(global_batch_size, self._world_size)
        self._global = global_batch_size

    @property
    def set_sizes(self) -> dict[str, int]:
        """Chosen examples of each set, over all ranks."""
        return {puzzles.name: len(numbers) for puzzles, numbers in zip(self.sets, self._chosen, strict=True)}

    @property
    def total_examples(self) -> int:
        """Chosen examples over all sets and ranks."""
        return sum(self.set_sizes.values())

    @property
    def part(self) -> Part | None:
        """How much of the split is chosen; None for all of it."""
        of = sum(puzzles.examples.count for puzzles in self.sets)
        return Part(self.total_examples, of, self.selection.sampled) if self.total_examples < of else None

    def categories(self, set_name: str) -> tuple[CategoryNames, NDArray[np.integer]] | None:
        """Names of a set's categories, and the number of each chosen example's, in order; None without categories."""
        puzzles, chosen = next(
            (puzzles, chosen)
            for puzzles, chosen in zip(self.sets, self._chosen, strict=True)
            if puzzles.name == set_name
        )
        return puzzles.categories and (puzzles.categories[0], puzzles.categories[1][puzzles.owners(chosen)])

    @property
    def scored_puzzles(self) -> TestPuzzles:
        """The chosen tasks of `test_puzzles`."""
        if self.selection.takes_all:
            return self.test_puzzles
        chosen_tasks = {
            task_name(self.identifiers[identifier])
            for puzzles, numbers in zip(self.sets, self._chosen, strict=True)
            for identifier in np.unique(puzzles.examples.puzzle_identifiers[puzzles.owners(numbers)]).tolist()
        }
        return {task: pairs for task, pairs in self.test_puzzles.items() if task in chosen_tasks}

    def chosen_identifiers(self) -> Iterator[int]:
        """The puzzle identifier of each chosen example, in order over all sets."""
        for puzzles, chosen in zip(self.sets, self._chosen, strict=True):
            yield from puzzles.examples.puzzle_identifiers[puzzles.owners(chosen)].tolist()

    def unvouched(self) -> Iterator[tuple[NDArray[np.integer], NDArray[np.integer]]]:
        """Identifiers `[B]` and inputs `[B, L]` of chosen examples of datasets without a manifest, some at a time."""
        for puzzles, chosen in zip(self.sets, self._chosen, strict=True):
            for start in range(0, len(chosen) if puzzles.about is None else 0, _EXAMPLES_AT_ONCE):
                numbers = chosen[start : start + _EXAMPLES_AT_ONCE]
                owners = puzzles.owners(numbers)
                yield (puzzles.examples.puzzle_identifiers[owners], puzzles.examples.tokens(numbers, owners)[0])

    def __len__(self) -> int:
        """Batches."""
        return len(self.batches_from(0))

    def __iter__(self) -> Iterator[EvaluationBatch]:
        return (load() for load in self.batches_from(0))

    def batches_from(self, example: int) -> list[Callable[[], EvaluationBatch]]:
        """A function that loads it for each batch from the chosen example number `example` on, over all sets."""
        batches: list[Callable[[], EvaluationBatch]] = []
        before = 0  # examples of earlier sets
        for puzzles, chosen in zip(self.sets, self._chosen, strict=True):
            for start in range(max(0, example - before), len(chosen), self._global):
                rows = chosen[start : start + self._global]
                batches.append(partial(self._load, puzzles, rows, before + start))
            before += len(chosen)
        return batches

    def _select(self, selection: Selection) -> None:
        self.selection = selection
        if selection.tasks:
            selection.check({task_name(name) for name in self._names_of_tasks()})
        names = self.identifiers if selection.tasks else ()
        self._chosen = [selection.examples(puzzles.examples, names) for puzzles in self.sets]
        if selection.sampled is not None:
            groups = [puzzles.groups(chosen) for puzzles, chosen in zip(self.sets, self._chosen, strict=True)]
            samples = sample_groups(groups, selection.sampled)
            self._chosen = [chosen[sample] for chosen, sample in zip(self._chosen, samples, strict=True)]

    def _names_of_tasks(self) -> Iterator[str]:
        for puzzles in self.sets:
            first = puzzles.examples.group_indices[:-1]
            for identifier in puzzles.examples.puzzle_identifiers[first].tolist():
                if identifier != self.metadata.blank_identifier_id:
                    yield self.identifiers[identifier]

    def _load(self, puzzles: PuzzleSet, rows: NDArray[np.int64], first: int) -> EvaluationBatch:
        own = rows[self._rank * self._local :][: self._local]
        batch = _batch(puzzles.examples, own, puzzles.owners(own), self.metadata, self._local)
        return EvaluationBatch(batch, own, puzzles.name, first, len(rows))


def rows_per_rank(global_batch_size: int, world_size: int, setting: str = "global_batch_size=") -> int:
    """b, the rows of a global batch that each rank takes.

    setting: what a user gave it by.

    Raises:
        UserError: the ranks cannot share the batch equally.
    """
    if global_batch_size > 0 and global_batch_size % world_size == 0:
        return global_batch_size // world_size
    below = max(0, global_batch_size) // world_size * world_size
    sizes = [size for size in (below, below + world_size) if size > 0]
    divisors = [ranks for ranks in range(1, global_batch_size + 1) if global_batch_size % ranks == 0]
    fewer = [ranks for ranks in divisors if ranks < world_size][-1:]
    more = [ranks for ranks in divisors if ranks > world_size][:1]
    ranks = f", or {' or '.join(map(str, fewer + more))} ranks" if divisors else ""
    raise UserError(
        given=f"{setting}{global_batch_size} cannot be split over {world_size} ranks",
        allowed=f"a positive multiple of the number of ranks, {world_size}",
        remedy=f"use {setting}{' or '.join(map(str, sizes))}{ranks}",
    )


def _batch(
    examples: PuzzleExamples,
    numbers: NDArray[np.int64],
    puzzles: NDArray[np.int64],
    metadata: PuzzleMetadata,
    size: int,
    places: NDArray[np.int64] | None = None,
    shifts: NDArray[np.float64] | None = None,
    extras: Mapping[str, Extra] = MappingProxyType({}),
) -> Batch:
    """A batch of `size` rows with the examples of these numbers at `places` (None: the first rows), else padding."""
    tokens, answers = examples.tokens(numbers, puzzles, shifts)
    if metadata.ignore_label_id is not None:
        answers = answers.astype(np.int32)
        answers[answers == metadata.ignore_label_id] = IGNORE_LABEL
    rows = slice(len(numbers)) if places is None else places

    def placed(values: NDArray[np.integer], padding: int) -> Tensor:
        padded = np.full((size, *values.shape[1:]), padding, np.int32)
        padded[rows] = values
        return torch.from_numpy(padded)

    return Batch(
        placed(tokens, metadata.pad_id),
        placed(answers, IGNORE_LABEL),  # [b, L]
        placed(examples.puzzle_identifiers[puzzles], metadata.blank_identifier_id),
        **{name: placed(extra.rows(numbers, tokens, answers), extra.padding) for name, extra in extras.items()},
    )

"""Batches for training and for evaluation, cut to this rank.

B global batch, b = B / world_size rows of this rank, L grid tokens.
Ranks take consecutive slices of the global batch: rank r has rows [r·b, (r+1)·b).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import TypedDict

import numpy as np
import torch
from numpy.typing import NDArray

from trm.batch import IGNORE_LABEL, Batch
from trm.errors import UserError
from trm_lab.puzzles.datasets import PuzzleData, PuzzleSet
from trm_lab.puzzles.layout import PuzzleExamples, PuzzleMetadata, TestPuzzles
from trm_lab.puzzles.sampling import Drawn, GroupSampler
from trm_lab.puzzles.selection import EVERYTHING, Selection, task_name

_AT_ONCE = 8192  # examples that are looked at together


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
    """

    batch: Batch
    examples: NDArray[np.int64]
    set_name: str


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
        self._rows = slice(rank * local, (rank + 1) * local)
        self._samplers = [
            GroupSampler(one.examples, global_batch_size, seed, epochs_per_iteration, one.name)
            for one in self.sets
        ]
        self._iteration = self._set = 0

    def start_iteration(self, iteration: int) -> None:
        """Go to the beginning of an iteration."""
        self._iteration, self._set = iteration, 0
        for sampler in self._samplers:
            sampler.start_iteration(iteration)

    def next_batch(self, free: NDArray[np.bool_] | None = None) -> Batch | None:
        """This rank's rows of the next global batch; None at the end of the iteration.

        free: `[b]` the slots that take a new row; the others' rows are not made, and come as padding. None: all.
        """
        while self._set < len(self.sets):
            drawn = self._samplers[self._set].next_batch()
            if drawn is not None:
                mine = Drawn(drawn.examples[self._rows], drawn.puzzles[self._rows], drawn.shifts[self._rows])
                return _training_batch(self.sets[self._set].examples, mine, free, self.metadata)
            self._set += 1
        return None

    def batches(self) -> Iterator[Batch]:
        """What is left of the iteration."""
        while (batch := self.next_batch()) is not None:
            yield batch

    def state(self) -> DataPosition:
        """The position, for JSON; the same on every rank."""
        at_end = self._set == len(self.sets)
        cursor = 0 if at_end else self._samplers[self._set].state()["cursor"]
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
            self._samplers[self._set].restore({"iteration": state["iteration"], "cursor": state["cursor"]})


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
        self._rank, self._world_size, self.selection = rank, world_size, selection
        self.set_batch_size(global_batch_size)
        if selection.tasks:
            selection.check({task_name(name) for name in self._names_of_tasks()})
        self._chosen = [self._choose(one) for one in self.sets]

    def set_batch_size(self, global_batch_size: int) -> None:
        """Iterate in batches of another size from now on."""
        self._local = rows_per_rank(global_batch_size, self._world_size)
        self._global = global_batch_size

    @property
    def set_sizes(self) -> dict[str, int]:
        """Chosen examples of each set, over all ranks."""
        return {one.name: len(chosen) for one, chosen in zip(self.sets, self._chosen, strict=True)}

    @property
    def total_examples(self) -> int:
        """Chosen examples over all sets and ranks."""
        return sum(self.set_sizes.values())

    @property
    def scored_puzzles(self) -> TestPuzzles:
        """Of `test_puzzles`, the chosen tasks."""
        if self.selection.takes_all:
            return self.test_puzzles
        taken = {
            task_name(self.identifiers[identifier])
            for one, chosen in zip(self.sets, self._chosen, strict=True)
            for identifier in np.unique(one.examples.puzzle_identifiers[self._puzzles(one, chosen)]).tolist()
        }
        return {task: puzzle for task, puzzle in self.test_puzzles.items() if task in taken}

    def unvouched(self) -> Iterator[tuple[NDArray[np.integer], NDArray[np.integer]]]:
        """Identifiers `[B]` and inputs `[B, L]` of the chosen examples that no manifest vouches for, some at a time."""
        for one, chosen in zip(self.sets, self._chosen, strict=True):
            for start in range(0, len(chosen) if one.about is None else 0, _AT_ONCE):
                examples = chosen[start : start + _AT_ONCE]
                puzzles = self._puzzles(one, examples)
                yield one.examples.puzzle_identifiers[puzzles], one.examples.tokens(examples, puzzles)[0]

    def __len__(self) -> int:
        """Batches."""
        return len(self.batches_from(0))

    def __iter__(self) -> Iterator[EvaluationBatch]:
        return (make() for make in self.batches_from(0))

    def batches_from(self, example: int) -> list[Callable[[], EvaluationBatch]]:
        """What makes each batch from the chosen example number `example` on, counted over all sets."""
        batches: list[Callable[[], EvaluationBatch]] = []
        for one, chosen in zip(self.sets, self._chosen, strict=True):
            rest = chosen[min(example, len(chosen)) :]
            example = max(example - len(chosen), 0)
            for start in range(0, len(rest), self._global):
                mine = start + self._rank * self._local
                mine_only = rest[mine : min(start + self._global, mine + self._local)]
                batches.append(partial(self._load, one, mine_only))
        return batches

    def _choose(self, one: PuzzleSet) -> NDArray[np.int64]:
        if self.selection.takes_all:
            return np.arange(one.examples.count)
        return self.selection.examples(one.examples, self.identifiers if self.selection.tasks else ())

    def _names_of_tasks(self) -> Iterator[str]:
        for one in self.sets:
            for identifier in one.examples.puzzle_identifiers[one.examples.group_indices[:-1]].tolist():
                if identifier != self.metadata.blank_identifier_id:
                    yield self.identifiers[identifier]

    @staticmethod
    def _puzzles(one: PuzzleSet, examples: NDArray[np.int64]) -> NDArray[np.int64]:
        """The puzzles `[b]` that examples `[b]` belong to."""
        return np.searchsorted(one.examples.puzzle_indices, examples, side="right") - 1

    def _load(self, one: PuzzleSet, examples: NDArray[np.int64]) -> EvaluationBatch:
        batch = _batch(one.examples, examples, self._puzzles(one, examples), self.metadata)
        return EvaluationBatch(_padded(batch, self._local, self.metadata), examples, one.name)


def rows_per_rank(global_batch_size: int, world_size: int) -> int:
    """b, the rows of a global batch that each rank takes.

    Raises:
        UserError: the ranks cannot share the batch equally.
    """
    if global_batch_size > 0 and global_batch_size % world_size == 0:
        return global_batch_size // world_size
    below = max(0, global_batch_size) // world_size * world_size
    sizes = [size for size in (below, below + world_size) if size > 0]
    raise UserError(
        given=f"global_batch_size={global_batch_size} cannot be split over {world_size} ranks",
        allowed=f"a positive multiple of the number of ranks, {world_size}",
        remedy=f"use global_batch_size={' or '.join(map(str, sizes))}{_other_ranks(global_batch_size, world_size)}",
    )


def _other_ranks(global_batch_size: int, world_size: int) -> str:
    """The nearest numbers of ranks that do divide the batch, as words."""
    divisors = [ranks for ranks in range(1, global_batch_size + 1) if global_batch_size % ranks == 0]
    fewer = [ranks for ranks in divisors if ranks < world_size][-1:]
    more = [ranks for ranks in divisors if ranks > world_size][:1]
    near = fewer + more
    return f", or {' or '.join(map(str, near))} ranks" if near else ""


def _training_batch(
    source: PuzzleExamples, drawn: Drawn, free: NDArray[np.bool_] | None, metadata: PuzzleMetadata
) -> Batch:
    if free is None or free.all():
        return _batch(source, drawn.examples, drawn.puzzles, metadata, drawn.shifts)
    rows = np.flatnonzero(free)
    made = _batch(source, drawn.examples[rows], drawn.puzzles[rows], metadata, drawn.shifts[rows])
    whole = _padding(len(drawn.examples), metadata)
    to = torch.from_numpy(rows)
    for tensor, part in ((getattr(b, f.name) for b in (whole, made)) for f in fields(Batch)):
        tensor[to] = part
    return whole


def _batch(
    source: PuzzleExamples,
    examples: NDArray[np.int64],
    puzzles: NDArray[np.int64],
    metadata: PuzzleMetadata,
    shifts: NDArray[np.float64] | None = None,
) -> Batch:
    inputs, answers = source.tokens(examples, puzzles, shifts)
    labels = answers.astype(np.int32)  # [b, L]
    if metadata.ignore_label_id is not None:
        labels[labels == metadata.ignore_label_id] = IGNORE_LABEL
    return Batch(
        torch.from_numpy(inputs.astype(np.int32)),
        torch.from_numpy(labels),
        torch.from_numpy(source.puzzle_identifiers[puzzles].astype(np.int32)),
    )


def _padding(rows: int, metadata: PuzzleMetadata) -> Batch:
    return Batch(
        torch.full((rows, metadata.seq_len), metadata.pad_id, dtype=torch.int32),
        torch.full((rows, metadata.seq_len), IGNORE_LABEL, dtype=torch.int32),
        torch.full((rows,), metadata.blank_identifier_id, dtype=torch.int32),
    )


def _padded(batch: Batch, rows: int, metadata: PuzzleMetadata) -> Batch:
    """`batch` with padding rows after it, `rows` in all."""
    if len(batch) == rows:
        return batch
    padding = _padding(rows - len(batch), metadata)
    return Batch(*(torch.cat([getattr(b, f.name) for b in (batch, padding)]) for f in fields(Batch)))

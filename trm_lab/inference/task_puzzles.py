"""A task's puzzles (itself and its augmentations), the embedding of each one, and their examples.

A checkpoint has an embedding for each puzzle that it was trained on. For a task that it was not trained on, the
published evaluation gives every puzzle the mean of all rows; the row of the blank identifier, which is never trained,
is the alternative.

K puzzles of a task, N rows of a checkpoint's table, E their width, B slots, L tokens of a canvas of side C.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trm.batch import IGNORE_LABEL, Batch
from trm.errors import UserError
from trm.model import TinyRecursiveModel
from trm.puzzle_embedding import PuzzleEmbedding
from trm.randomness import numpy_generator
from trm_lab.commands.choices import EMBEDDINGS
from trm_lab.evaluation.answer_cells import GridCells
from trm_lab.puzzles.arc.augmentation import IDENTITY, SEPARATOR, Table, names, parse_name
from trm_lab.puzzles.arc.compact_set import AugmentedGroups
from trm_lab.puzzles.arc.grids import PAD
from trm_lab.puzzles.arc.puzzles import distinct_augmentations
from trm_lab.puzzles.arc.reveal_order import arc_reveal_order
from trm_lab.puzzles.arc.sources import Pair, Task

BLANK_ROW = 0


@dataclass(frozen=True)
class TaskPuzzles:
    """A task and its puzzles.

    augmentations: `[K, 10]`, the identity first.
    rows: `[K, E]` float32; None for an architecture without a puzzle embedding.
    embedding: where the rows are from: own, mean, blank, fitted or none.
    """

    task: Task
    augmentations: Table
    rows: Tensor | None
    embedding: str

    def __len__(self) -> int:
        return len(self.augmentations)

    @property
    def names(self) -> list[str]:
        """`[K]`, the task's own first."""
        return names(self.task.name, self.augmentations)

    def part(self, start: int, end: int) -> "TaskPuzzles":
        """The puzzles [start, end)."""
        rows = None if self.rows is None else self.rows[start:end]
        return replace(self, augmentations=self.augmentations[start:end], rows=rows)


def puzzles_of(
    task: Task,
    augmentations: int,
    table: Tensor | None,
    embedding: str = "auto",
    trained: Mapping[str, int] | None = None,
    seed: int = 0,
) -> TaskPuzzles:
    """A task with at most so many augmentations besides itself, and their rows of a checkpoint's table.

    Args:
        table: `[N, E]`, row 0 the blank identifier's; None for an architecture without.
        embedding: `own`, the rows of a task that was trained on, with the augmentations that it had there;
            `mean`; `blank`; `auto`, its own if it was trained on, else the mean.
        trained: rows of the puzzles trained on, by name.
        seed: of the augmentations of a task that was not trained on.

    Raises:
        UserError: no such embedding, or the own one of a task that was not trained on.
    """
    if embedding not in EMBEDDINGS:
        raise UserError(f"embedding {embedding!r}", " | ".join(EMBEDDINGS), "choose one of these")
    trained = trained or {}
    if embedding == "own" and task.name not in trained:
        raise UserError(
            f"the own embedding of task {task.name!r}, which is none of the {len(trained):,} puzzles known",
            "a task that the checkpoint was trained on, whose dataset is at hand (--data-path)",
            "leave the choice of the embedding out, or choose mean",
        )
    if table is not None and task.name in trained and embedding in ("auto", "own"):
        return _trained_puzzles(task, augmentations, table, trained)
    generator = numpy_generator(seed, f"puzzles of {task.name}")
    drawn = distinct_augmentations(without_answers(task), augmentations, generator)
    if table is None:
        return TaskPuzzles(task, drawn, None, "none")
    row = table[BLANK_ROW, None] if embedding == "blank" else table.mean(0, keepdim=True)  # [1, E]
    return TaskPuzzles(task, drawn, row.expand(len(drawn), -1), "blank" if embedding == "blank" else "mean")


def without_answers(task: Task) -> Task:
    """The task with its test outputs hidden, so that nothing made of it can depend on them."""
    return replace(task, test=tuple(Pair(pair.input, None) for pair in task.test))


def _trained_puzzles(task: Task, augmentations: int, table: Tensor, trained: Mapping[str, int]) -> TaskPuzzles:
    start = task.name + SEPARATOR
    others = sorted((row, name) for name, row in trained.items() if name.startswith(start))
    parsed = [(row, parse_name(name)[1]) for row, name in others]
    usable = [(row, turn) for row, turn in parsed if turn.colours[0] == 0]  # what a table can say
    chosen = [(trained[task.name], IDENTITY), *usable[:augmentations]]
    turns = np.array([[turn.transform, *turn.colours[1:]] for _, turn in chosen], np.uint8)
    return TaskPuzzles(task, turns, table[torch.tensor([row for row, _ in chosen])], "own")


class TaskExamples:
    """Examples of several tasks' puzzles, in the order of the tasks, of their puzzles and of their pairs.

    Args:
        pairs: of each task, the ones to take.
        canvas: C.
        translations: where they lie on the canvas, see `ArcAugmented`.

    set: the examples without their rows.
    rows_of_puzzles: `[K, E]` over all tasks; None for an architecture without a puzzle embedding.
    """

    def __init__(
        self, puzzles: Sequence[TaskPuzzles], pairs: Sequence[Sequence[Pair]], canvas: int, translations: str
    ) -> None:
        self.canvas = canvas
        groups, first = AugmentedGroups(), 0
        for of_task, chosen in zip(puzzles, pairs, strict=True):
            groups.add(chosen, len(of_task), first)
            first += len(of_task)
        table = np.concatenate([of_task.augmentations for of_task in puzzles])
        self.set = groups.augmented(table, canvas, translations, seed=0)
        rows = [of_task.rows for of_task in puzzles if of_task.rows is not None]
        self.rows_of_puzzles = torch.cat(rows) if rows else None

    about = None  # ARC names no kind

    @property
    def cells(self) -> GridCells:
        """The cells of which an answer consists."""
        return GridCells(self.canvas)

    def __len__(self) -> int:
        return self.set.count

    def puzzles(self, examples: NDArray[np.int64]) -> NDArray[np.int64]:
        """The puzzles `[B]` that examples `[B]` belong to, counted over all tasks."""
        return np.searchsorted(self.set.puzzle_indices, examples, side="right") - 1

    def batch(
        self, examples: NDArray[np.int64], shifts: NDArray[np.float64] | None = None, extras: Collection[str] = ()
    ) -> Batch:
        """Examples `[B]` side by side; the identifier of a slot is its number in the batch, see `rows`.

        shifts: `[B, 2]` in [0, 1), of fresh translations.
        extras: optional parts of a batch that training reads, of which ARC has "reveal_order".
        """
        inputs, labels = self.set.tokens(examples, self.puzzles(examples), shifts)
        answers = torch.from_numpy(labels.astype(np.int32))
        answers[answers == PAD] = IGNORE_LABEL
        slots = torch.arange(len(examples), dtype=torch.int32)
        batch = Batch(torch.from_numpy(inputs.astype(np.int32)), answers, slots)
        if "reveal_order" not in extras:
            return batch
        return replace(batch, reveal_order=torch.from_numpy(arc_reveal_order(inputs, answers.numpy())).int())

    def rows(self, examples: NDArray[np.int64]) -> Tensor | None:
        """The embedding `[B, E]` of each example's puzzle."""
        return None if self.rows_of_puzzles is None else self.rows_of_puzzles[self.puzzles(examples)]


@contextmanager
def lent_rows(model: TinyRecursiveModel, rows: Tensor | None) -> Iterator[PuzzleEmbedding | None]:
    """`with lent_rows(model, rows):` puzzle identifiers mean `rows` `[R, E]`; the model's own table stays as it is."""
    own = model.puzzle_emb
    if own is None or rows is None:
        yield None
        return
    model.puzzle_emb = PuzzleEmbedding(0, rows.shape[1], own.dtype).train(model.training)
    model.puzzle_emb.weights = rows.to(own.weights.device)
    try:
        yield model.puzzle_emb
    finally:
        model.puzzle_emb = own

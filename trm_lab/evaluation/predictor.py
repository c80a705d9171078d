"""Answers to a test split in file order: each rank's own, or all of them gathered on every rank.

If the next batch is queued before a batch is read, the device answers it while answers come to the host.

B rows of a global batch, L grid tokens, S supervision steps, E examples.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trm.batch import Batch, label_dtype, token_dtype
from trm.errors import UserError
from trm.randomness import SeededStepRandom, StepRandom, seed_for
from trm.supervision import Supervision
from trm_lab.cluster.arriving import ArrivingRows
from trm_lab.cluster.ranks import Ranks
from trm_lab.evaluation.answer_cells import AnswerCells, cells_by_set, every_cell
from trm_lab.evaluation.improvement import ExampleRandom
from trm_lab.evaluation.rollout import Rollout, StepProbe, roll_out
from trm_lab.evaluation.search import Search
from trm_lab.evaluation.trajectory import Questions
from trm_lab.evaluation.wide_rollout import roll_out_widely
from trm_lab.puzzles.loading import EvaluationBatch, EvaluationData
from trm_lab.runs.answers import Answers


def check_finite(numbers: NDArray[np.float64], source: str) -> None:
    """UserError where a confidence or loss `[B, …]` of an answer is not finite: then its logits are not either."""
    wrong = int((~np.isfinite(numbers)).reshape(len(numbers), -1).any(1).sum())
    if wrong:
        raise UserError(
            f"{source}: the logits of {wrong:,} of {len(numbers):,} answers are nan or infinite",
            "weights and a forward_dtype with which the network's numbers stay finite",
            "use another checkpoint; or arch.forward_dtype: float32 in its configuration, if that is bfloat16",
        )


@dataclass(frozen=True)
class QueuedAnswers:
    """Answers to some rows of a batch that a device may still be working on.

    set_name: the rows' set.  first: the first row's place among all examples.  count: number of rows.
    end: place after the batch's last row over all ranks.
    questions: this rank's, on the host.  rows: the other columns of `Answers`, under way to the host; where all ranks'
      answers are gathered, with their questions.
    """

    set_name: str
    first: int
    count: int
    end: int
    questions: Mapping[str, Tensor]
    rows: ArrivingRows
    network_calls: list[int]
    vocab_size: int

    def read(self) -> Answers:
        """The answers; waits for the device to make them, not for work that was queued later."""
        questions = {name: tensor[: self.count].numpy() for name, tensor in self.questions.items()}
        arrays = questions | self.rows.read(self.count)
        identifiers, labels = arrays.pop("puzzle_identifiers"), arrays.pop("labels")
        tokens = token_dtype(self.vocab_size)
        stored = {name: a if a.dtype.kind == "f" else a.astype(tokens) for name, a in arrays.items()}
        own = {field.name: stored.pop(field.name) for field in fields(Answers) if field.name in stored}
        return Answers(
            set_name=self.set_name,
            first=self.first,
            labels=labels.astype(label_dtype(self.vocab_size)),
            puzzle_identifiers=identifiers,
            network_calls=self.network_calls,
            **own,
            probes=stored,
        )


def after_queueing_next(batches: Iterator[QueuedAnswers]) -> Iterator[QueuedAnswers]:
    """Yield each batch once the next one is queued, so that a GPU has work while the batch is read and scored."""
    batch = next(batches, None)
    while batch is not None:
        following = next(batches, None)
        yield batch
        batch = following


@dataclass(frozen=True)
class Predictor:
    """A model that answers a test split, on every rank.

    all_cells: take an answer's confidence over all cells, as earlier versions did, instead of over the answer's own.
    warm_up_steps: supervision steps of a warm-up.  search: several rollouts of each question, or stopping sooner.
    fed_identifiers: `[N]`, the identifier that the model is given in place of each one (`identifier_ablation.py`);
        None: the puzzle's own.
    improvement: probe whether each step lowers the cross-entropy; the draws of its targets are of (seed, example).
    """

    supervision: Supervision[Any]
    data: EvaluationData
    ranks: Ranks
    seed: int = 0
    probes: Sequence[StepProbe] = ()
    fed_identifiers: NDArray[np.int32] | None = None
    all_cells: bool = False
    warm_up_steps: int = 1
    search: Search = field(default_factory=Search)
    improvement: bool = False

    def answers(
        self,
        start: int = 0,
        over: Callable[[Any], Any] = iter,
        warm_up: Callable[[], AbstractContextManager] | None = None,
    ) -> Iterator[Answers]:
        """Answers from example number `start` on, in file order, without padding rows; every rank gets all of them.

        over, warm_up: see `queued`.
        """
        return (batch.read() for batch in self.queued(start, over, warm_up, gathered=True))

    def queued(
        self,
        start: int = 0,
        over: Callable[[Any], Any] = iter,
        warm_up: Callable[[], AbstractContextManager] | None = None,
        gathered: bool = False,
    ) -> Iterator[QueuedAnswers]:
        """This rank's answers from example number `start` on; a batch is yielded while a GPU still works on it.

        over: wraps the batches, for a progress bar.  warm_up: surrounds a few supervision steps of the first batch
        before it is answered, whose outcome is dropped, so that the answers that follow can be timed.
        gathered: every rank gets the answers of all ranks.
        """
        model = self.supervision.model
        was_training = model.training
        model.eval()
        try:
            for number, load in enumerate(over(self.data.batches_from(start))):
                if number == 0 and warm_up is not None:
                    with warm_up():
                        self._queue(load(), gathered, self.warm_up_steps).read()
                yield self._queue(load(), gathered)
        finally:
            model.train(was_training)

    def _queue(self, local: EvaluationBatch, gathered: bool, most_steps: int | None = None) -> QueuedAnswers:
        own, ranks, slots = local.batch, self.ranks, len(local.batch)
        fed = self._fed(own)
        rollout = self._roll_out(local, fed, most_steps)
        columns = {name: getattr(rollout, name) for name in ("predictions", "q_halt_logits", "confidence", "loss")}
        columns |= rollout.probes
        first, count = local.first + ranks.rank * slots, len(local.examples)
        if gathered and ranks.world_size > 1:
            columns |= {"inputs": fed.inputs, "labels": fed.labels, "puzzle_identifiers": own.puzzle_identifiers}
            first, count = local.first, local.count
        on_device = {name: column.to(ranks.device) for name, column in columns.items()}
        return QueuedAnswers(
            local.set_name,
            first,
            count,
            local.first + local.count,
            {"inputs": own.inputs, "labels": own.labels, "puzzle_identifiers": own.puzzle_identifiers},
            ArrivingRows(on_device, ranks if gathered else None),
            rollout.network_calls,
            self.data.metadata.vocab_size,
        )

    def _roll_out(self, local: EvaluationBatch, fed: Batch, most_steps: int | None) -> Rollout:
        if not self.search.is_plain:
            return roll_out_widely(self.supervision, self._questions(local, fed), self.search, most_steps)
        cells = None if self.all_cells else self._cells[local.set_name]
        rng = self._draws(local, len(fed))
        return roll_out(self.supervision, fed, rng, self.probes, cells, most_steps, self.improvement)

    def _draws(self, local: EvaluationBatch, slots: int) -> StepRandom:
        if self.improvement:
            seed = seed_for(self.seed, f"step targets in {local.set_name}")
            return ExampleRandom(seed, torch.from_numpy(_numbers(local, slots)))
        first, of_all = self.ranks.rank * slots, slots * self.ranks.world_size
        return SeededStepRandom(self.seed, 0, slots, first=first, global_slots=of_all)

    def _questions(self, local: EvaluationBatch, batch: Batch) -> Questions:
        """The questions of a batch, `batch` on the device; a question's number is its place in the set's file."""
        puzzles = next(each for each in self.data.sets if each.name == local.set_name)
        seed = seed_for(self.seed, f"search in {local.set_name}")
        cells = every_cell if self.all_cells else self._cells[local.set_name]
        numbers = _numbers(local, len(batch))
        return Questions.of(batch, numbers, seed, cells, puzzles.about, self.data.metadata.vocab_size)

    @cached_property
    def _cells(self) -> dict[str, AnswerCells]:
        return cells_by_set(self.data)

    def _fed(self, batch: Batch) -> Batch:
        """What the model is given, on the device."""
        if self.fed_identifiers is not None:
            fed = torch.from_numpy(self.fed_identifiers)[batch.puzzle_identifiers.long()]
            batch = Batch(batch.inputs, batch.labels, fed)
        device = self.ranks.device
        return (batch.pinned() if device.type == "cuda" else batch).to(device)


def _numbers(local: EvaluationBatch, slots: int) -> NDArray[np.int64]:
    """The places `[slots]` of a batch's rows in their set's file; 0 for padding."""
    return np.pad(local.examples, (0, slots - len(local.examples)))

"""Answers to a test split in file order, gathered on the first rank.

B rows of a global batch, L grid tokens, S supervision steps, E examples.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trm.batch import Batch, label_dtype, token_dtype
from trm.errors import UserError
from trm.randomness import SeededStepRandom, seed_for
from trm.supervision import Supervision
from trm_lab.cluster.ranks import Ranks
from trm_lab.evaluation.answer_cells import AnswerCells, cells_by_set, every_cell
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
class Predictor:
    """A model that answers a test split, on every rank.

    all_cells: take an answer's confidence over all cells, as earlier versions did, instead of over the answer's own.
    warm_up_steps: supervision steps of a warm-up.  search: several rollouts of each question, or stopping sooner.
    fed_identifiers: `[N]`, the identifier that the model is given in place of each one (`identifier_ablation.py`);
        None: the puzzle's own.
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

    def answers(
        self,
        start: int = 0,
        over: Callable[[Any], Any] = iter,
        warm_up: Callable[[], AbstractContextManager] | None = None,
    ) -> Iterator[Answers]:
        """Answers from example number `start` on, in file order, without padding rows; every rank gets all of them.

        over: wraps the batches, for a progress bar.  warm_up: surrounds a few supervision steps of the first batch
        before it is answered, whose outcome is dropped, so that the answers that follow can be timed.
        """
        model = self.supervision.model
        was_training = model.training
        model.eval()
        try:
            for number, load in enumerate(over(self.data.batches_from(start))):
                if number == 0 and warm_up is not None:
                    with warm_up():
                        self._warm_up(load())
                answers = self._answer(load(), start)
                start += len(answers)
                yield answers
        finally:
            model.train(was_training)

    def _warm_up(self, local: EvaluationBatch) -> None:
        rollout = self._roll_out(local, self.warm_up_steps)
        self.ranks.gather_rows(rollout.predictions).cpu()  # waits for the device

    def _roll_out(self, local: EvaluationBatch, most_steps: int | None = None) -> Rollout:
        slots = len(local.batch)
        batch = self._with_fed_identifiers(local.batch).to(self.ranks.device)
        if not self.search.is_plain:
            return roll_out_widely(self.supervision, self._questions(local, batch), self.search, most_steps)
        first, of_all = self.ranks.rank * slots, slots * self.ranks.world_size
        rng = SeededStepRandom(self.seed, 0, slots, first=first, global_slots=of_all)
        cells = None if self.all_cells else self._cells[local.set_name]
        return roll_out(self.supervision, batch, rng, self.probes, cells, most_steps)

    def _answer(self, local: EvaluationBatch, first: int) -> Answers:
        batch, device = local.batch, self.ranks.device
        rollout = self._roll_out(local)
        is_example = (torch.arange(len(batch), device=device) < len(local.examples)).to(torch.uint8)
        examples = self.ranks.gather_rows(is_example).nonzero()[:, 0]  # without padding rows

        def gathered(tensor: Tensor) -> NDArray[Any]:
            return self.ranks.gather_rows(tensor.to(device)).index_select(0, examples).cpu().numpy()

        vocab_size = self.data.metadata.vocab_size
        tokens = token_dtype(vocab_size)

        def of_step(value: Tensor) -> NDArray[Any]:
            array = gathered(value)
            return array if value.is_floating_point() else array.astype(tokens)

        return Answers(
            set_name=local.set_name,
            first=first,
            inputs=gathered(batch.inputs).astype(tokens),
            labels=gathered(batch.labels).astype(label_dtype(vocab_size)),
            puzzle_identifiers=gathered(batch.puzzle_identifiers),
            predictions=of_step(rollout.predictions),
            q_halt_logits=gathered(rollout.q_halt_logits),
            confidence=gathered(rollout.confidence),
            loss=gathered(rollout.loss),
            network_calls=rollout.network_calls,
            probes={name: of_step(value) for name, value in rollout.probes.items()},
        )

    def _questions(self, local: EvaluationBatch, batch: Batch) -> Questions:
        """The questions of a batch, `batch` on the device; a question's number is its place in the set's file."""
        puzzles = next(each for each in self.data.sets if each.name == local.set_name)
        numbers = np.pad(local.examples, (0, len(batch) - len(local.examples)))
        seed = seed_for(self.seed, f"search in {local.set_name}")
        cells = every_cell if self.all_cells else self._cells[local.set_name]
        return Questions.of(batch, numbers, seed, cells, puzzles.about, self.data.metadata.vocab_size)

    @cached_property
    def _cells(self) -> dict[str, AnswerCells]:
        return cells_by_set(self.data)

    def _with_fed_identifiers(self, batch: Batch) -> Batch:
        if self.fed_identifiers is None:
            return batch
        fed = torch.from_numpy(self.fed_identifiers)[batch.puzzle_identifiers.long()]
        return Batch(batch.inputs, batch.labels, fed)

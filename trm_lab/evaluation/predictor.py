"""Answers to a test split in file order, gathered on the first rank.

B rows of a global batch, L grid tokens, S supervision steps, E examples.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trm.batch import Batch, label_dtype, token_dtype
from trm.errors import UserError
from trm.randomness import SeededStepRandom
from trm.supervision import Supervision
from trm_lab.cluster.ranks import Ranks
from trm_lab.evaluation.answer_cells import AnswerCells, cells_by_set
from trm_lab.evaluation.rollout import Rollout, StepProbe, roll_out
from trm_lab.puzzles.loading import EvaluationBatch, EvaluationData
from trm_lab.runs.answers import Answers


def check_finite(of_answers: NDArray[np.float64], source: str) -> None:
    """UserError where a confidence or loss `[B, …]` is not finite: then an answer's logits are not, and it is none."""
    wrong = int((~np.isfinite(of_answers)).reshape(len(of_answers), -1).any(1).sum())
    if wrong:
        raise UserError(
            f"{source}: the logits of {wrong:,} of {len(of_answers):,} answers are nan or infinite",
            "weights and a forward_dtype with which the network's numbers stay finite",
            "use another checkpoint; or arch.forward_dtype: float32 in its configuration, if that is bfloat16",
        )


@dataclass(frozen=True)
class Respondent:
    """A model that answers a test split, on every rank.

    all_cells: take an answer's confidence over all cells, as was done before, not over its own.
    warm_up_steps: supervision steps of a warm-up.
    fed_identifiers: `[N]` the identifier that the model gets in place of each one (`identifier_ablation.py`); None: its
      own.
    """

    supervision: Supervision[Any]
    data: EvaluationData
    ranks: Ranks
    seed: int = 0
    probes: Sequence[StepProbe] = ()
    fed_identifiers: NDArray[np.int32] | None = None
    all_cells: bool = False
    warm_up_steps: int = 1

    def answers(
        self,
        start: int = 0,
        over: Callable[[Any], Any] = iter,
        warm_up: Callable[[], AbstractContextManager] | None = None,
    ) -> Iterator[Answers]:
        """From example number `start` on, in file order, without padding rows; every rank gets all of them.

        over: wraps the batches, for a progress bar.  warm_up: surrounds a few supervision steps of the first batch
        before it is answered, whose outcome nobody gets, so that the answers that follow can be timed.
        """
        model = self.supervision.model
        was_training = model.training
        model.eval()
        try:
            for number, load in enumerate(over(self.data.batches_from(start))):
                if number == 0 and warm_up is not None:
                    with warm_up():
                        self._warm_up(load())
                local = load()
                made = self._answer(local.batch, len(local.examples), local.set_name, start)
                start += len(made)
                yield made
        finally:
            model.train(was_training)

    def _warm_up(self, local: EvaluationBatch) -> None:
        rollout = self._rolled_out(local.batch, local.set_name, self.warm_up_steps)
        self.ranks.gather_rows(rollout.predictions).cpu()  # waits for the device

    def _rolled_out(self, asked: Batch, set_name: str, most_steps: int | None = None) -> Rollout:
        slots = len(asked)
        batch = self._fed(asked).to(self.ranks.device)
        rng = SeededStepRandom(self.seed, 0, slots * self.ranks.world_size, self.ranks.rank * slots, slots)
        cells = None if self.all_cells else self._cells[set_name]
        return roll_out(self.supervision, batch, rng, self.probes, cells, most_steps)

    def _answer(self, asked: Batch, examples: int, set_name: str, first: int) -> Answers:
        slots, device = len(asked), self.ranks.device
        rollout = self._rolled_out(asked, set_name)
        rows = (torch.arange(slots, device=device) < examples).to(torch.uint8)
        real = self.ranks.gather_rows(rows).nonzero()[:, 0]

        def together(tensor: Tensor) -> NDArray[Any]:
            return self.ranks.gather_rows(tensor.to(device)).index_select(0, real).cpu().numpy()

        vocab_size = self.data.metadata.vocab_size
        tokens = token_dtype(vocab_size)

        def of_step(value: Tensor) -> NDArray[Any]:
            array = together(value)
            return array if value.is_floating_point() else array.astype(tokens)

        return Answers(
            set_name=set_name,
            first=first,
            inputs=together(asked.inputs).astype(tokens),
            labels=together(asked.labels).astype(label_dtype(vocab_size)),
            puzzle_identifiers=together(asked.puzzle_identifiers),
            predictions=of_step(rollout.predictions),
            q_halt_logits=together(rollout.q_halt_logits),
            confidence=together(rollout.confidence),
            loss=together(rollout.loss),
            network_calls=rollout.network_calls,
            probes={name: of_step(value) for name, value in rollout.probes.items()},
        )

    @cached_property
    def _cells(self) -> dict[str, AnswerCells]:
        return cells_by_set(self.data)

    def _fed(self, asked: Batch) -> Batch:
        if self.fed_identifiers is None:
            return asked
        fed = torch.from_numpy(self.fed_identifiers)[asked.puzzle_identifiers.long()]
        return Batch(asked.inputs, asked.labels, fed)

"""One rollout of some questions, which advances by a supervision step at a time and from which rows may leave.

B questions at first, b that are left, L tokens, S = P + L positions, D hidden.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trm.batch import Batch, token_dtype
from trm.losses import TOKEN_LOSSES, mean_log_probability, sequence_loss
from trm.randomness import SeededStepRandom, counter_normal, numpy_generator, seed_for
from trm.recursion import Latents
from trm.supervision import Carry, StepOutput, Supervision, disturbed
from trm_lab.evaluation.answer_cells import AnswerCells, every_cell
from trm_lab.evaluation.search import Search, StepAnswers
from trm_lab.puzzles.kinds import AnswerCheck, answer_check, symmetry_of
from trm_lab.puzzles.manifest import About
from trm_lab.puzzles.symmetry import Symmetry


@dataclass(frozen=True)
class Questions:
    """A batch of questions of one kind of puzzle.

    numbers: `[B]`, a number for each question; its random draws depend on it and not on its row.  seed: of all draws.
    cells: over which the confidence of an answer is taken.
    check: tells which answers keep the rules; None for a kind of puzzle that cannot tell.
    symmetry: draws a symmetry of the kind of puzzle; None for a kind that has none.
    """

    batch: Batch
    numbers: NDArray[np.int64]
    seed: int = 0
    cells: AnswerCells = every_cell
    check: AnswerCheck | None = None
    symmetry: Callable[[np.random.Generator], Symmetry] | None = None

    @classmethod
    def of(
        cls,
        batch: Batch,
        numbers: NDArray[np.int64],
        seed: int,
        cells: AnswerCells,
        about: About | None,
        vocab_size: int,
    ) -> "Questions":
        """Questions of a dataset; about: what it says of itself.  vocab_size: its different tokens."""
        return cls(batch, numbers, seed, cells, answer_check(about), symmetry_of(about, vocab_size))

    def rows(self, rows: NDArray[np.intp]) -> "Questions":
        """Some of the questions."""
        chosen = torch.from_numpy(rows).to(self.batch.inputs.device)
        return replace(self, batch=self.batch.rows(chosen), numbers=self.numbers[rows])


class Trajectory:
    """One rollout of a batch of questions, which `advance` takes a supervision step further.

    number: of the rollout among those of the same questions, from 0; its random draws depend on it.
    """

    def __init__(self, supervision: Supervision[Any], questions: Questions, search: Search, number: int) -> None:
        self.steps = 0
        self._supervision, self._questions, self._search, self._number = supervision, questions, search, number
        self._token_loss = TOKEN_LOSSES[supervision.loss_type]
        self._answer = supervision.model.recursion.answer
        batch = questions.batch
        self._numbers = torch.from_numpy(questions.numbers).to(batch.inputs.device)  # [b]
        self._inputs = batch.inputs.cpu().numpy()  # [b, L], as they were asked
        self._symmetries = self._drawn_symmetries()
        self._batch = batch if self._symmetries is None else self._image(batch, self._symmetries)
        self._start = self._random_latents() if search.start == "random" else None
        with supervision.model.starts_from(self._start):
            self._carry: Carry = supervision.initial_carry(self._batch)
        self._previous: NDArray[np.integer[Any]] | None = None  # [b, L], predictions of the step before
        self._unchanged = np.zeros(len(batch), np.int64)

    def advance(self) -> StepAnswers:
        """Take a supervision step with every question that is left."""
        carry = self._carry if self.steps == 0 else self._disturbed(self._carry)
        before, rows = carry.latents[self._answer], len(self._batch)
        with self._supervision.model.starts_from(self._start if self.steps == 0 else None):
            output = self._supervision.step(carry, self._batch, SeededStepRandom(0, 0, rows))
        self._carry, self.steps = output.carry, self.steps + 1
        return self._answers(output, before)

    def keep(self, rows: NDArray[np.intp]) -> None:
        """Go on with these of the questions that are left only."""
        on_device = torch.from_numpy(rows).to(self._numbers.device)
        self._carry, self._batch = self._carry.rows(on_device), self._batch.rows(on_device)
        self._numbers, self._inputs = self._numbers[on_device], self._inputs[rows]
        self._unchanged = self._unchanged[rows]
        self._previous = None if self._previous is None else self._previous[rows]
        if self._symmetries is not None:
            self._symmetries = [self._symmetries[row] for row in rows]

    def _answers(self, output: StepOutput[Any], before: Tensor) -> StepAnswers:
        cells, tokens = self._questions.cells(output.predictions), output.predictions
        after = output.carry.latents[self._answer].float()
        change = (after - before.float()).flatten(1).norm(dim=1) / after.flatten(1).norm(dim=1).clamp(min=1e-30)
        output_tokens = tokens.cpu().numpy().astype(token_dtype(output.logits.shape[-1]))
        predictions = output_tokens if self._symmetries is None else _mapped_back(output_tokens, self._symmetries)
        same = np.zeros(len(output_tokens), bool)
        if self._previous is not None:
            same = (output_tokens == self._previous).all(1)
        self._unchanged = np.where(same, self._unchanged + 1, 0)
        self._previous = output_tokens
        check = self._questions.check
        log_probability = confidence = self._supervision.confidence(output, cells).double()
        if self._supervision.confidence_kind != "answer_log_probability":
            log_probability = mean_log_probability(self._token_loss, output.logits, tokens, cells)
        return StepAnswers(
            predictions,
            output.q_halt_logits.float().cpu().numpy(),
            confidence.cpu().numpy(),
            log_probability.cpu().numpy(),
            change.cpu().numpy(),
            self._unchanged,
            sequence_loss(self._token_loss, output.logits, self._batch.labels).double().cpu().numpy(),
            output.network_calls,
            None if check is None else check(self._inputs, predictions),
        )

    def _disturbed(self, carry: Carry) -> Carry:
        noise = self._search.noise
        return disturbed(carry, noise, self._key("noise"), self._numbers) if noise else carry

    def _random_latents(self) -> Latents:
        """Standard normal latents: the fixed ones are drawn so, once for all positions."""
        model, batch = self._supervision.model, self._questions.batch
        shape = (model.config.puzzle_tokens + batch.inputs.shape[1], model.config.hidden_size)
        names = model.recursion.starts
        return {name: self._normal(f"start of {name}", shape).to(model.config.dtype) for name in names}

    def _normal(self, purpose: str, shape: tuple[int, ...]) -> Tensor:
        return counter_normal(self._key(purpose), self._numbers, shape)

    def _key(self, purpose: str) -> int:
        return seed_for(self._questions.seed, purpose, self._number, self.steps)

    def _drawn_symmetries(self) -> list[Symmetry] | None:
        draw = self._questions.symmetry
        if not self._search.symmetries or self._number == 0 or draw is None:
            return None
        seed, numbers = self._questions.seed, self._questions.numbers.tolist()
        return [draw(numpy_generator(seed, "symmetry of a question", self._number, number)) for number in numbers]

    @staticmethod
    def _image(batch: Batch, symmetries: list[Symmetry]) -> Batch:
        """The questions, and the labels of their answers, through their symmetries."""
        inputs, labels, device = batch.inputs.cpu().numpy(), batch.labels.cpu().numpy(), batch.inputs.device
        images = np.stack([each.image(row) for each, row in zip(symmetries, inputs, strict=True)])
        answers = np.stack([each.labels(row) for each, row in zip(symmetries, labels, strict=True)])
        return replace(batch, inputs=torch.from_numpy(images).to(device), labels=torch.from_numpy(answers).to(device))


def _mapped_back(predictions: NDArray[np.integer[Any]], symmetries: list[Symmetry]) -> NDArray[np.integer[Any]]:
    return np.stack([each.inverse_image(row) for each, row in zip(symmetries, predictions, strict=True)])

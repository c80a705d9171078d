"""Score a model on a test split: accuracy at each supervision step, ARC votes, and copying the input beside it.

B global batch, L grid tokens, S supervision steps, E examples.
"""

import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trm.distributed import Ranks
from trm.errors import UserError
from trm.evaluation.arc_voting import ArcVoting, VotingResult
from trm.evaluation.rollout import Rollout, roll_out
from trm.evaluation.scorers.base import Scorer
from trm.evaluation.scorers.registry import scorer_of
from trm.evaluation.task_scores import TaskTally
from trm.puzzles.batch import IGNORE_LABEL, Batch
from trm.puzzles.layout_writer import BLANK
from trm.puzzles.loading import EvaluationData
from trm.randomness import SeededStepRandom
from trm.supervision import Supervision

SAMPLES = 64  # tasks of which a rollout is kept whole, for pictures


@dataclass
class Tally:
    """Sums over examples, kept on the first rank; added in file order, so that ranks change nothing."""

    examples: int = 0
    share: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))  # [S]
    whole: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))  # [S]
    loss: float = 0.0

    def add(self, right: NDArray[Any], scored: NDArray[Any], loss: NDArray[Any] | None = None) -> None:
        """Take in right `[B, S]` of scored `[B]` tokens; examples without a known answer do not count."""
        known = scored > 0
        right, scored = right[known], scored[known][:, None]
        if not self.examples:
            self.share, self.whole = np.zeros(right.shape[1]), np.zeros(right.shape[1], np.int64)
        self.examples += len(right)
        self.share += (right / scored).sum(0)
        self.whole += (right == scored).sum(0)
        if loss is not None:
            self.loss += math.fsum(loss[known])

    def means(self) -> tuple[list[float], list[float]]:
        """(cell accuracy, exact accuracy) `[S]` each."""
        total = max(self.examples, 1)
        return (self.share / total).tolist(), (self.whole / total).tolist()


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found.

    scores: the content of scores.json.  voting: ARC votes, or None.  samples: arrays for pictures
    (names `[K]`, inputs and labels `[K, L]`, preds `[K, S, L]`).  outputs: the arrays that were asked for.
    """

    scores: dict[str, Any]
    voting: VotingResult | None
    samples: dict[str, NDArray[Any]]
    outputs: dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Evaluator:
    """Evaluates one model on one test split.

    Args:
        arc: let augmentations vote, and score tasks.
        save_outputs: arrays of every example to keep (see SAVED_OUTPUTS in trm/training/config.py).
    """

    supervision: Supervision[Any]
    data: EvaluationData
    ranks: Ranks
    arc: bool
    seed: int = 0
    save_outputs: Sequence[str] = ()
    _scorers: dict[str, Scorer | None] = field(init=False, repr=False, compare=False)  # of each set

    def __post_init__(self) -> None:
        scorers = {
            one.name: scorer_of(one.about) for one in self.data.sets
        }  # a missing one is told before training
        object.__setattr__(self, "_scorers", scorers)
        if not self.arc:
            return
        canvas = math.isqrt(self.data.metadata.seq_len)
        if not self.data.test_puzzles or canvas**2 != self.data.metadata.seq_len:
            raise UserError(
                f"evaluators=[arc], but {', '.join(map(str, self.data.paths))} has no test_puzzles.json",
                "the arc evaluator on ARC datasets only",
                'set evaluators="[]", or build the dataset again with data.build_arc_dataset',
            )

    def run(self, over: Callable[[Any], Any] = iter) -> Evaluation:
        """Evaluate the whole split; every rank takes part, only the first one's result is complete.

        over: wraps the batches, for a progress bar.
        """
        model = self.supervision.model
        was_training = model.training
        model.eval()
        started = time.monotonic()
        try:
            evaluation = self._run(over)
        finally:
            model.train(was_training)
        speed = self.data.total_examples / (time.monotonic() - started)
        evaluation.scores.update(seed=self.seed, examples_per_second=speed)
        return evaluation

    def _run(self, over: Callable[[Any], Any]) -> Evaluation:
        model_tally, copy_tally = Tally(), Tally()
        model_votes, copy_votes = (self._voting(), self._voting()) if self.arc else (None, None)
        samples, kept = Samples(self.data.identifiers), Kept(self.save_outputs)
        tasks = {
            one.name: TaskTally(one.dataset, one.about, self._scorers[one.name]) for one in self.data.sets
        }
        calls: list[int] = []
        for number, (set_name, batch, rollout) in enumerate(self._gathered(over)):
            if not self.ranks.is_first:
                continue
            if number == 0:
                calls = rollout.network_calls
            arrays = _arrays(batch, rollout)
            copied = ((arrays["labels"] == arrays["inputs"]) & (arrays["labels"] != IGNORE_LABEL)).sum(-1)
            model_tally.add(rollout.right.numpy(), rollout.scored.numpy(), rollout.loss.numpy())
            copy_tally.add(copied[:, None], rollout.scored.numpy())
            samples.add(arrays, rollout.predictions.numpy())
            tasks[set_name].add(arrays, rollout.predictions.numpy())
            kept.add(arrays)
            if model_votes is not None and copy_votes is not None:
                who, asked = arrays["puzzle_identifiers"], arrays["inputs"].astype(np.uint8)
                model_votes.add(who, asked, arrays["preds"], arrays["confidence"])
                copy_votes.add(who, asked, asked, np.zeros(len(who)))
        scores = self._scores(model_tally, calls)
        scores["copy"] = _copy_scores(copy_tally)
        scores["tasks"] = [tally.result() for tally in tasks.values()]
        voted = model_votes.result() if model_votes is not None else None
        if voted is not None and copy_votes is not None:
            scores |= {"scores": voted.scores, "counts": voted.counts}
            scores["votes_ranked_by"] = self.supervision.votes_ranked_by
            copied_result = copy_votes.result()
            scores["copy"] |= {"scores": copied_result.scores, "counts": copied_result.counts}
        return Evaluation(scores, voted, samples.stacked(), kept.stacked())

    def _gathered(self, over: Callable[[Any], Any]) -> Iterator[tuple[str, Batch, Rollout]]:
        """Global batches on the CPU, without padding rows, on every rank in the same order; and their sets."""
        for local in over(self.data):
            batch = local.batch.to(self.ranks.device)
            first = self.ranks.rank * len(batch)
            rng = SeededStepRandom(self.seed, 0, len(batch) * self.ranks.world_size, first, len(batch))
            rollout = roll_out(self.supervision, batch, rng)
            rows = torch.arange(len(batch), device=self.ranks.device) < len(local.examples)
            yield local.set_name, *self._gather(batch, rollout, rows)

    def _gather(self, batch: Batch, rollout: Rollout, rows: Tensor) -> tuple[Batch, Rollout]:
        real = self.ranks.gather_rows(rows.to(torch.uint8)).nonzero()[:, 0]

        def together(tensor: Tensor) -> Tensor:
            return self.ranks.gather_rows(tensor).index_select(0, real).cpu()

        whole = Batch(together(batch.inputs), together(batch.labels), together(batch.puzzle_identifiers))
        return whole, Rollout(
            together(rollout.predictions),
            together(rollout.right),
            together(rollout.scored),
            together(rollout.loss),
            together(rollout.q_halt_logits),
            together(rollout.confidence),
            rollout.network_calls,
        )

    def _voting(self) -> ArcVoting:
        metadata = self.data.metadata
        canvas = math.isqrt(metadata.seq_len)
        return ArcVoting(self.data.identifiers, self.data.test_puzzles, canvas, metadata.blank_identifier_id)

    def _scores(self, tally: Tally, calls: list[int]) -> dict[str, Any]:
        cell, exact = tally.means()
        return {
            "examples": tally.examples,
            "network_calls_per_answer": calls[-1] if calls else 0,
            "per_step": {"cell_accuracy": cell, "exact_accuracy": exact, "network_calls": calls},
            "lm_loss": _finite(tally.loss / max(tally.examples, 1)),
        }


def _arrays(batch: Batch, rollout: Rollout) -> dict[str, NDArray[Any]]:
    """What a reader of outputs may want, by the published names."""
    return {
        "inputs": batch.inputs.numpy(),
        "labels": batch.labels.numpy(),
        "puzzle_identifiers": batch.puzzle_identifiers.numpy(),
        "preds": rollout.predictions[:, -1].numpy(),
        "q_halt_logits": rollout.q_halt_logits.numpy(),
        "confidence": rollout.confidence.numpy(),
    }


def _copy_scores(tally: Tally) -> dict[str, Any]:
    """The same accuracies for the answer that repeats the question."""
    cell, exact = tally.means()
    return {"cell_accuracy": cell[0] if cell else 0.0, "exact_accuracy": exact[0] if exact else 0.0}


class Samples:
    """For pictures, of each task: its first test input, augmented or not, that ends right; else its first one.

    So a share of right samples is no score. At most `SAMPLES` tasks, in file order. A puzzle without an identity (its
    identifier is the blank one) is a task of its own, called "example <n>", counted from 1 over all examples.
    """

    def __init__(self, identifiers: Sequence[str]) -> None:
        self._identifiers = identifiers
        self._seen = 0
        self._taken: dict[str, tuple[str, list[NDArray[Any]]]] = {}  # task → name of the puzzle, arrays
        self._right: set[str] = set()

    def add(self, arrays: dict[str, NDArray[Any]], predictions: NDArray[np.uint8]) -> None:
        """Look a batch through; predictions `[B, S, L]`."""
        labels = arrays["labels"]
        known = labels != IGNORE_LABEL
        right = known.any(1) & ((arrays["preds"] == labels) | ~known).all(1)  # [B]
        for row, identifier in enumerate(arrays["puzzle_identifiers"]):
            self._seen += 1
            name = self._identifiers[identifier]
            if name == BLANK:
                name = f"example {self._seen}"
            task = name.partition("|||")[0]
            room = len(self._taken) < SAMPLES and task not in self._taken
            if room or (right[row] and task in self._taken and task not in self._right):
                kept = [
                    arrays["inputs"][row].astype(np.uint8),
                    labels[row].astype(np.int16),
                    predictions[row],
                ]
                self._taken[task] = (name, kept)
                if right[row]:
                    self._right.add(task)

    def stacked(self) -> dict[str, NDArray[Any]]:
        """names, inputs, labels, preds; empty without any."""
        if not self._taken:
            return {}
        names, kept = zip(*self._taken.values(), strict=True)
        inputs, labels, predictions = zip(*kept, strict=True)
        return {
            "names": np.array(names, dtype=np.str_),
            "inputs": np.stack(inputs),
            "labels": np.stack(labels),
            "preds": np.stack(predictions),
        }


class Kept:
    """Arrays of every example, for `eval_save_outputs`."""

    def __init__(self, names: Sequence[str]) -> None:
        self._parts: dict[str, list[NDArray[Any]]] = {name: [] for name in names}

    def add(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Keep a batch's."""
        for name, parts in self._parts.items():
            parts.append(arrays[name])

    def stacked(self) -> dict[str, NDArray[Any]]:
        """`[E, …]` each."""
        return {name: np.concatenate(parts) for name, parts in self._parts.items() if parts}


def _finite(loss: float) -> float | None:
    """A loss that JSON can hold; None, which is said, where an answer's is not finite."""
    if math.isfinite(loss):
        return loss
    print(f"error: the loss of this evaluation is {loss}: an answer's logits are not finite", file=sys.stderr)
    return None

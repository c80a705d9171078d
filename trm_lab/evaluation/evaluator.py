"""Score a model on a test split: accuracy at each supervision step, ARC votes, and what needs no learning beside it.

B rows of a part, L grid tokens, S supervision steps, E examples.
"""

import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.batch import IGNORE_LABEL
from trm.errors import UserError
from trm.supervision import Supervision
from trm_lab.cluster.ranks import Ranks
from trm_lab.evaluation.arc_questions import check_asked
from trm_lab.evaluation.arc_scores import ArcTally
from trm_lab.evaluation.baselines import Baselines
from trm_lab.evaluation.guided_scores import GuidedTally, MarginTally
from trm_lab.evaluation.halting import HaltingTally
from trm_lab.evaluation.predictor import Respondent
from trm_lab.evaluation.samples import Kept, Samples
from trm_lab.evaluation.scored_cells import answer_cells
from trm_lab.evaluation.step_scores import StepScores, StepTally
from trm_lab.evaluation.task_scores import TaskTally
from trm_lab.evaluation.voting import DEFAULT_RANKING
from trm_lab.puzzles.kinds import scorer_of
from trm_lab.puzzles.loading import EvaluationData
from trm_lab.puzzles.scorer import Scorer
from trm_lab.runs.answers import Answers
from trm_lab.runs.evaluation_folder import COPY, EvaluationResults


@dataclass(frozen=True)
class Rules:
    """How answers are scored.

    confidence_kind: what their confidence is, a key of `trm.supervision.CONFIDENCE_KINDS`.
    arc: let augmentations vote, and score tasks.  ranked_by: how votes rank (`voting.RANKINGS`).
    details: also votes after every step, halting curves and single examples.
    save_outputs: arrays of every example to keep (see SAVED_OUTPUTS in trm_lab/configuration/train_config.py).
    """

    confidence_kind: str
    arc: bool
    ranked_by: str = DEFAULT_RANKING
    details: bool = False
    save_outputs: Sequence[str] = ()


class Scoring:
    """Takes answers in, part by part in file order, and scores them.

    Raises:
        UserError: a dataset's scorer is not there, or votes are wanted where there is nothing to vote on.
    """

    def __init__(self, data: EvaluationData, rules: Rules, baselines: Baselines | None = None) -> None:
        self.rules = rules
        self._baselines = baselines or Baselines(data)
        self._baselines.begin()
        self._kinds = {one.name: one.about.scorer if one.about is not None else "" for one in data.sets}
        self._scorers: dict[str, Scorer | None] = {one.name: scorer_of(one.about) for one in data.sets}
        if rules.arc:
            _check_arc(data)
        self._steps, self._loss = StepTally(), Loss()
        self._halting: HaltingTally | None = None
        self._margins, self._guided = MarginTally(), GuidedTally()
        self._samples, self._kept = Samples(data.identifiers), Kept(rules.save_outputs)
        self._examples: list[dict[str, NDArray[Any]]] = []
        self._tasks = {
            one.name: TaskTally(one.dataset, one.about, self._scorers[one.name]) for one in data.sets
        }
        self._arc = (
            ArcTally(data, rules.ranked_by, rules.confidence_kind, rules.details) if rules.arc else None
        )
        self._calls: list[int] = []
        self._puzzle = {"seq_len": data.metadata.seq_len, "vocab_size": data.metadata.vocab_size}
        self._datasets = data.described

    def add(self, made: Answers) -> None:
        """Take in a part of the answers."""
        self._calls = made.network_calls
        cells = answer_cells(self._kinds[made.set_name], made.labels)
        self._steps.add(made.predictions, made.labels, cells)
        self._baselines.add(made, cells, self._scorers[made.set_name])
        self._loss.add(made)
        self._samples.add(made)
        self._kept.add(made)
        solved = self._tasks[made.set_name].add(made)
        if self._arc is not None:
            self._arc.add(made)
        if self.rules.details:
            self._add_details(made, cells, solved)

    def _add_details(self, made: Answers, cells: NDArray[np.bool_], solved: NDArray[np.bool_] | None) -> None:
        if self._halting is None:
            self._halting = HaltingTally(made.network_calls, self.rules.confidence_kind)
        self._halting.add(made.predictions, made.labels, made.q_halt_logits, made.confidence, cells)
        self._guided.add(made, cells)
        if "margin" in made.probes:
            self._margins.add(made.probes["margin"])
        if self._arc is None:
            self._examples.append(_examples(made, solved))

    def result(self) -> EvaluationResults:
        """The scores of everything that was added."""
        steps, baselines = self._steps.result(), dict(self._baselines.scores())
        scores = {
            "examples": steps.examples,
            "network_calls_per_answer": self._calls[-1],
            "datasets": self._datasets,
            "puzzle": self._puzzle,
            "per_step": _per_step(steps) | {"network_calls": self._calls},
            "lm_loss": self._loss.mean(),
            "copy": dict(baselines.pop(COPY)),
            "baselines": baselines,
            "tasks": [
                {**tally.result(), "baselines": self._baselines.verdicts(name)}
                for name, tally in self._tasks.items()
            ],
        }
        voting = self._arc.put_into(scores) if self._arc is not None else None
        if self._halting is not None:
            scores |= self._details(steps, self._halting)
        return EvaluationResults(
            scores,
            voting,
            self._samples.stacked(),
            self._kept.stacked(),
            _joined(self._examples),
            self._margins.by_position(),
        )

    def _details(self, steps: StepScores, halting: HaltingTally) -> dict[str, Any]:
        over_time = ("first_right", "stayed_right", "fixed_late", "broken_late")
        found: dict[str, Any] = {
            "over_steps": {name: getattr(steps, name) for name in over_time},
            "halting": self._halting_curves(halting),
        }
        if guided := self._guided.scores():
            found["guidance"] = guided
        if margins := self._margins.scores():
            found["margin"] = margins
        return found

    def _halting_curves(self, halting: HaltingTally) -> dict[str, Any]:
        """Of TRM with its halting head; DIS's is never trained, so what it would say is left out."""
        curves = halting.result().as_dict()
        if self.rules.confidence_kind != "halting_probability":
            curves["points"] = [point for point in curves["points"] if point["policy"] != "q_halt"]
        return curves


@dataclass(frozen=True)
class Evaluator:
    """Evaluates one model on one test split, as training does: nothing is kept but the scores.

    Args:
        arc, save_outputs: see `Rules`.
    """

    supervision: Supervision[Any]
    data: EvaluationData
    ranks: Ranks
    arc: bool
    seed: int = 0
    save_outputs: Sequence[str] = ()

    def __post_init__(self) -> None:
        self._scoring()  # what is missing is told before training
        if self.arc:
            check_asked(self.data)

    def run(self, over: Callable[[Any], Any] = iter) -> EvaluationResults:
        """Evaluate the whole split; every rank takes part and gets the scores, the first one also all the rest.

        over: wraps the batches, for a progress bar.  The first one is a warm-up, and left out of `examples_per_second`
        where it is not the only one.
        """
        started, warm, done = time.monotonic(), 0, 0
        scoring = self._scoring()
        for made in Respondent(self.supervision, self.data, self.ranks, self.seed).answers(over=over):
            if self.ranks.is_first:
                scoring.add(made)
            if (
                done == 0 and len(made) < self.data.total_examples
            ):  # the first of several batches: the warm-up
                started, warm = time.monotonic(), len(made)
            done += len(made)
        evaluation = scoring.result() if self.ranks.is_first else EvaluationResults({}, None, {}, {})
        speed = (done - warm) / (time.monotonic() - started)
        evaluation.scores.update(seed=self.seed, examples_per_second=speed)
        return replace(evaluation, scores=self.ranks.broadcast_object(evaluation.scores))

    def _scoring(self) -> Scoring:
        rules = Rules(self.supervision.confidence_kind, self.arc, save_outputs=self.save_outputs)
        return Scoring(self.data, rules, self._baselines)

    @cached_property
    def _baselines(self) -> Baselines:
        """They are the same at every evaluation."""
        return Baselines(self.data)


class Loss:
    """The mean token loss of examples with a known answer."""

    def __init__(self) -> None:
        self._parts: list[float] = []
        self._examples = 0

    def add(self, made: Answers) -> None:
        """Take in a part of the answers."""
        known = made.scored.any(1)
        self._parts.append(math.fsum(made.loss[known]))
        self._examples += int(known.sum())

    def mean(self) -> float | None:
        """One that JSON can hold; None, which is said, where an answer's is not finite."""
        mean = math.fsum(self._parts) / max(self._examples, 1) if np.isfinite(self._parts).all() else math.nan
        if math.isfinite(mean):
            return mean
        print("error: the loss of this evaluation is not finite: an answer's logits are not", file=sys.stderr)
        return None


def _check_arc(data: EvaluationData) -> None:
    canvas = math.isqrt(data.metadata.seq_len)
    if not data.test_puzzles or canvas**2 != data.metadata.seq_len:
        raise UserError(
            f"evaluators=[arc], but {', '.join(map(str, data.paths))} has no test_puzzles.json",
            "the arc evaluator on ARC datasets only",
            'set evaluators="[]", or build the dataset again with data.build_arc_dataset',
        )


def _per_step(steps: StepScores) -> dict[str, Any]:
    names = ("cell_accuracy", "exact_accuracy", "hamming", "changed")
    return {name: getattr(steps, name) for name in names}


def _examples(made: Answers, solved: NDArray[np.bool_] | None) -> dict[str, NDArray[Any]]:
    """Of the rows with a known answer."""
    known = made.scored.any(1)
    right = (made.predictions[:, -1] == made.labels) | (made.labels == IGNORE_LABEL)
    numbers = (made.first + 1 + np.flatnonzero(known)).astype(np.str_)
    found = {
        "key": np.char.add(f"{made.set_name}/", numbers),
        "right": right.all(1)[known],
        "question": np.array([_digest(row) for row in made.inputs[known]], np.uint64),
    }
    return found if solved is None else {**found, "solved": solved[known]}


def _digest(question: NDArray[Any]) -> int:
    """Of 64 bits, and of the tokens alone, whatever they are stored as."""
    return int.from_bytes(blake2b(question.astype("<i4").tobytes(), digest_size=8).digest(), "little")


def _joined(parts: Sequence[dict[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    """The columns that every part has, one part after another."""
    names = set.intersection(*(set(part) for part in parts)) if parts else set()
    return {name: np.concatenate([part[name] for part in parts]) for name in sorted(names)}

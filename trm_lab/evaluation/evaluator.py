"""Score a model on a test split: accuracy at each supervision step, ARC votes, and what needs no learning beside it.

B rows of a part, L grid tokens, S supervision steps, E examples.
"""

import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import accumulate, chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError
from trm.supervision import Supervision
from trm_lab.cluster.ranks import Ranks
from trm_lab.commands.choices import DEFAULT_RANKING
from trm_lab.evaluation.arc_questions import check_test_inputs
from trm_lab.evaluation.arc_scores import ArcTally
from trm_lab.evaluation.baselines import Baselines
from trm_lab.evaluation.counts import Counts, in_order, merge
from trm_lab.evaluation.guided_scores import GuidedTally, MarginTally
from trm_lab.evaluation.halting import HaltingTally
from trm_lab.evaluation.improvement import ImprovementTally
from trm_lab.evaluation.in_training import EXACT, InTraining, tallied, verdicts_of
from trm_lab.evaluation.predictor import Predictor, after_queueing_next
from trm_lab.evaluation.rollout import SPENT
from trm_lab.evaluation.samples import Samples, SavedOutputs
from trm_lab.evaluation.scored_cells import answer_cells
from trm_lab.evaluation.search import available_selections
from trm_lab.evaluation.search_scores import SearchTally
from trm_lab.evaluation.step_scores import StepScores, StepTally
from trm_lab.evaluation.task_scores import TaskTally
from trm_lab.puzzles.kinds import scorer_of
from trm_lab.puzzles.loading import EvaluationData
from trm_lab.puzzles.scorer import Scorer
from trm_lab.puzzles.training_rows import Standing
from trm_lab.runs.answers import Answers, question_digests
from trm_lab.runs.evaluation_folder import COPY, EvaluationResults


@dataclass(frozen=True)
class Rules:
    """How answers are scored.

    confidence_kind: kind of their confidence, a key of `trm.supervision.CONFIDENCE_KINDS`.
    arc: let augmentations vote, and score tasks.  ranked_by: how votes rank (`choices.RANKINGS`).
    details: also votes after every step and halting curves.
    save_outputs: arrays of every example to keep (see SAVED_OUTPUTS in trm_lab/configuration/train_config.py).
    shared: each rank scores a share of the answers, to be gathered; the first rank's share has every kind of them.
    """

    confidence_kind: str
    arc: bool
    ranked_by: str = DEFAULT_RANKING
    details: bool = False
    save_outputs: Sequence[str] = ()
    shared: bool = False


class Scoring:
    """Scores answers, which are added part by part; if each rank adds a share, they are gathered at the end.

    Raises:
        UserError: a dataset's scorer is not there, or votes are asked for and the data has nothing to vote on.
    """

    def __init__(
        self,
        data: EvaluationData,
        rules: Rules,
        baselines: Baselines | None = None,
        in_training: InTraining | None = None,
    ) -> None:
        self.rules = rules
        self._in_training = in_training or InTraining(data)
        self._overlaps: dict[str, Counts] = {each.name: {} for each in data.sets}
        self._baselines = baselines or Baselines(data)
        self._baselines.begin()
        self._kinds = {each.name: each.about.scorer if each.about is not None else "" for each in data.sets}
        self._scorers: dict[str, Scorer | None] = {one.name: scorer_of(one.about) for one in data.sets}
        self._steps, self._loss = StepTally(), Loss()
        self._halting: HaltingTally | None = None
        self._margins, self._guided, self._improvement = MarginTally(), GuidedTally(), ImprovementTally()
        self._samples = Samples(data.identifiers, data.chosen_identifiers())
        self._saved = SavedOutputs(rules.save_outputs)
        self._examples: dict[str, list[tuple[int, dict[str, NDArray[Any]]]]] = {"parts": []}  # see `in_order`
        self._tasks = {
            each.name: TaskTally(each.dataset, each.about, self._scorers[each.name], data.categories(each.name), first)
            for each, first in zip(data.sets, accumulate(data.set_sizes.values(), initial=0), strict=False)
        }
        self._arc = _arc_tally(data, rules)
        self._calls = CallTally()
        abouts = [puzzles.about for puzzles in data.sets]
        self._search = SearchTally(available_selections(rules.confidence_kind, abouts))
        self._puzzle = {"seq_len": data.metadata.seq_len, "vocab_size": data.metadata.vocab_size}
        self._datasets = data.described
        self._part = {} if data.part is None else {"part": asdict(data.part)}

    def add(self, answers: Answers) -> None:
        """Add a part of the answers, in any order."""
        self._calls.add(answers)
        cells = answer_cells(self._kinds[answers.set_name], answers.labels)
        self._steps.add(answers.predictions, answers.labels, cells)
        standing = self._in_training.standing(answers)
        self._baselines.add(answers, cells, self._scorers[answers.set_name], standing)
        self._loss.add(answers)
        self._samples.add(answers)
        self._saved.add(answers)
        solved = self._tasks[answers.set_name].add(answers, cells)
        rows = self._in_training.rows(answers.set_name)
        if standing is not None and rows is not None:
            merge(self._overlaps[answers.set_name], tallied(answers, standing, solved, rows))
        if self._arc is not None:
            self._arc.add(answers)
        else:
            self._examples["parts"].append((answers.first, _examples(answers, solved, standing)))
        if self.rules.details:
            self._add_details(answers, cells)

    def gather(self, ranks: Ranks) -> None:
        """Add up the shares of all ranks on the first one; every rank calls it."""
        if not self.rules.shared:
            return
        counts: Counts = {
            "calls": self._calls.counts,
            "steps": self._steps.counts,
            "loss": self._loss.counts,
            "samples": self._samples.counts,
            "saved": self._saved.counts,
            "baselines": self._baselines.counts,
            "tasks": {name: tally.counts for name, tally in self._tasks.items()},
            "overlaps": self._overlaps,
            "halting": {} if self._halting is None else self._halting.counts,
            "search": self._search.counts,
            "guided": self._guided.counts,
            "margins": self._margins.counts,
            "improvement": self._improvement.counts,
            "examples": self._examples,
        }
        for others in ranks.collected(counts):
            merge(counts, others)
        if self._arc is not None:
            self._arc.gather(ranks)

    def _add_details(self, answers: Answers, cells: NDArray[np.bool_]) -> None:
        if SPENT not in answers.probes:
            if self._halting is None:
                self._halting = HaltingTally(answers.network_calls, self.rules.confidence_kind)
            self._halting.add(answers.predictions, answers.labels, answers.q_halt_logits, answers.confidence, cells)
        self._search.add(answers)
        self._guided.add(answers, cells)
        self._improvement.add(answers.first, answers.probes)
        if "margin" in answers.probes:
            self._margins.add(answers.first, answers.probes["margin"])

    def result(self) -> EvaluationResults:
        """The scores of everything that was added."""
        steps, baselines = self._steps.result(), dict(self._baselines.scores())
        calls = self._calls.means()
        scores = {
            "examples": steps.examples,
            **self._part,
            "network_calls_per_answer": calls[-1],
            "datasets": self._datasets,
            "puzzle": self._puzzle,
            "per_step": _per_step(steps) | {"network_calls": calls},
            "lm_loss": self._loss.mean(),
            "copy": dict(baselines.pop(COPY)),
            "baselines": baselines,
            "tasks": [
                {**tally.result(), "baselines": self._baselines.verdicts(name), **self._overlap(name)}
                for name, tally in self._tasks.items()
            ],
        }
        voting = self._arc.put_into(scores, self._in_training) if self._arc is not None else None
        if self.rules.details:
            scores |= self._details(steps)
        return EvaluationResults(
            scores,
            voting,
            self._samples.stacked(),
            self._saved.stacked(),
            _joined(in_order(self._examples["parts"])),
            self._margins.by_position(),
            self._search.columns(),
        )

    def _overlap(self, name: str) -> dict[str, Any]:
        """Of a set, for scores.json; {} where it is not known what is in training."""
        rows, counts = self._in_training.rows(name), self._overlaps[name]
        if rows is None or not counts:
            return {}
        return {"in_training": {"compared": rows.compared, **counts, "baselines": self._baselines.without(name)}}

    def _details(self, steps: StepScores) -> dict[str, Any]:
        over_time = ("first_right", "stayed_right", "fixed_late", "broken_late")
        details: dict[str, Any] = {"over_steps": {name: getattr(steps, name) for name in over_time}}
        if self._halting is not None:
            details["halting"] = self._halting_curves(self._halting)
        if self._search:
            details["search"] = self._search.scores(self._calls.means()[0])
        if guided := self._guided.scores():
            details["guidance"] = guided
        if margins := self._margins.scores():
            details["margin"] = margins
        if improvement := self._improvement.scores():
            details["improvement"] = improvement
        return details

    def _halting_curves(self, halting: HaltingTally) -> dict[str, Any]:
        """Halting curves; without those of the halting head where it is not trained (DIS)."""
        curves = halting.result().as_dict()
        if self.rules.confidence_kind != "halting_probability":
            curves["points"] = [point for point in curves["points"] if point["policy"] != "q_halt"]
        return curves


@dataclass(frozen=True)
class Evaluator:
    """Evaluates one model on one test split, as training does: nothing is kept but the scores.

    Args:
        arc, save_outputs: see `Rules`.
        trained_on: see `InTraining`.
    """

    supervision: Supervision[Any]
    data: EvaluationData
    ranks: Ranks
    arc: bool
    seed: int = 0
    save_outputs: Sequence[str] = ()
    trained_on: Sequence[Path] | None = None

    def __post_init__(self) -> None:
        self._scoring()  # reports what is missing before the training begins
        if self.arc:
            check_test_inputs(self.data)

    def run(self, over: Callable[[Any], Any] = iter) -> EvaluationResults:
        """Evaluate the whole split; each rank scores its own answers and gets the scores, the first all results.

        A GPU answers a batch while the host scores the batch before.

        over: wraps the batches, for a progress bar.  If there are several, the first one is a warm-up, which
        `examples_per_second` leaves out.
        """
        started, warm, done = time.monotonic(), 0, 0
        scoring = self._scoring()
        batches = Predictor(self.supervision, self.data, self.ranks, self.seed).queued(over=over)
        for batch in chain(islice(batches, 1), after_queueing_next(batches)):
            if batch.count:
                scoring.add(batch.read())
            if done == 0 and batch.end < self.data.total_examples:  # the first of several batches: the warm-up
                started, warm = time.monotonic(), batch.end
            done = batch.end
        scoring.gather(self.ranks)
        evaluation = scoring.result() if self.ranks.is_first else EvaluationResults({}, None, {}, {})
        speed = (done - warm) / (time.monotonic() - started)
        evaluation.scores.update(seed=self.seed, examples_per_second=speed)
        if (augmentations := self.data.selection.augmentations) is not None:
            evaluation.scores["evaluated"] = {"augmentations": augmentations}
        return replace(evaluation, scores=self.ranks.broadcast_object(evaluation.scores))

    def _scoring(self) -> Scoring:
        shared = self.ranks.world_size > 1
        rules = Rules(self.supervision.confidence_kind, self.arc, save_outputs=self.save_outputs, shared=shared)
        return Scoring(self.data, rules, self._baselines, self._in_training)

    @cached_property
    def _baselines(self) -> Baselines:
        """Scores of the baselines, which are the same at every evaluation."""
        return Baselines(self.data)

    @cached_property
    def _in_training(self) -> InTraining:
        """What it is trained on, which is read once."""
        return InTraining(self.data, self.trained_on)


class CallTally:
    """Network calls of an answer, summed up to each step: the same for all examples, or means where some stop."""

    def __init__(self) -> None:
        self.counts: Counts = {}
        self._calls: list[int] = []

    def add(self, answers: Answers) -> None:
        """Add a part of the answers."""
        self._calls = answers.network_calls
        if SPENT in answers.probes:
            spent = np.minimum(np.array(self._calls), answers.probes[SPENT][:, None]).sum(0)  # [S]
            merge(self.counts, {"spent": spent, "examples": len(answers)})

    def means(self) -> list[int] | list[float]:
        """Mean network calls of an answer up to each step, `[S]`."""
        if not self.counts:
            return self._calls
        return np.round(self.counts["spent"] / self.counts["examples"], 4).tolist()


class Loss:
    """The mean token loss of examples with a known answer; neither order nor parts of the examples change it."""

    def __init__(self) -> None:
        self.counts: dict[str, list[NDArray[np.float64]]] = {"losses": []}

    def add(self, answers: Answers) -> None:
        """Add a part of the answers."""
        self.counts["losses"].append(answers.loss[answers.scored.any(1)])

    def mean(self) -> float | None:
        """The mean; None, with an error message, where it is not finite, which JSON cannot hold."""
        losses = np.concatenate(self.counts["losses"])
        if np.isfinite(losses).all():
            return math.fsum(losses) / max(len(losses), 1)
        print("error: the loss of this evaluation is not finite: an answer's logits are not", file=sys.stderr)
        return None


def _arc_tally(data: EvaluationData, rules: Rules) -> ArcTally | None:
    if not rules.arc:
        return None
    canvas = math.isqrt(data.metadata.seq_len)
    if not data.test_puzzles or canvas**2 != data.metadata.seq_len:
        raise UserError(
            f"evaluators=[arc], but {', '.join(map(str, data.paths))} has no test_puzzles.json",
            "the arc evaluator on ARC datasets only",
            'set evaluators="[]", or build the dataset again with data.build_arc_dataset',
        )
    return ArcTally(data, rules.ranked_by, rules.confidence_kind, rules.details, rules.shared)


def _per_step(steps: StepScores) -> dict[str, Any]:
    names = ("cell_accuracy", "exact_accuracy", "hamming", "changed")
    return {name: getattr(steps, name) for name in names}


def _examples(answers: Answers, solved: NDArray[np.bool_] | None, standing: Standing | None) -> dict[str, NDArray[Any]]:
    """Columns of examples.npz, for the rows with a label."""
    has_label = answers.scored.any(1)
    columns = {
        "key": np.char.add(f"{answers.set_name}/", (answers.first + np.arange(1, len(answers) + 1)).astype(np.str_)),
        "right": verdicts_of(answers.predictions[:, -1], answers)[EXACT],
        "question": question_digests(answers.inputs),
    }
    columns |= {} if solved is None else {"solved": solved}
    columns |= (
        {} if standing is None else {"question_in_training": standing.questions, "answer_in_training": standing.answers}
    )
    return {name: column[has_label] for name, column in columns.items()}


def _joined(parts: Sequence[dict[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    """The columns that every part has, one part after another."""
    names = set.intersection(*(set(part) for part in parts)) if parts else set()
    return {name: np.concatenate([part[name] for part in parts]) for name in sorted(names)}

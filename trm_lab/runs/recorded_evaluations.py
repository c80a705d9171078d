"""The scores of an evaluation, read from its record and checked. S supervision steps."""

from dataclasses import dataclass, field, replace
from typing import Annotated, Any, TypeVar

import numpy as np

from trm.errors import UserError
from trm_lab.puzzles.kinds import KINDS, scorer_of
from trm_lab.puzzles.manifest import About
from trm_lab.puzzles.selection import Part
from trm_lab.runs.evaluation_folder import BASELINES, COPY
from trm_lab.runs.in_training_scores import InTraining
from trm_lab.runs.questions import Dataset
from trm_lab.runs.recorded_files import read_as, unreadable

NEEDS_LIBRARY = "reasoning_gym"  # a scorer whose library need not be where the report is made
COPIED = BASELINES[COPY]
T = TypeVar("T")


@dataclass(frozen=True)
class Baseline:
    """Scores of answers that need no learning; shares lie in [0, 1]."""

    cell_accuracy: float
    exact_accuracy: float


@dataclass(frozen=True)
class CategoryScores:
    """Scores of each category of examples after the last supervision step, one entry for each name.

    by: what the categories are.  exact, solved: numbers of examples; solved is empty without a scorer.
    cell_accuracy: mean over examples of the share of cells that are right.
    """

    by: str
    names: list[str]
    examples: list[int]
    exact: list[int]
    cell_accuracy: list[float]
    solved: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        lengths = {len(entries) for entries in (self.names, self.examples, self.exact, self.cell_accuracy)}
        if len(lengths | ({len(self.solved)} if self.solved else set())) > 1 or 0 in self.examples:
            raise unreadable("scores by category of other numbers of categories, or of one without examples")


@dataclass(frozen=True)
class TaskScores:
    """Verdicts of a dataset's own scorer on the answers to its examples.

    scorer: "" for datasets without one; verdicts and solved_per_step are empty then.
    examples: judged.  verdicts: how many answers of the last step got each.  solved_per_step: `[S]` counts.
    baselines: verdicts on answers that need no learning, by their names; empty in older runs.
    fingerprint: of the dataset's bytes; "" in older evaluations.
    categories: scores by category, where the dataset tells examples apart.
    in_training: how much of it stands in training; None where that is not known.
    """

    dataset: str
    version: int
    protocol: str
    facts: dict[str, Any]
    scorer: str
    examples: int
    verdicts: dict[str, int]
    solved_per_step: list[int]
    baselines: dict[str, dict[str, int]] = field(default_factory=dict)
    fingerprint: str = ""
    categories: CategoryScores | None = None
    in_training: InTraining | None = None

    @property
    def title(self) -> str:
        """The dataset's name, version and protocol."""
        if not self.version:
            return f"{self.dataset} (without a manifest)"
        return f"{self.dataset}, version {self.version}, protocol {self.protocol}"

    @property
    def title_with_fingerprint(self) -> str:
        """The title with a fingerprint, which differs from that of one built with another seed."""
        return self.title + (f", fingerprint {self.fingerprint[:12]}" if self.fingerprint else "")

    @property
    def best_exact_match(self) -> float | None:
        """The share of whole examples right that can be expected at best, where the dataset knows it."""
        best = self.facts.get("best_exact_match")
        return None if best is None else float(best)

    def baseline_share(self, baseline: str, verdict: str) -> float | None:
        """The share of examples on which a baseline gets a verdict; None where it is not known."""
        count = self.baselines.get(baseline, {}).get(verdict)
        return None if count is None else count / self.examples

    @property
    def solved_shares(self) -> list[float]:
        """`[S]`, the share solved after each supervision step."""
        return [count / self.examples for count in self.solved_per_step]


@dataclass(frozen=True)
class Evaluation:
    """The scores of one evaluation; shares lie in [0, 1].

    method: as readers call it: TRM, DIS.
    cell_accuracy, exact_accuracy, network_calls: one entry for each supervision step; calls are cumulative, and means
      over examples where some stop sooner.
    arc_scores, counts, copy_arc_scores, copy_counts, votes_ranked_by: empty for datasets that are not ARC.
    copy_cell, copy_exact: what handing the question back unchanged would score.
    tasks: one for each dataset, in file order; empty in runs of before there were scorers.
    hamming: scored tokens of an example that are wrong, after each supervision step.
    changed: share of scored tokens that differ between a step and the next; S − 1 entries.
    seq_len, vocab_size: of the puzzles.
    datasets: what was evaluated, by fingerprint and split; empty in records of before they were named.
    part: how much of the test split it is of; None for all of it, and in older evaluations of chosen tasks.
    training_baselines: scores of the training set's most common answer and tokens, by name.
    arc_in_training: how many of ARC's test outputs stand in training; None where that is not known.
    hamming, changed, lm_loss (of an example), seq_len, vocab_size and training_baselines may be missing: empty, None.
    """

    step: int
    method: str
    seed: int
    examples: int
    calls_per_answer: Annotated[int | float, "network_calls_per_answer"]
    cell_accuracy: Annotated[list[float], "per_step.cell_accuracy"]
    exact_accuracy: Annotated[list[float], "per_step.exact_accuracy"]
    network_calls: Annotated[list[int | float], "per_step.network_calls"]
    copy_cell: Annotated[float, "copy.cell_accuracy"]
    copy_exact: Annotated[float, "copy.exact_accuracy"]
    examples_per_second: float
    arc_scores: Annotated[dict[str, float], "scores"] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    copy_arc_scores: Annotated[dict[str, float], "copy.scores"] = field(default_factory=dict)
    copy_counts: Annotated[dict[str, int], "copy.counts"] = field(default_factory=dict)
    votes_ranked_by: str = ""
    tasks: list[TaskScores] = field(default_factory=list)
    hamming: Annotated[list[float], "per_step.hamming"] = field(default_factory=list)
    changed: Annotated[list[float], "per_step.changed"] = field(default_factory=list)
    lm_loss: float | None = None
    seq_len: Annotated[int | None, "puzzle.seq_len"] = None
    vocab_size: Annotated[int | None, "puzzle.vocab_size"] = None
    training_baselines: Annotated[dict[str, Any], "baselines"] = field(default_factory=dict)
    datasets: list[Dataset] | None = None
    part: Part | None = None
    arc_in_training: Annotated[InTraining | None, "in_training"] = None

    @property
    def in_training(self) -> list[InTraining]:
        """How much of the test split stands in training, of ARC's outputs and of each dataset where it is known."""
        overlaps = (self.arc_in_training, *(task.in_training for task in self.tasks))
        return [each for each in overlaps if each is not None]

    @property
    def baselines(self) -> dict[str, Baseline]:
        """Copying the input, and the training set's most common answer and tokens where they are known, by name."""
        return {COPIED: Baseline(self.copy_cell, self.copy_exact), **self.training_baselines}

    @property
    def is_arc(self) -> bool:
        return bool(self.arc_scores)

    @property
    def scored_tasks(self) -> list[TaskScores]:
        """The tasks whose dataset has a scorer of its own."""
        return [task for task in self.tasks if task.solved_per_step]

    @property
    def best_exact_match(self) -> float | None:
        """The best that can be expected of `exact_accuracy`; None unless every dataset knows its own."""
        shares = [task.best_exact_match for task in self.tasks if task.best_exact_match is not None]
        if not shares or len(shares) < len(self.tasks):
            return None
        return float(np.average(shares, weights=[task.examples for task in self.tasks]))

    def __post_init__(self) -> None:
        if not self.examples:
            raise UserError(
                f"the evaluation of step {self.step} has no example with a known answer",
                "an evaluation with scores",
                "evaluate on a test split whose answers are known, such as the public evaluation set",
            )

    @classmethod
    def from_record(cls, record: Any, source: str) -> "Evaluation":
        """Read the contents of a scores.json; `source` names it in errors.

        Raises:
            UserError: a key is missing, or no example had a known answer, so that there is no score.
        """
        from trm_lab.methods import METHODS  # here: with the methods comes torch

        read = read_as(cls, record, source)
        lengths = {len(read.cell_accuracy), len(read.exact_accuracy), len(read.network_calls)}
        lengths |= {len(read.hamming)} if read.hamming else set()
        if len(lengths) > 1 or 0 in lengths:
            raise unreadable(f"{source} has other numbers of supervision steps in its lists")
        fingerprints = [dataset.fingerprint for dataset in read.datasets or []]
        if len(fingerprints) != len(read.tasks):
            fingerprints = [""] * len(read.tasks)
        return replace(
            read,
            method=METHODS[read.method].title if read.method in METHODS else read.method,
            tasks=[
                replace(task, fingerprint=fingerprint, baselines=_by_title(task.baselines))
                for task, fingerprint in zip(map(_with_sound_facts, read.tasks), fingerprints, strict=True)
            ],
            training_baselines={
                title: read_as(Baseline, baseline, source)
                for title, baseline in _by_title(read.training_baselines).items()
            },
        )


def _by_title(baselines: dict[str, T]) -> dict[str, T]:
    """The baselines by the names of tables, in place of those of scores.json; keys of no baseline are left out."""
    return {title: baselines[name] for name, title in BASELINES.items() if name in baselines}


def _with_sound_facts(task: TaskScores) -> TaskScores:
    """The task, of whose facts pictures are made; UserError where its scorer cannot use them."""
    if task.scorer in KINDS and task.scorer != NEEDS_LIBRARY:
        scorer_of(About(task.dataset, task.version, task.protocol, task.scorer, task.facts))
    if task.facts.get("best_exact_match") is not None:
        read_as(_BestExactMatch, task.facts, task.dataset)
    return task


@dataclass(frozen=True)
class _BestExactMatch:
    best_exact_match: float

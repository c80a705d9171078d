"""The scores of an evaluation, read from its record and checked. S supervision steps."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from trm.errors import UserError, shown
from trm_lab.methods import METHODS
from trm_lab.puzzles.kinds import KINDS, scorer_of
from trm_lab.puzzles.manifest import About
from trm_lab.runs.evaluation_folder import BASELINES, COPY
from trm_lab.runs.questions import Dataset, described_datasets
from trm_lab.runs.recorded_files import mapping, number, numbers, text, unreadable, whole, wholes

NEEDS_LIBRARY = "reasoning_gym"  # a scorer whose library need not be where the report is made
COPIED = BASELINES[COPY]


@dataclass(frozen=True)
class Baseline:
    """What an answer that needs no learning scores; shares lie in [0, 1]."""

    cell_accuracy: float
    exact_accuracy: float


@dataclass(frozen=True)
class TaskScores:
    """What a dataset's own scorer said of the answers to one dataset.

    scorer: "" for datasets without one; verdicts and solved_per_step are empty then.
    examples: judged.  verdicts: how many answers of the last step got each.  solved_per_step: `[S]` counts.
    baselines: verdicts on answers that need no learning, by their names; empty in runs of before they were counted.
    fingerprint: of the dataset's bytes; "" in evaluations of before it was recorded.
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

    @property
    def title(self) -> str:
        """The dataset in its own words."""
        if not self.version:
            return f"{self.dataset} (without a manifest)"
        return f"{self.dataset}, version {self.version}, protocol {self.protocol}"

    @property
    def title_with_fingerprint(self) -> str:
        """Tells it from one that was built anew with another seed."""
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
    cell_accuracy, exact_accuracy, network_calls: one entry for each supervision step; calls are cumulative.
    arc_scores, counts, copy_arc_scores, copy_counts, votes_ranked_by: empty for datasets that are not ARC.
    copy_cell, copy_exact: what handing the question back unchanged would score.
    tasks: one for each dataset, in file order; empty in runs of before there were scorers.
    hamming: scored tokens of an example that are wrong, after each supervision step.
    changed: share of scored tokens that differ between a step and the next; S − 1 entries.
    seq_len, vocab_size: of the puzzles.
    datasets: what was evaluated, by fingerprint and split; empty in records of before they were named.
    training_baselines: scores of the training set's most common answer and tokens, by name.
    hamming, changed, lm_loss (of an example), seq_len, vocab_size and training_baselines may be missing: empty, None.
    """

    step: int
    method: str
    seed: int
    examples: int
    calls_per_answer: int
    cell_accuracy: list[float]
    exact_accuracy: list[float]
    network_calls: list[int]
    arc_scores: dict[str, float]
    counts: dict[str, int]
    copy_cell: float
    copy_exact: float
    copy_arc_scores: dict[str, float]
    copy_counts: dict[str, int]
    votes_ranked_by: str
    examples_per_second: float
    tasks: list[TaskScores]
    hamming: list[float] = field(default_factory=list)
    changed: list[float] = field(default_factory=list)
    lm_loss: float | None = None
    seq_len: int | None = None
    vocab_size: int | None = None
    training_baselines: dict[str, Baseline] = field(default_factory=dict)
    datasets: tuple[Dataset, ...] = ()

    @property
    def baselines(self) -> dict[str, Baseline]:
        """Copying the input, and the training set's most common answer and tokens where they are known, by name."""
        return {COPIED: Baseline(self.copy_cell, self.copy_exact), **self.training_baselines}

    def best_baseline(self, score: str) -> tuple[str, float]:
        """The baseline with the highest cell_accuracy or exact_accuracy, the first of equals: its name and share."""
        shares = {name: float(getattr(one, score)) for name, one in self.baselines.items()}
        best = max(shares, key=lambda name: shares[name])
        return best, shares[best]

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
        best = [task.best_exact_match for task in self.tasks]
        known = [share for share in best if share is not None]
        if not known or len(known) < len(best):
            return None
        return float(np.average(known, weights=[task.examples for task in self.tasks]))

    def __post_init__(self) -> None:
        if not self.examples:
            raise UserError(
                f"the evaluation of step {self.step} has no example with a known answer",
                "an evaluation with scores",
                "evaluate on a test split whose answers are known, such as the public evaluation set",
            )

    @classmethod
    def from_record(cls, record: Mapping[str, Any], source: str) -> "Evaluation":
        """Read the contents of a scores.json; `source` names it in errors.

        Raises:
            UserError: a key is missing, or no example had a known answer, so that there is no score.
        """
        try:
            per_step, copied = mapping(record, "per_step", source), mapping(record, "copy", source)
            puzzle = mapping({"puzzle": {}, **record}, "puzzle", source)
            method = text(record, "method", source)
            made = cls(
                step=whole(record, "step", source),
                method=METHODS[method].title if method in METHODS else method,
                seed=whole(record, "seed", source),
                examples=whole(record, "examples", source),
                calls_per_answer=whole(record, "network_calls_per_answer", source),
                cell_accuracy=numbers(per_step, "cell_accuracy", source),
                exact_accuracy=numbers(per_step, "exact_accuracy", source),
                network_calls=wholes(per_step, "network_calls", source),
                arc_scores=_each(number, record, "scores", source),
                counts=_each(whole, record, "counts", source),
                copy_cell=number(copied, "cell_accuracy", source),
                copy_exact=number(copied, "exact_accuracy", source),
                copy_arc_scores=_each(number, copied, "scores", source),
                copy_counts=_each(whole, copied, "counts", source),
                votes_ranked_by=text({"votes_ranked_by": "", **record}, "votes_ranked_by", source),
                examples_per_second=number(record, "examples_per_second", source),
                tasks=[
                    replace(_task_scores(task, source), fingerprint=mark)
                    for task, mark in zip(record.get("tasks", []), _fingerprints(record), strict=False)
                ],
                hamming=numbers({"hamming": [], **per_step}, "hamming", source),
                changed=numbers({"changed": [], **per_step}, "changed", source),
                lm_loss=None if record.get("lm_loss") is None else number(record, "lm_loss", source),
                seq_len=whole(puzzle, "seq_len", source) if puzzle else None,
                vocab_size=whole(puzzle, "vocab_size", source) if puzzle else None,
                training_baselines=_baselines(record, source),
                datasets=_datasets(record, source),
            )
        except KeyError as missing:
            raise unreadable(f"{source} has no key {missing}") from None
        except (TypeError, AttributeError):
            raise unreadable(f"{source} is no record of an evaluation") from None
        lengths = {len(made.cell_accuracy), len(made.exact_accuracy), len(made.network_calls)}
        lengths |= {len(made.hamming)} if made.hamming else set()
        if made.examples and (len(lengths) > 1 or 0 in lengths):
            raise unreadable(f"{source} has other numbers of supervision steps in its lists")
        return made


def _fingerprints(record: Mapping[str, Any]) -> list[str]:
    """Of the dataset of each task, "" where it is not told."""
    tasks, datasets = record.get("tasks", []), record.get("datasets")
    if not isinstance(datasets, list) or len(datasets) != len(tasks):
        return [""] * len(tasks)
    marks = [one.get("fingerprint") if isinstance(one, Mapping) else None for one in datasets]
    return [shown(mark) if isinstance(mark, str) else "" for mark in marks]


def _datasets(record: Mapping[str, Any], source: str) -> tuple[Dataset, ...]:
    try:
        return described_datasets(record) or ()
    except ValueError as error:
        raise unreadable(f"{source}: {shown(error)}") from None


def _each(read: Any, record: Mapping[str, Any], key: str, source: str) -> dict[str, Any]:
    """A mapping of names to values, each read with `read`; empty where the record has none."""
    values = mapping({key: {}, **record}, key, source)
    return {shown(name): read(values, name, source) for name in values}


def _baselines(record: Mapping[str, Any], source: str) -> dict[str, Baseline]:
    told = mapping({"baselines": {}, **record}, "baselines", source)
    return {
        said: Baseline(
            *(number(mapping(told, name, source), key, source) for key in ("cell_accuracy", "exact_accuracy"))
        )
        for name, said in BASELINES.items()
        if name in told
    }


def _task_baselines(record: Mapping[str, Any], source: str) -> dict[str, dict[str, int]]:
    told = mapping({"baselines": {}, **record}, "baselines", source)
    return {said: _each(whole, told, name, source) for name, said in BASELINES.items() if name in told}


def _task_scores(record: Mapping[str, Any], source: str) -> TaskScores:
    task = TaskScores(
        dataset=text(record, "dataset", source),
        version=whole(record, "version", source),
        protocol=text(record, "protocol", source),
        facts=mapping(record, "facts", source),
        scorer=text(record, "scorer", source),
        examples=whole(record, "examples", source),
        verdicts=_each(whole, record, "verdicts", source),
        solved_per_step=wholes(record, "solved_per_step", source),
        baselines=_task_baselines(record, source),
    )
    if task.scorer in KINDS and task.scorer != NEEDS_LIBRARY:  # pictures are made of the same facts
        scorer_of(About(task.dataset, task.version, task.protocol, task.scorer, task.facts))
    if task.facts.get("best_exact_match") is not None:
        number(task.facts, "best_exact_match", source)
    return task

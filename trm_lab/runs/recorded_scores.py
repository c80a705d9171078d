"""Evaluations by `evaluate.py`, read from `scored/<name>/scores.json` of a run and checked. S supervision steps."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from trm.errors import UserError, shown
from trm_lab.files.folders import is_temporary
from trm_lab.runs.evaluation_folder import SCORES_FILE
from trm_lab.runs.evaluation_place import SCORED, UNFINISHED
from trm_lab.runs.recorded_evaluations import Evaluation
from trm_lab.runs.recorded_files import read_as, read_object

ANSWER = "answer.json"  # of the answer to a single task


@dataclass(frozen=True)
class HaltingPoint:
    """Accuracy and cost of a halting policy at one setting.

    policy: fixed, q_halt, agreement, confidence, oracle, oracle_cells.
    setting: step, threshold or k; None for the oracles.
    exact_accuracy, cell_accuracy: of the answers at which it stops.
    network_calls, steps: means over examples of what is spent until then.
    """

    policy: str
    setting: float | None
    exact_accuracy: float
    cell_accuracy: float
    network_calls: float
    steps: float


@dataclass(frozen=True)
class SearchPoint:
    """Right answers of the first `width` rollouts after a step, of which `select` chooses; oracle: of any of them."""

    select: str
    width: int
    step: int
    network_calls: float
    right: float


@dataclass(frozen=True)
class OverSteps:
    """When answers become right; see `trm_lab.evaluation.step_scores.StepScores`.

    first_right, stayed_right: `[S + 1]` examples, at 0 those that never are.  fixed_late, broken_late: examples.
    """

    first_right: list[int]
    stayed_right: list[int]
    fixed_late: int
    broken_late: int


@dataclass(frozen=True)
class Guided:
    """Accuracies `[S]` of answers decoded with one guidance scale."""

    cell_accuracy: list[float]
    exact_accuracy: list[float]


@dataclass(frozen=True)
class Margin:
    """The advantage margin of each step: its mean over scored tokens `[S]`, and where it is above 0 `[S]`."""

    tokens: int
    mean: list[float]
    share_positive: list[float]


@dataclass(frozen=True)
class Improved:
    """One loss against one thing, before and after each step, `[S]` each.

    before, after: means over examples.  cells_improved: mean share of an example's cells whose loss fell.
    examples_improved: share of examples whose mean over cells fell.
    """

    examples: int
    before: list[float]
    after: list[float]
    cells_improved: list[float]
    examples_improved: list[float]

    @property
    def fell_by(self) -> list[float]:
        """Before − after, `[S]`; negative where a step makes it worse."""
        return [before - after for before, after in zip(self.before, self.after, strict=False)]


@dataclass(frozen=True)
class Improvement:
    """What each step does to the softmax cross-entropy: to the answer, and to its own target (None: `without_target`).

    trained_answer, trained_target: the same of `trained_loss`, where that is another loss.
    """

    answer: Improved
    target: Improved | None = None
    trained_answer: Improved | None = None
    trained_target: Improved | None = None
    trained_loss: str = ""
    without_target: str = ""


@dataclass(frozen=True)
class AnswerCost:
    """Cost of one answer. operations: floating-point, counted.  seconds: on `ranks` × `device`, without loading.

    joules: the same of energy; None where the device did not report it.
    """

    network_calls: int | float
    operations: int | float
    seconds: float
    ranks: int
    device: str
    joules: float | None = None


@dataclass(frozen=True)
class Scored:
    """An evaluation by `evaluate.py`; parts that were not requested are empty or None.

    other_data: of other data than the run's own test split.
    confidence_kind: a key of `trm.supervision.CONFIDENCE_KINDS`; None where it is not recorded.
    improvement: None in evaluations with margins that are older than it.
    halting: a point for each policy and setting.  guidance: by scale w.  arc_per_step: ARC scores `[S]` by name.
    supervision_steps: of an answer; None: as trained.  identifiers: what the puzzle embedding was given.
    weights: `auto`, `ema` or `raw`.  confidence: `answer` or `all-cells`, of what ranks votes.
    tasks, first_tasks, augmentations: the chosen part of the test split; None: all of it.
    search: how answers were searched for, where by several rollouts or by stopping sooner; search_points: what fewer
      rollouts, fewer steps and other choices among them give.
    """

    folder: Path
    evaluation: Evaluation
    other_data: bool
    confidence_kind: str | None
    supervision_steps: Annotated[int | None, "evaluated.supervision_steps"]
    identifiers: Annotated[str, "evaluated.identifiers"]
    weights: Annotated[str, "evaluated.weights"]
    confidence: Annotated[str, "evaluated.confidence"] = "answer"
    tasks: Annotated[Any, "evaluated.tasks"] = None
    first_tasks: Annotated[Any, "evaluated.first_tasks"] = None
    augmentations: Annotated[Any, "evaluated.augmentations"] = None
    search: Annotated[Any, "evaluated.search"] = None
    over_steps: OverSteps | None = None
    halting: Annotated[list[HaltingPoint], "halting.points"] = field(default_factory=list)
    guidance: dict[float, Guided] = field(default_factory=dict)
    margin: Margin | None = None
    improvement: Improvement | None = None
    cost: AnswerCost | None = None
    arc_per_step: dict[str, list[float]] = field(default_factory=dict)
    search_points: Annotated[list[SearchPoint], "search.points"] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The folder's name, fit to be printed."""
        return shown(self.folder.name)

    @property
    def is_of_usual_model(self) -> bool:
        """Whether it is with the right identifiers and the run's preferred weights."""
        return (self.identifiers, self.weights) == ("correct", "auto")

    @property
    def is_of_all_or_a_sample(self) -> bool:
        """Whether none of its data was left out, or all but a random sample, which is the same for every run."""
        return self.tasks is None and self.first_tasks is None and self.augmentations is None

    @property
    def is_of_all_questions(self) -> bool:
        """Whether no part of its data was left out."""
        return self.is_of_all_or_a_sample and self.evaluation.part is None

    @property
    def is_whole(self) -> bool:
        """Whether it is of the whole test split, with the right identifiers, the run's preferred weights, no search."""
        return (self.is_of_all_questions and self.is_of_usual_model and self.search is None) and not self.other_data

    @property
    def is_plain(self) -> bool:
        """Whether training itself would evaluate so: whole, and with as many supervision steps as trained."""
        return self.is_whole and self.supervision_steps is None and self.confidence == "answer"


def read_scored(run: Path, test_data: Mapping[str, str | None]) -> tuple[list[Scored], list[str]]:
    """Each readable `scored/<name>/` of a run by name, and a remark on each that is not.

    Answers to single tasks (evaluate.py --task) are no evaluations, and passed over.

    test_data: the run's, its fingerprint by its path; an evaluation of other data is of another part.
    """
    evaluations, remarks = [], []
    for folder in sorted((run / SCORED).glob("*/")):
        if is_temporary(folder.name):
            continue
        try:
            if folder.name.endswith(UNFINISHED):
                remarks.append(f"scored/{shown(folder.name)}: evaluate.py has not finished it")
            elif (folder / SCORES_FILE).exists():
                evaluations.append(_scored(folder, test_data))
            elif not (folder / ANSWER).exists():
                remarks.append(f"scored/{shown(folder.name)}: No such file: {SCORES_FILE}")
        except UserError as error:
            remarks.append(f"scored/{shown(folder.name)}: {shown(error.given, 400)}")
        except OSError as error:
            remarks.append(f"scored/{shown(folder.name)}: {shown(error.strerror or 'it cannot be read')}")
    return evaluations, remarks


def _scored(folder: Path, test_data: Mapping[str, str | None]) -> Scored:
    from trm.supervision import CONFIDENCE_KINDS  # here: with it comes torch

    file = folder / SCORES_FILE
    record = read_object(file)
    evaluation = Evaluation.from_record(record, str(file))
    kind = record.get("confidence_kind")
    return read_as(
        Scored,
        record,
        str(file),
        folder=folder,
        evaluation=evaluation,
        other_data=not _is_of(test_data, evaluation, record.get("evaluated")),
        confidence_kind=kind if kind in CONFIDENCE_KINDS else None,
    )


def _is_of(test_data: Mapping[str, str | None], evaluation: Evaluation, evaluated: Any) -> bool:
    """Whether an evaluation is of this data: by fingerprints, or by paths where one of the two has none."""
    fingerprints = [dataset.fingerprint for dataset in evaluation.datasets or []]
    if fingerprints and test_data and all(test_data.values()):
        return fingerprints == list(test_data.values())
    paths = evaluated.get("data_paths") if isinstance(evaluated, dict) else None
    return not isinstance(paths, list) or not paths or [str(path) for path in paths] == list(test_data)

"""What `evaluate.py` found of a run, read from `scored/<name>/scores.json` and checked. S supervision steps."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from trm.errors import UserError, shown
from trm.supervision import CONFIDENCE_KINDS
from trm_lab.files.folders import is_on_its_way
from trm_lab.runs.recorded_evaluations import Evaluation
from trm_lab.runs.recorded_files import mapping, number, numbers, read_object, text, unreadable, whole, wholes

UNFINISHED = ".unfinished"  # behind the name of a folder that is still being made
SCORES, ANSWER = "scores.json", "answer.json"  # of an evaluation, of the answer to a single task
MOST_POINTS = 4096
T = TypeVar("T")


@dataclass(frozen=True)
class HaltingPoint:
    """What a policy at one setting scores, and what it costs.

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
class AnswerCost:
    """What an answer takes. operations: floating-point, counted.  seconds: on `ranks` × `device`, without loading.

    joules: the same of energy; None where the device did not report it.
    """

    network_calls: int
    operations: int
    seconds: float
    ranks: int
    device: str
    joules: float | None = None


@dataclass(frozen=True)
class Options:
    """What `evaluate.py` was asked for.

    supervision_steps: of an answer; None: as trained.  identifiers: what the puzzle embedding was told.
    part: only a part of the test split, or other data or augmentations than the run's.
    weights: `auto`, `ema` or `raw`.  confidence: `answer` or `all-cells`, of what ranks votes.
    """

    supervision_steps: int | None
    identifiers: str
    part: bool
    weights: str
    confidence: str = "answer"


@dataclass(frozen=True)
class Scored:
    """An evaluation by `evaluate.py`; what it was not asked for is empty or None.

    halting: a point for each policy and setting.  best_reachable: of an oracle that stops at the first right step.
    guidance: by scale w.  arc_per_step: ARC scores `[S]` by name.  arc_guided: ARC scores by scale w.
    confidence_kind: a key of `trm.supervision.CONFIDENCE_KINDS`; None where it is not told.
    """

    folder: Path
    evaluation: Evaluation
    options: Options
    over_steps: OverSteps | None
    halting: list[HaltingPoint]
    best_reachable: HaltingPoint | None
    guidance: dict[float, Guided]
    margin: Margin | None
    cost: AnswerCost | None
    arc_per_step: dict[str, list[float]]
    arc_guided: dict[float, dict[str, float]]
    confidence_kind: str | None = None

    @property
    def name(self) -> str:
        return shown(self.folder.name)

    @property
    def is_whole(self) -> bool:
        """Of the whole test split, with the right puzzle identifiers and the weights that the run stands for."""
        options = self.options
        return not options.part and options.identifiers == "correct" and options.weights == "auto"

    @property
    def is_plain(self) -> bool:
        """As training itself evaluates: whole, and with as many supervision steps as trained."""
        as_trained = self.options.supervision_steps is None and self.options.confidence == "answer"
        return self.is_whole and as_trained


def read_scored(run: Path, test_data: Mapping[str, str | None]) -> tuple[list[Scored], list[str]]:
    """Each readable `scored/<name>/` of a run by name, and a remark on each that is not.

    Answers to single tasks (evaluate.py --task) are no evaluations, and passed over.

    test_data: the run's, its fingerprint by its path; an evaluation of other data is of another part.
    """
    found, remarks = [], []
    for folder in sorted((run / "scored").glob("*/")):
        if is_on_its_way(folder.name):
            continue
        if folder.name.endswith(UNFINISHED):
            remarks.append(f"scored/{shown(folder.name)}: evaluate.py has not finished it")
            continue
        if not (folder / SCORES).exists():
            if not (folder / ANSWER).exists():
                remarks.append(f"scored/{shown(folder.name)}: No such file: {SCORES}")
            continue
        try:
            found.append(_scored(folder, test_data))
        except UserError as error:
            remarks.append(f"scored/{shown(folder.name)}: {shown(error.given, 400)}")
        except OSError as error:
            remarks.append(f"scored/{shown(folder.name)}: {shown(error.strerror or 'it cannot be read')}")
    return found, remarks


def _scored(folder: Path, test_data: Mapping[str, str | None]) -> Scored:
    file = folder / SCORES
    record, source = read_object(file), str(file)
    evaluation = Evaluation.from_record(record, source)
    try:
        halting = mapping({"halting": {}, **record}, "halting", source)
        return Scored(
            folder=folder,
            evaluation=evaluation,
            options=_options(record, test_data, source),
            over_steps=_optional(_over_steps, record, "over_steps", source),
            halting=list(_points(halting.get("points", []), source)),
            best_reachable=_optional(_point, halting, "best_reachable", source),
            guidance={w: _guided(one, source) for w, one in _by_scale(record, "guidance", source)},
            margin=_optional(_margin, record, "margin", source),
            cost=_optional(_cost, record, "cost", source),
            arc_per_step={
                shown(name): numbers(record["arc_per_step"], name, source)
                for name in mapping({"arc_per_step": {}, **record}, "arc_per_step", source)
            },
            arc_guided={
                w: {shown(name): number(one, name, source) for name in one}
                for w, one in _by_scale(record, "arc_guided", source)
            },
            confidence_kind=kind if (kind := record.get("confidence_kind")) in CONFIDENCE_KINDS else None,
        )
    except KeyError as missing:
        raise unreadable(f"{source} has no key {missing}") from None
    except (TypeError, AttributeError):
        raise unreadable(f"{source} is no record of an evaluation") from None


def _optional(
    read: Callable[[Mapping[str, Any], str], T], record: Mapping[str, Any], key: str, source: str
) -> T | None:
    return None if record.get(key) is None else read(mapping(record, key, source), source)


def _options(scores: Mapping[str, Any], test_data: Mapping[str, str | None], source: str) -> Options:
    record = mapping(scores, "evaluated", source)
    chosen = any(record.get(key) is not None for key in ("tasks", "first_tasks", "augmentations"))
    other_data = not _is_of(scores.get("datasets"), record.get("data_paths"), test_data)
    steps = record["supervision_steps"]
    return Options(
        supervision_steps=None if steps is None else whole(record, "supervision_steps", source),
        identifiers=text(record, "identifiers", source),
        part=chosen or other_data,
        weights=text(record, "weights", source),
        confidence=text({"confidence": "answer", **record}, "confidence", source),
    )


def _is_of(datasets: Any, paths: Any, test_data: Mapping[str, str | None]) -> bool:
    """Whether an evaluation is of the run's test data: by fingerprints, or by paths where one of the two has none."""
    named = datasets if isinstance(datasets, list) else []
    marks = [one.get("fingerprint") if isinstance(one, Mapping) else None for one in named]
    if marks and all(marks) and test_data and all(test_data.values()):
        return marks == list(test_data.values())
    return not isinstance(paths, list) or not paths or [str(path) for path in paths] == list(test_data)


def _over_steps(record: Mapping[str, Any], source: str) -> OverSteps:
    return OverSteps(
        wholes(record, "first_right", source),
        wholes(record, "stayed_right", source),
        whole(record, "fixed_late", source),
        whole(record, "broken_late", source),
    )


def _points(records: Any, source: str) -> Iterator[HaltingPoint]:
    if not isinstance(records, list) or len(records) > MOST_POINTS:
        raise unreadable(f"{source} has points={shown(repr(records), 60)}, no list of at most {MOST_POINTS}")
    for record in records:
        yield _point(record, source)


def _point(record: Mapping[str, Any], source: str) -> HaltingPoint:
    return HaltingPoint(
        policy=text(record, "policy", source),
        setting=None if record["setting"] is None else number(record, "setting", source),
        exact_accuracy=number(record, "exact_accuracy", source),
        cell_accuracy=number(record, "cell_accuracy", source),
        network_calls=number(record, "network_calls", source),
        steps=number(record, "steps", source),
    )


def _by_scale(record: Mapping[str, Any], key: str, source: str) -> Iterator[tuple[float, dict[str, Any]]]:
    """(w, what was found with it), by w."""
    by_scale = mapping({key: {}, **record}, key, source)
    try:
        scales = sorted((float(name), name) for name in by_scale)
    except ValueError:
        raise unreadable(f"{source} has guidance scales that are no numbers") from None
    for w, name in scales:
        yield w, mapping(by_scale, name, source)


def _guided(record: Mapping[str, Any], source: str) -> Guided:
    return Guided(numbers(record, "cell_accuracy", source), numbers(record, "exact_accuracy", source))


def _margin(record: Mapping[str, Any], source: str) -> Margin:
    return Margin(
        whole(record, "tokens", source),
        numbers(record, "mean", source),
        numbers(record, "share_positive", source),
    )


def _cost(record: Mapping[str, Any], source: str) -> AnswerCost:
    return AnswerCost(
        whole(record, "network_calls", source),
        whole(record, "operations", source),
        number(record, "seconds", source),
        whole(record, "ranks", source),
        text(record, "device", source),
        None if record.get("joules") is None else number(record, "joules", source),
    )

"""Published claims (analysis/claims.yaml), and which runs of ours may stand beside which."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from analysis.comparing.costs import device_of
from analysis.methods import evaluated
from analysis.metrics import EXACT, Metric, arc_metric
from trm.errors import shown
from trm_lab.runs.recorded_evaluations import Evaluation
from trm_lab.runs.recorded_run import Run

CLAIMS_FILE = Path(__file__).resolve().parents[1] / "claims.yaml"
HOURS = "hours"  # of training
CALLS = "network calls"  # of an answer
POINTS = "points"  # between the scores of two models
COUNTED = {HOURS: " h", CALLS: " calls"}  # scores that are no share, with their unit; shown and not tested
RULE = (
    "A run of ours stands beside a claim if it was evaluated on the same dataset (name, protocol, scored subset), on at"
    " least as many examples or tasks, has every setting that the claim's model has, and was evaluated at the claim's"
    " length: after as many epochs, or up to a tenth more. The first such evaluation counts, of one checkpoint. All"
    " else is listed, not compared."
)
_NEARLY = 0.99  # of the epochs: the last incomplete batch of an epoch is dropped
_LONGER = 1.1  # of the epochs: the first evaluation after the claim's length may be as late


@dataclass(frozen=True)
class ClaimedData:
    """A test set.  examples, tasks: how many it has at least; 0 where any number will do.  score: its usual one."""

    title: str
    dataset: str
    protocol: str
    score: str
    facts: dict[str, Any] = field(default_factory=dict)
    examples: int = 0
    tasks: int = 0


@dataclass(frozen=True)
class Claim:
    """A published result.

    of: whose.  source, source_short, author: where it is published, the same in a word, and by whom.
    claimed: a share, hours, network calls, or a difference of shares.  decimals: of its percentage, as printed.
    error: standard error of the claim itself, 0 where it is printed without ±.
    settings: of `arch` and of the run, dotted; a list: any of these.
    partial: whether the source leaves settings out, so that runs with others than its own may stand beside it.
    against: where the claim is a difference, the settings of the second model; else None.
    """

    of: str
    data: ClaimedData
    score: str
    claimed: float
    decimals: int
    error: float
    source: str
    source_short: str
    author: str
    settings: dict[str, Any]
    partial: bool
    against: dict[str, Any] | None
    epochs: int
    device: str

    @property
    def rounding(self) -> float:
        """Half a unit of the last printed digit, as a share."""
        return 0.5 * 10.0 ** -(self.decimals + 2)

    @property
    def metric(self) -> Metric:
        """What an evaluation must have."""
        name = self.data.score if self.score == POINTS else self.score
        return EXACT if name == EXACT.name else arc_metric(name)

    @property
    def printed(self) -> str:
        """The claimed score as its source prints it."""
        if self.score in COUNTED:
            return f"{self.claimed:g}{COUNTED[self.score]}"
        if self.score == POINTS:
            return f"+{100 * self.claimed:.{self.decimals}f} points"
        spread = f" ± {1.96 * 100 * self.error:.{self.decimals}f}" if self.error else ""
        return f"{100 * self.claimed:.{self.decimals}f}{spread} %"


def read_claims(file: Path = CLAIMS_FILE) -> list[Claim]:
    """All claims in their order."""
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    data = {name: ClaimedData(**values) for name, values in content["data"].items()}
    return [_claim(row, content["models"], content["sources"], data) for row in content["claims"]]


def _claim(
    row: Mapping[str, Any], models: Mapping[str, Any], sources: Mapping[str, Any], data: Mapping[str, ClaimedData]
) -> Claim:
    printed = str(row["claimed"])
    score = row.get("score", data[row["data"]].score)
    source = sources[row["source"]]
    return Claim(
        of=row["of"],
        data=data[row["data"]],
        score=score,
        claimed=float(printed) / (1 if score in COUNTED else 100),
        decimals=len(printed.partition(".")[2]),
        error=float(row.get("plus_minus", 0)) / 1.96 / 100,
        source=source["full"],
        source_short=source["short"],
        author=source["author"],
        settings=_settings(models[row["model"]], row),
        partial=models[row["model"]].get("partial", False),
        against=_settings(models[row["against"]], row) if "against" in row else None,
        epochs=row.get("epochs", 0),
        device=row.get("device", ""),
    )


def _settings(model: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """A model's settings and those of the claim's run, dotted."""
    return {f"arch.{key}": value for key, value in model.items() if key != "partial"} | row.get("run", {})


def mismatch(claim: Claim, run: Run) -> str | None:
    """The first reason why a run cannot stand beside a claim; None where it can."""
    if not same_data(claim.data, run):
        return f"not on {claim.data.title}"
    return other_model(claim, run) or shortcoming(claim, run)


def same_data(data: ClaimedData, run: Run) -> bool:
    """Whether a run was evaluated on this test set and on nothing else."""
    tasks = run.evaluation.tasks
    return (
        len(tasks) == 1
        and (tasks[0].dataset, tasks[0].protocol) == (data.dataset, data.protocol)
        and all(tasks[0].facts.get(key) == value for key, value in data.facts.items())
    )


def other_model(claim: Claim, run: Run) -> str | None:
    """The first setting in which a run is not what the claim is of; None where it has them all."""
    from trm_lab.configuration.architecture import LATER_KEYS  # here: with it comes torch

    departures = {f"arch.{key}": default for key, default in LATER_KEYS.items()}  # no published run has another value
    settings = departures | claim.settings
    reasons = (_other_setting(run, key, value) for key, value in settings.items())
    return next((reason for reason in reasons if reason is not None), None)


def _other_setting(run: Run, key: str, claimed: Any) -> str | None:
    from trm_lab.configuration.architecture import LATER_KEYS

    value: Any = run.config
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    allowed = claimed if isinstance(claimed, list) else [claimed]
    name = key.removeprefix("arch.")
    value = LATER_KEYS.get(name) if value is None else value
    return None if value in allowed else f"{name}={shown(value, 30)}, not {' or '.join(map(str, allowed))}"


def shortcoming(claim: Claim, run: Run) -> str | None:
    """Why a run with the claim's data and settings cannot stand beside it; None where it can."""
    evaluation = at_length(claim, run)
    tasks = evaluation.counts.get("tasks", 0)
    if reason := _other_length(claim, epochs_of(run, evaluation.step)):
        return reason
    if evaluation.examples < claim.data.examples:
        return f"tested on {evaluation.examples:,} examples, not {claim.data.examples:,}"
    if tasks < claim.data.tasks:
        return f"tested on {tasks:,} tasks, not {claim.data.tasks:,}"
    if not device_of(run).startswith(claim.device):
        return f"not on {claim.device}"
    scored = claim.score in COUNTED or claim.metric.share(evaluation) is not None
    return None if scored else f"no {claim.score}"


def _other_length(claim: Claim, epochs: float) -> str | None:
    """Why an evaluation after so many epochs is not of the claim's length; hours are counted up to it."""
    if epochs < _NEARLY * claim.epochs:
        return f"trained for {epochs:,.0f} epochs, not {claim.epochs:,}"
    if claim.score in COUNTED or not claim.epochs or epochs <= _LONGER * claim.epochs:
        return None
    return f"evaluated at {epochs:,.0f} epochs, not at {claim.epochs:,}"


def at_length(claim: Claim, run: Run) -> Evaluation:
    """The run's first evaluation at the claim's length, or else the latest; so where the claim tells no length."""
    evaluations = evaluated(run)
    if claim.score in COUNTED or not claim.epochs:
        return evaluations[-1]
    long_enough = (one for one in evaluations if epochs_of(run, one.step) >= _NEARLY * claim.epochs)
    return next(long_enough, evaluations[-1])


def epochs_of(run: Run, step: int | None = None) -> float:
    """Times that the training data was gone through before this step (else the latest evaluation); 0: not recorded."""
    last = run.evaluation.step if step is None else step
    recorded = run.training.epoch[(run.training.step <= last) & ~np.isnan(run.training.epoch)]
    return float(recorded.max(initial=0.0))


def nearest(claims: Sequence[Claim], run: Run) -> str:
    """In words, beside which claims a run stands, or why beside none, with the nearest claim of its kind.

    Of its kind: of the same data, in the metric that counts for them, and of a model with the same supervision.
    """
    comparable = [claim.of for claim in claims if mismatch(claim, run) is None]
    if comparable:
        return "beside " + "; ".join(comparable)
    on_data = [claim for claim in claims if same_data(claim.data, run)]
    if not on_data:
        return "no published claim on this data"
    alike = [claim for claim in on_data if _of_its_kind(claim, run)]
    if not alike:
        return "no published claim of this kind: its supervision, judged by this metric on this data"
    closest = max(
        alike, key=lambda claim: sum(_other_setting(run, *setting) is None for setting in claim.settings.items())
    )
    return f"not compared; nearest: {closest.of} ({mismatch(closest, run)})"


def _of_its_kind(claim: Claim, run: Run) -> bool:
    supervision = "arch.supervision"
    return (
        claim.score == claim.data.score
        and claim.metric.share(run.evaluation) is not None
        and supervision in claim.settings
        and _other_setting(run, supervision, claim.settings[supervision]) is None
    )

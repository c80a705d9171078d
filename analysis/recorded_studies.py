"""The recorded studies that analysis/RESULTS.md is written from: their methods, scores and what stands in training."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import fmean

from analysis.comparing.probe_figures import scaling_curve
from analysis.comparing.scored_runs import plain_scored, with_steps
from analysis.methods import Method, group
from analysis.metrics import Metric, metric_for
from trm.errors import UserError
from trm_lab.runs.in_training_scores import InTraining
from trm_lab.runs.many_runs import read_runs
from trm_lab.runs.recorded_evaluations import Evaluation

RECORDED = Path(__file__).resolve().parent / "recorded"


@dataclass(frozen=True)
class Study:
    """The runs of a folder of analysis/recorded.  methods: by name.  metric: what counts for its data."""

    methods: dict[str, Method]
    metric: Metric

    @property
    def first(self) -> Method:
        """Any method, where all are alike."""
        return next(iter(self.methods.values()))

    def method(self, name: str) -> Method:
        """A method by its name.

        Raises:
            UserError: none has this name.
        """
        if name not in self.methods:
            raise UserError(f"the method {name!r}", " | ".join(self.methods), "correct RESULTS.template.md")
        return self.methods[name]


@cache
def study(folder: str) -> Study:
    """A study by its folder's name.

    Raises:
        UserError: no run can be read there.
    """
    methods, _ = group(read_runs([RECORDED / folder]).runs)
    return Study({one.name: one for one in methods}, metric_for([e for one in methods for e in one.evaluations]))


def evaluations(method: Method) -> list[Evaluation]:
    """Of each seed the evaluation whose questions are tested: by evaluate.py where there is one, else in training."""
    scored = [plain_scored(run, method.step) for run in method.runs]
    return [again.evaluation if again else own for again, own in zip(scored, method.evaluations, strict=True)]


def after_each_step(method: Method, metric: Metric) -> dict[int, float]:
    """Means over seeds by number of supervision steps, as far as all seeds go."""
    steps, values = scaling_curve(method, metric)
    return dict(zip(steps, means(values), strict=True))


def means(series: Sequence[Sequence[float]]) -> list[float]:
    """Of series of one length, the mean at each place."""
    return [fmean(column) for column in zip(*series, strict=True)]


def overlaps(method: Method, steps: int | None = None) -> list[InTraining]:
    """What of the test split stands in training, as the evaluations of each seed say (with so many steps)."""
    scored = [plain_scored(run, method.step) for run in method.runs] if steps is None else with_steps(method, steps)
    return [one.evaluation.in_training[0] for one in scored if one is not None and one.evaluation.in_training]

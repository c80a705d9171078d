"""The forward-pass-efficiency ablation: what each method reached, what it spent, and who has the better of it.

Every number of the tables and of the figures is taken from here. S supervision steps.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean, median

from analysis.comparing.comparability import at_same_updates, unlike
from analysis.comparing.costs import (
    AnswerCosts,
    TrainingCost,
    answer_costs,
    operations_after_steps,
    training_cost,
)
from analysis.comparing.scored_runs import missing, plain_scored
from analysis.comparing.significance import MeanDifference, holm, paired, welch
from analysis.methods import Method, evaluated, group
from analysis.metrics import Metric, metric_for
from trm_lab.intervals import SeedSummary, over_seeds
from trm_lab.runs.recorded_evaluations import Evaluation
from trm_lab.runs.recorded_run import Run

Point = tuple[float, float]  # cost, accuracy


@dataclass(frozen=True)
class SeedResult:
    """One run at its method's step.  reached: cost of the first evaluation at or above the target; None: never."""

    run: Run
    evaluation: Evaluation
    accuracy: float
    training: TrainingCost
    answer: AnswerCosts
    reached: TrainingCost | None


@dataclass(frozen=True)
class Result:
    """A method.  seeds: a result for each.  accuracy: over seeds."""

    method: Method
    seeds: list[SeedResult]
    accuracy: SeedSummary

    def training(self, cost: Callable[[TrainingCost], float | None]) -> float | None:
        """A cost of training, mean over seeds; None where a seed does not know it."""
        return _mean([cost(seed.training) for seed in self.seeds])

    def answer(self, cost: Callable[[AnswerCosts], float | None]) -> float | None:
        """A cost of an answer, mean over seeds; None where a seed does not know it."""
        return _mean([cost(seed.answer) for seed in self.seeds])

    def to_target(self, cost: Callable[[TrainingCost], float | None]) -> float | None:
        """The median over seeds of a cost of reaching the target, where those that did not count as infinite.

        math.inf where not even half of them reached it; None where a seed does not know the cost.
        """
        costs = [math.inf if seed.reached is None else cost(seed.reached) for seed in self.seeds]
        known = [one for one in costs if one is not None]
        return median(known) if len(known) == len(costs) else None

    @property
    def reached(self) -> int:
        """How many seeds reached the target."""
        return sum(seed.reached is not None for seed in self.seeds)


@dataclass(frozen=True)
class PairTest:
    """Two methods' accuracies over seeds: first − second.

    by_seed: the paired test; None where they were not run with the same seeds.  p_holm: of Welch's test, adjusted for
    all pairs.
    """

    first: str
    second: str
    welch: MeanDifference
    by_seed: MeanDifference | None
    p_holm: float | None


@dataclass(frozen=True)
class Ablation:
    """Methods on one dataset.  target: the accuracy to reach.  remarks: what was left out or is missing."""

    dataset: str
    metric: Metric
    target: float
    results: list[Result]
    tests: list[PairTest]
    remarks: list[str]

    def training_curve(self, result: Result, cost: Callable[[TrainingCost], float | None]) -> list[Point]:
        """(cost, accuracy) of a method at each step that all of its runs evaluated, means over seeds."""
        points = []
        for step in result.method.common_steps:
            spent = _mean([cost(training_cost(seed.run, step)) for seed in result.seeds])
            shares = [self.metric.of(one) for one in result.method.evaluations_at(step)]
            if spent is not None:
                points.append((spent, fmean(shares)))
        return points

    def seed_curve(
        self, result: Result, seed: SeedResult, cost: Callable[[TrainingCost], float | None]
    ) -> list[Point]:
        """(cost, accuracy) of one run at the same steps."""
        place = result.seeds.index(seed)
        pairs = [
            (cost(training_cost(seed.run, step)), result.method.evaluations_at(step)[place])
            for step in result.method.common_steps
        ]
        return [(spent, self.metric.of(one)) for spent, one in pairs if spent is not None]

    def answer_curves(self, result: Result) -> list[list[float]] | None:
        """`[n, S]`, accuracy of each seed after each supervision step; None where it is not known of all of them."""
        curves = [self._after_steps(seed) for seed in result.seeds]
        known = [curve for curve in curves if curve]
        return known if len(known) == len(curves) and len({len(curve) for curve in known}) == 1 else None

    def _after_steps(self, seed: SeedResult) -> list[float] | None:
        shares = self.metric.after_steps(seed.evaluation)
        scored = plain_scored(seed.run, seed.evaluation.step)
        if shares is None and scored is not None:
            shares = scored.arc_per_step.get(self.metric.name)
        return shares

    def answer_curve(self, result: Result, currency: str) -> list[Point]:
        """(cost, mean accuracy) after each supervision step; currency: network_calls or operations."""
        curves = self.answer_curves(result)
        first = result.seeds[0]
        costs: Sequence[float] | None = first.evaluation.network_calls
        if currency == "operations":
            costs = operations_after_steps(first.run, first.evaluation)
        if curves is None or costs is None:
            last = result.answer(lambda answer: getattr(answer, currency))
            return [] if last is None else [(last, result.accuracy.mean)]
        return [(cost, fmean(shares)) for cost, *shares in zip(costs, *curves, strict=True)]


def ablation(
    runs: Sequence[Run], dataset: str, metric_name: str | None = None, target: float = 0.9
) -> Ablation:
    """Lay the methods of these runs, all on one dataset, side by side.

    Raises:
        UserError: a run has no such metric.
    """
    methods, remarks = group(runs)
    methods, unfinished = at_same_updates(methods)
    metric = metric_for([one for method in methods for one in method.evaluations], metric_name)
    results = [_result(method, metric, target) for method in methods]
    return Ablation(
        dataset,
        metric,
        target,
        results,
        pair_tests(methods, metric),
        remarks + unfinished + _missing(results),
    )


def _result(method: Method, metric: Metric, target: float) -> Result:
    seeds = [
        SeedResult(
            run=run,
            evaluation=evaluation,
            accuracy=metric.of(evaluation),
            training=training_cost(run, method.step),
            answer=answer_costs(run, evaluation),
            reached=_reached(run, method, metric, target),
        )
        for run, evaluation in zip(method.runs, method.evaluations, strict=True)
    ]
    return Result(method, seeds, over_seeds([seed.accuracy for seed in seeds]))


def _reached(run: Run, method: Method, metric: Metric, target: float) -> TrainingCost | None:
    for evaluation in evaluated(run):
        share = metric.share(evaluation)
        if evaluation.step <= method.step and share is not None and share >= target:
            return training_cost(run, evaluation.step)
    return None


def pair_tests(methods: Sequence[Method], metric: Metric) -> list[PairTest]:
    """Every two methods that a test can be made between, in their order; see `unlike`."""
    shares = [[metric.of(one) for one in method.evaluations] for method in methods]
    every = combinations(range(len(methods)), 2)
    pairs = [(a, b) for a, b in every if not unlike(methods[a], methods[b])]
    unpaired = [welch(shares[a], shares[b], cautious=True) for a, b in pairs]
    adjusted = holm([one.p_two_sided for one in unpaired])
    return [
        PairTest(
            first=methods[a].name,
            second=methods[b].name,
            welch=test,
            by_seed=paired(shares[a], shares[b]) if methods[a].seeds == methods[b].seeds else None,
            p_holm=p,
        )
        for (a, b), test, p in zip(pairs, unpaired, adjusted, strict=True)
    ]


def on_front(point: Point, points: Sequence[Point]) -> bool:
    """Whether no other point has at least this one's accuracy for at most its cost, and more of one of the two."""
    cost, accuracy = point
    return not any(
        other_cost <= cost and other >= accuracy and (other_cost, other) != point
        for other_cost, other in points
    )


def front(points: Sequence[Point]) -> list[Point]:
    """The Pareto front, cheapest first."""
    return sorted({point for point in points if on_front(point, points)})


def _missing(results: Sequence[Result]) -> list[str]:
    """What the runs do not hold, and the command that makes it."""
    seeds = [seed for result in results for seed in result.seeds]
    methods = [result.method for result in results]
    remarks = []
    remarks += missing(
        methods, "measured time of an answer, halting curves", "", lambda one: bool(one.halting)
    )
    if any(seed.training.operations is None for seed in seeds):
        remarks.append("FLOP of training are not known: the runs do not say how many tokens an example has")
    for result in results:
        for seed in result.seeds[:1]:
            scored = plain_scored(seed.run, has=lambda one: one.cost is not None)
            counted = scored.cost if scored else None
            same = counted is not None and counted.network_calls == seed.answer.network_calls
            if counted is not None and same and counted.operations != seed.answer.operations:
                remarks.append(
                    f"{result.method.name}: evaluate.py counted {counted.operations:,} operations in an answer, the"
                    f" formula says {seed.answer.operations:,}"
                )
    return remarks


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None

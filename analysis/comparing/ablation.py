"""The forward-pass-efficiency ablation: what each method reached, what it spent, and who has the better of it.

Every number of the tables and of the figures is taken from here. n seeds, S supervision steps.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from analysis.comparing.comparability import at_same_updates
from analysis.comparing.costs import AnswerCosts, TrainingCost, answer_costs, operations_after_steps, training_cost
from analysis.comparing.halting_settings import without_held_out
from analysis.comparing.pairwise_tests import Tested, pair_tests
from analysis.comparing.scored_runs import missing, plain_scored, probed
from analysis.methods import Method, evaluated, group, own_step
from analysis.metrics import Metric, metric_for
from trm_lab.intervals import SeedSummary, over_seeds
from trm_lab.runs.recorded_evaluations import Evaluation
from trm_lab.runs.recorded_run import Run

Point = tuple[float, float]  # cost, accuracy
Curves = tuple[list[float], list[list[float]]]  # costs, and at each of them the accuracy of each seed `[n, costs]`
OfTraining = Callable[[TrainingCost], float | None]
OfAnswer = Callable[[AnswerCosts], float | None]


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

    def training(self, cost: OfTraining) -> float | None:
        """A cost of training, mean over seeds; None where a seed does not know it."""
        return _mean([cost(seed.training) for seed in self.seeds])

    def answer(self, cost: OfAnswer) -> float | None:
        """A cost of an answer, mean over seeds; None where a seed does not know it."""
        return _mean([cost(seed.answer) for seed in self.seeds])

    def to_target(self, cost: OfTraining) -> float | None:
        """The median over seeds of a cost of reaching the target, where those that did not count as infinite.

        math.inf where not even half of them reached it; None where a seed does not know the cost.
        """
        costs = [math.inf if seed.reached is None else cost(seed.reached) for seed in self.seeds]
        finite = [value for value in costs if value is not None]
        return median(finite) if len(finite) == len(costs) else None

    @property
    def reached(self) -> int:
        """How many seeds reached the target."""
        return sum(seed.reached is not None for seed in self.seeds)


@dataclass(frozen=True)
class Ablation:
    """Methods on one dataset.  target: the accuracy to reach.  remarks: what was left out or is missing."""

    dataset: str
    metric: Metric
    target: float
    results: list[Result]
    tests: list[Tested]
    remarks: list[str]

    def training_curves(self, result: Result, cost: OfTraining) -> Curves:
        """Accuracy at each step that all seeds of a method evaluated, by the mean cost until then."""
        steps = [
            (spent, step)
            for step in result.method.common_steps
            if (spent := _mean([cost(training_cost(seed.run, step)) for seed in result.seeds])) is not None
        ]
        by_step = [[self.metric.of(one) for one in result.method.evaluations_at(step)] for _, step in steps]
        return [spent for spent, _ in steps], [list(row) for row in zip(*by_step, strict=True)]

    def answer_curves(self, result: Result, currency: str) -> Curves:
        """Accuracy after each supervision step; after the last alone where the others are not known of all seeds.

        currency: network_calls or operations.
        """
        first = result.seeds[0]
        costs: Sequence[float] | None = first.evaluation.network_calls
        if currency == "operations":
            costs = operations_after_steps(first.run, first.evaluation)
        rows = [self._after_steps(seed) for seed in result.seeds]
        if costs is not None and all(row and len(row) == len(costs) for row in rows):
            return list(costs), [row for row in rows if row]
        last = result.answer(lambda answer: getattr(answer, currency))
        return ([], []) if last is None else ([last], [[seed.accuracy] for seed in result.seeds])

    def _after_steps(self, seed: SeedResult) -> list[float] | None:
        shares = self.metric.after_steps(seed.evaluation)
        scored = plain_scored(seed.run, seed.evaluation.step)
        return scored.arc_per_step.get(self.metric.name) if shares is None and scored is not None else shares


def means(curves: Curves) -> list[Point]:
    """(cost, mean accuracy over seeds) at each cost."""
    costs, rows = curves
    return [(cost, fmean(shares)) for cost, *shares in zip(costs, *rows, strict=True)]


def ablation(runs: Sequence[Run], dataset: str, metric_name: str | None = None, target: float = 0.9) -> Ablation:
    """Lay the methods of these runs, all on one dataset, side by side.

    Raises:
        UserError: a run has no such metric.
    """
    methods, remarks = group(runs)
    methods, unfinished = at_same_updates(methods)
    metric = metric_for([one for method in methods for one in method.evaluations], metric_name)
    results = [_result(method, metric, target) for method in methods]
    remarks += unfinished + _missing(results)
    return Ablation(dataset, metric, target, results, pair_tests(methods, metric), remarks)


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
    last = own_step(run, method.step)
    for evaluation in evaluated(run):
        share = metric.share(evaluation)
        if evaluation.step <= last and share is not None and share >= target:
            return training_cost(run, evaluation.step)
    return None


def on_front(point: Point, points: Sequence[Point]) -> bool:
    """Whether no other point has at least this one's accuracy for at most its cost, and more of one of the two."""
    cost, accuracy = point
    return not any(
        other_cost <= cost and other >= accuracy and (other_cost, other) != point for other_cost, other in points
    )


def front(points: Sequence[Point]) -> list[Point]:
    """The Pareto front, cheapest first."""
    return sorted({point for point in points if on_front(point, points)})


def _missing(results: Sequence[Result]) -> list[str]:
    """What the runs do not hold, and the command that makes it."""
    measured = "measured time of an answer, halting curves"
    methods = [result.method for result in results]
    remarks = missing(methods, measured, "", lambda one: bool(one.halting))
    remarks += without_held_out(probed(methods, lambda one: bool(one.halting)))
    if any(seed.training.operations is None for result in results for seed in result.seeds):
        remarks.append("FLOP of training are not known: the runs do not say how many tokens an example has")
    for result in results:
        answer = result.seeds[0].answer
        scored = plain_scored(result.seeds[0].run, has=lambda one: one.cost is not None)
        counted = scored.cost if scored else None
        if counted is None or counted.network_calls != answer.network_calls:
            continue
        if counted.operations != answer.operations:
            remarks.append(
                f"{result.method.name}: evaluate.py counted {counted.operations:,} operations in an answer, the"
                f" formula says {answer.operations:,}"
            )
    return remarks


def _mean(values: Sequence[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    return fmean(numbers) if numbers and len(numbers) == len(values) else None

"""The tables of the efficiency ablation."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.comparing.ablation import Ablation, PairTest, Point, Result, on_front
from analysis.comparing.comparability import other_settings
from analysis.comparing.costs import TrainingCost, device_of
from analysis.methods import differing
from analysis.tables import Table, amount, share_over_seeds, time, whole_number
from trm.errors import shown
from trm_lab.commands.tables import UNKNOWN, p_value, percent, points, points_range

NOT_RECORDED = "not recorded"
NOT_REACHED = "not reached"
FRONT = "●"
SOLVED_BY = "Solved: by the dataset's own scorer. "


@dataclass(frozen=True)
class Currency:
    """One of the things that training or an answer costs.  name: the field of its cost.  written: as text."""

    name: str
    title: str
    written: Callable[[float | None], str]

    def of(self, cost: Any) -> float | None:
        """This part of a cost."""
        return getattr(cost, self.name)


def _flop(value: float | None) -> str:
    return amount(value, "FLOP")


def _joules(value: float | None) -> str:
    return NOT_RECORDED if value is None else amount(value, "J")


CALLS = Currency("network_calls", "network calls", whole_number)
GRADIENT_CALLS = Currency("gradient_calls", "with gradient", whole_number)
OPERATIONS = Currency("operations", "FLOP", _flop)
SECONDS = Currency("seconds", "wall-clock", time)
ENERGY = Currency("joules", "energy", _joules)
TRAINING = (CALLS, GRADIENT_CALLS, OPERATIONS, SECONDS, ENERGY)


def tables(found: Ablation) -> list[Table]:
    """What differs, training, inference, reaching the target, and the tests between methods."""
    return [
        compared(found),
        training_table(found),
        answer_table(found),
        target_table(found),
        *([tests_table(found.tests, found.metric.title)] if found.tests else []),
    ]


def compared(found: Ablation) -> Table:
    """The settings in which the methods differ, a column for each method."""
    methods = [result.method for result in found.results]
    rows = [
        ["seeds", *(", ".join(map(str, method.seeds)) for method in methods)],
        ["updates", *(whole_number(method.step) for method in methods)],
    ]
    for key, values in differing(methods).items():
        written = (UNKNOWN if value is None else shown(value, 40) for value in values)
        rows.append([key.removeprefix("arch."), *written])
    devices = sorted({device_of(run) for method in methods for run in method.runs})
    examples = sorted({one.examples for method in methods for one in method.evaluations})
    notes = [
        f"{other_settings(methods)} Test examples: {', '.join(map(whole_number, examples))}; one of them is"
        f" {100 / min(examples):.2g} points."
        f" Trained on: {'; '.join(devices)}.",
    ]
    return Table(
        f"{found.dataset}: what was compared", ["", *(method.name for method in methods)], rows, notes
    )


def training_table(found: Ablation) -> Table:
    """Accuracy at the end of training against everything that it took."""
    used = [one for one in TRAINING if one is not ENERGY or _any_known(found, one)]
    header = ["method", f"{found.metric.title} [95 % t]", *(one.title for one in used)]
    rows = [
        [
            result.method.name,
            share_over_seeds(result.accuracy),
            *(
                _with_front(one.written(result.training(one.of)), _ends_on_front(found, result, one))
                for one in used
            ),
        ]
        for result in found.results
    ]
    energy = "" if ENERGY in used else " Energy: not recorded."
    solved = SOLVED_BY if found.metric.name == "solved" else ""
    notes = [
        f"{solved}Network calls: passes of the reasoning module over a batch. FLOP: of dense products, by formula."
        " Wall-clock: updates × the median time of one, mean over seeds; times of machines that were shared with other"
        f" work are not comparable.{energy}",
        f"{FRONT} no other method of the table has at least this accuracy for at most this cost (means over seeds,"
        " costs to three digits); the figure's Pareto front is over the evaluations before the last as well.",
    ]
    return Table(f"{found.dataset}: training", header, rows, notes)


def _any_known(found: Ablation, currency: Currency) -> bool:
    return any(result.training(currency.of) is not None for result in found.results)


def _with_front(text: str, is_on_front: bool) -> str:
    return f"{text} {FRONT}" if is_on_front else text


def _ends_on_front(found: Ablation, result: Result, currency: Currency) -> bool:
    """Whether no other row of the table has the better of this one."""
    own = _ends([result], Result.training, currency)
    return bool(own) and on_front(own[-1], _ends(found.results, Result.training, currency))


def _ends(
    results: Sequence[Result], cost: Callable[[Result, Any], float | None], one: Currency
) -> list[Point]:
    """(cost to three digits, as a reader sees it, accuracy) of each row that knows its cost."""
    spent = [(cost(result, one.of), result.accuracy.mean) for result in results]
    return [(float(f"{value:.3g}"), share) for value, share in spent if value is not None]


def answer_table(found: Ablation) -> Table:
    """Accuracy against everything that an answer takes."""
    measured = all(result.answer(lambda answer: answer.seconds) is not None for result in found.results)
    rows = [_answer_row(found, result, measured) for result in found.results]
    header = [
        "method", f"{found.metric.title} [95 % t]", "supervision steps", "network calls", "FLOP", "time", "energy",
    ]  # fmt: skip
    how = (
        f"as evaluate.py measured it on {', '.join(_devices(found))}, without loading and scoring"
        if measured
        else "of the evaluation in training, with loading and scoring"
    )
    notes = [
        f"Of one answer after its last supervision step. Time: {how}; it depends on the batch and on what else the"
        " machine did. Energy: from the device's counter while evaluate.py answered; many devices have none. No"
        " answer's call carries gradient.",
        f"{FRONT} no other method of the table has at least this accuracy for at most this cost, to three digits; the"
        " figure's Pareto front is over answers that stop before the last supervision step as well.",
    ]
    return Table(f"{found.dataset}: an answer", header, rows, notes)


def _answer_row(found: Ablation, result: Result, measured: bool) -> list[str]:
    seconds = result.answer(lambda answer: answer.seconds if measured else answer.seconds_in_training)
    cells = [
        result.method.name,
        share_over_seeds(result.accuracy),
        str(len(result.seeds[0].evaluation.network_calls)),
    ]
    for one in (CALLS, OPERATIONS):
        cost = result.answer(one.of)
        own = _ends([result], Result.answer, one)
        every = _ends(found.results, Result.answer, one)
        cells.append(_with_front(one.written(cost), bool(own) and on_front(own[-1], every)))
    return [*cells, time(seconds), ENERGY.written(result.answer(ENERGY.of))]


def _devices(found: Ablation) -> list[str]:
    return sorted({seed.answer.device for result in found.results for seed in result.seeds})


def target_table(found: Ablation) -> Table:
    """What it took to reach the target for the first time."""
    used = [one for one in TRAINING if one is not ENERGY or _any_known(found, one)]
    rows = [
        [
            result.method.name,
            f"{result.reached} of {len(result.seeds)}",
            *(_to_target(result, one.of, one.written) for one in (_UPDATES, *used)),
        ]
        for result in found.results
    ]
    header = ["method", "seeds that reached it", *(one.title for one in (_UPDATES, *used))]
    notes = [
        "At the first evaluation at or above it, so up to one evaluation interval too late. Median over seeds, where a"
        f" seed that did not reach it counts as later than all others; '{NOT_REACHED}': the median is such a seed.",
    ]
    return Table(f"{found.dataset}: to {percent(found.target)} {found.metric.title}", header, rows, notes)


_UPDATES = Currency("updates", "updates", whole_number)


def _to_target(
    result: Result, cost: Callable[[TrainingCost], float | None], written: Callable[[float | None], str]
) -> str:
    value = result.to_target(cost)
    return NOT_REACHED if value is not None and math.isinf(value) else written(value)


def tests_table(tests: Sequence[PairTest], metric: str) -> Table:
    """Which difference between two methods is more than chance between seeds."""
    rows = [
        [
            f"{one.first} − {one.second}",
            points(one.welch.mean),
            UNKNOWN if one.welch.low is None else points_range(one.welch.low, one.welch.high),
            p_value(one.welch.p_two_sided),
            p_value(one.p_holm),
            p_value(one.by_seed.p_two_sided if one.by_seed else None),
        ]
        for one in tests
    ]
    header = ["difference", "points", "95 % interval", "p (Welch)", "p (Holm)", "p (paired by seed)"]
    notes = [
        "Two-sided t-tests over seeds. Holm: Welch's p adjusted for all pairs of the table; intervals and the other p"
        " are of each pair by itself. Of two seeds, or three against more, Welch's test has the degrees of freedom"
        " of the smaller number. – where it cannot be told: one seed, or no spread between seeds. Few seeds"
        " find large differences only: a large p proves no equality.",
    ]
    return Table(f"Differences in {metric}", header, rows, notes)

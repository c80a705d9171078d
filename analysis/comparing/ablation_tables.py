"""The tables of the efficiency ablation."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from analysis.comparing.ablation import Ablation, Result, on_front
from analysis.comparing.comparability import other_settings
from analysis.comparing.costs import device_of
from analysis.comparing.not_in_training import not_in_training
from analysis.comparing.pairwise_tests import tests_table
from analysis.methods import differing
from analysis.tables import Table, amount, share_over_seeds, time, whole_number
from trm.errors import shown
from trm_lab.commands.tables import UNKNOWN, percent

NOT_RECORDED = "not recorded"
NOT_REACHED = "not reached"
FRONT = "●"
SOLVED_BY = "Solved: by the dataset's own scorer. "


@dataclass(frozen=True)
class Currency:
    """One of the things that training or an answer costs.

    name: the field of its cost.  axis: label of training's axis in a figure.  written: as text.
    """

    name: str
    title: str
    written: Callable[[float | None], str]
    axis: str = ""

    def of(self, cost: Any) -> float | None:
        """This part of a cost."""
        return getattr(cost, self.name)


def _flop(value: float | None) -> str:
    return amount(value, "FLOP")


def _joules(value: float | None) -> str:
    return NOT_RECORDED if value is None else amount(value, "J")


CALLS = Currency("network_calls", "network calls", whole_number, "network calls (passes over a batch)")
GRADIENT_CALLS = Currency("gradient_calls", "with gradient", whole_number, "network calls that carry gradient")
OPERATIONS = Currency("operations", "FLOP", _flop, "FLOP of training")
SECONDS = Currency("seconds", "wall-clock", time, "seconds of training")
ENERGY = Currency("joules", "energy", _joules, "joules of training")
UPDATES = Currency("updates", "updates", whole_number)
TRAINING = (CALLS, GRADIENT_CALLS, OPERATIONS, SECONDS, ENERGY)


def tables(ablation: Ablation) -> list[Table]:
    """What differs, training, inference, reaching the target, and the tests between methods."""
    always_shown = [compared(ablation), training_table(ablation), answer_table(ablation), target_table(ablation)]
    return [
        *always_shown,
        *([tests_table(ablation.tests, f"Differences in {ablation.metric.title}")] if ablation.tests else []),
    ]


def compared(ablation: Ablation) -> Table:
    """The settings in which the methods differ, a column for each method."""
    methods = [result.method for result in ablation.results]
    rows = [
        ["seeds", *(", ".join(map(str, method.seeds)) for method in methods)],
        ["updates", *(whole_number(method.step) for method in methods)],
    ]
    for key, values in differing(methods).items():
        written = (UNKNOWN if value is None else shown(value, 40) for value in values)
        rows.append([key.removeprefix("arch."), *written])
    devices = sorted({device_of(run) for method in methods for run in method.runs})
    examples = sorted({one.examples for method in methods for one in method.evaluations})
    note = (
        f"{other_settings(methods)} Test examples: {', '.join(map(whole_number, examples))}; one of them is"
        f" {100 / min(examples):.2g} points. Trained on: {'; '.join(devices)}."
    )
    header = ["", *(method.name for method in methods)]
    overlap_lines = not_in_training(methods, ablation.metric).splitlines()
    return Table(f"{ablation.dataset}: what was compared", header, rows, [note, *map(str.strip, overlap_lines)])


def training_table(ablation: Ablation) -> Table:
    """Accuracy at the end of training against everything that it took."""
    used = _used(ablation)
    rows = [
        [
            result.method.name,
            share_over_seeds(result.accuracy),
            *(_marked(ablation, result, one, Result.training) for one in used),
        ]
        for result in ablation.results
    ]
    wall_clock = (
        "Wall-clock: updates × the median time of one on a GPU, mean over seeds."
        if SECONDS in used
        else "Wall-clock: not shown, as the runs were on CPUs."
    )
    energy = "" if ENERGY in used else " Energy: not recorded."
    solved = SOLVED_BY if ablation.metric.name == "solved" else ""
    notes = [
        f"{solved}Network calls: passes of the reasoning module over a batch. FLOP: of dense products, by formula."
        f" {wall_clock}{energy}",
        f"{FRONT} no other method of the table has at least this accuracy for at most this cost (means over seeds,"
        " costs to three digits); the figure's Pareto front is over the evaluations before the last as well.",
    ]
    header = ["method", f"{ablation.metric.title} [95 % t]", *(one.title for one in used)]
    return Table(f"{ablation.dataset}: training", header, rows, notes)


def _used(ablation: Ablation) -> list[Currency]:
    """The costs of training that have a column: all, but wall-clock and energy only where a method has them."""
    recorded = [one for one in TRAINING if any(result.training(one.of) is not None for result in ablation.results)]
    return [one for one in TRAINING if one not in (SECONDS, ENERGY) or one in recorded]


def _marked(ablation: Ablation, result: Result, currency: Currency, cost: Callable[..., float | None]) -> str:
    """A method's cost as text, marked where no other row of the table is better in cost and accuracy.

    cost: `Result.training` or `Result.answer`. Costs are compared to three digits, as a reader sees them.
    """
    value = cost(result, currency.of)
    others = [(cost(other, currency.of), other.accuracy.mean) for other in ablation.results]
    points = [(float(f"{spent:.3g}"), share) for spent, share in others if spent is not None]
    if value is None or not on_front((float(f"{value:.3g}"), result.accuracy.mean), points):
        return currency.written(value)
    return f"{currency.written(value)} {FRONT}"


def answer_table(ablation: Ablation) -> Table:
    """Accuracy against everything that an answer takes."""
    measured = [one for one in (SECONDS, ENERGY) if any(r.answer(one.of) is not None for r in ablation.results)]
    devices = sorted({seed.answer.device for result in ablation.results for seed in result.seeds} - {""})
    rows = [
        [
            result.method.name,
            share_over_seeds(result.accuracy),
            str(len(result.seeds[0].evaluation.network_calls)),
            *(_marked(ablation, result, one, Result.answer) for one in (CALLS, OPERATIONS)),
            *(one.written(result.answer(one.of)) for one in measured),
        ]
        for result in ablation.results
    ]
    accuracy = f"{ablation.metric.title} [95 % t]"
    header = ["method", accuracy, "supervision steps", "network calls", "FLOP", *(one.title for one in measured)]
    how = {
        SECONDS: f" Wall-clock: as evaluate.py measured it on {', '.join(devices)}, without loading and scoring; it"
        " depends on the batch.",
        ENERGY: " Energy: from the device's counter while evaluate.py answered.",
    }
    notes = [
        "Of one answer after its last supervision step. No answer's call carries gradient."
        + "".join(how[one] for one in measured),
        f"{FRONT} no other method of the table has at least this accuracy for at most this cost, to three digits; the"
        " figure's Pareto front is over answers that stop before the last supervision step as well.",
    ]
    return Table(f"{ablation.dataset}: an answer", header, rows, notes)


def target_table(ablation: Ablation) -> Table:
    """What it took to reach the target for the first time."""
    used = [UPDATES, *_used(ablation)]
    rows = [
        [result.method.name, f"{result.reached} of {len(result.seeds)}", *(_to_target(result, one) for one in used)]
        for result in ablation.results
    ]
    notes = [
        "At the first evaluation at or above it, so up to one evaluation interval too late. Median over seeds, where a"
        f" seed that did not reach it counts as later than all others; '{NOT_REACHED}': the median is such a seed."
    ]
    header = ["method", "seeds that reached it", *(one.title for one in used)]
    return Table(f"{ablation.dataset}: to {percent(ablation.target)} {ablation.metric.title}", header, rows, notes)


def _to_target(result: Result, currency: Currency) -> str:
    value = result.to_target(currency.of)
    return NOT_REACHED if value is not None and math.isinf(value) else currency.written(value)

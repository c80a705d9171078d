"""Runs as a factorial design: which settings vary, whether every combination was run, what each setting does.

A factor is a setting with its levels; a cell is one combination of levels, with a run for each seed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from math import inf, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.comparing.comparability import of_a_method, unlike
from analysis.comparing.pairwise_tests import Tested, scores_of, tested
from analysis.comparing.question_scores import items_in, items_of
from analysis.comparing.scored_runs import with_steps
from analysis.comparing.significance import Scores
from analysis.methods import Method, differing, method_name
from analysis.metrics import Metric
from trm.errors import UserError, shown
from trm_lab.runs.recorded_evaluations import Evaluation

METHOD = "method"
_NAMED = 6  # of the cells that are missing
Levels = tuple[str, ...]


@dataclass(frozen=True)
class Factorial:
    """factors: the levels of each, by its name.  cells: a method for each combination of levels, in their order.

    evaluations: of each cell, by seed.
    effects: of every two levels of a factor, and of every two factors of two levels their interaction.
    """

    factors: dict[str, Levels]
    cells: dict[Levels, Method]
    evaluations: dict[Levels, list[Evaluation]]
    effects: list[Tested]


def factorial(methods: Sequence[Method], metric: Metric, steps: int | None = None) -> Factorial:
    """The design of these methods and its effects.

    steps: of an answer, by evaluate.py; None: as many as in training.

    Raises:
        UserError: they were tested on other questions or after other numbers of updates, nothing varies, a combination
          was not run, or a run was not evaluated with these steps.
    """
    for other in methods[1:]:
        if reason := unlike(methods[0], other):
            raise UserError(
                f"{methods[0].name} and {other.name}: {reason}",
                "runs on one dataset with an evaluation after the same number of updates",
                "name runs of one sweep",
            )
    if len(methods) < 2:
        raise UserError(
            "all runs have the same settings",
            "runs that differ in a setting besides the seed",
            "name runs of a sweep over settings",
        )
    factors, cells = _design(methods)
    if steps is None:
        evaluations = [method.evaluations for method in cells.values()]
        items = [items_of(method, metric) for method in cells.values()]
    else:
        scored = [with_steps(method, steps) for method in cells.values()]
        evaluations = [[one.evaluation for one in of_method] for of_method in scored]
        items = [items_in([one.folder for one in of_method], metric) for of_method in scored]
    scores = scores_of(evaluations, metric, items)
    by_cell = dict(zip(cells, evaluations, strict=True))
    return Factorial(factors, cells, by_cell, _effects(factors, list(cells), scores))


def _design(methods: Sequence[Method]) -> tuple[dict[str, Levels], dict[Levels, Method]]:
    """By the settings as they are; where combinations are left out, with a method's name for the settings it says."""
    incomplete = []
    by_name = _columns(methods, _varying_in_a_name(methods), named=True)
    for columns in (_columns(methods, differing(methods)), *([by_name] if len(by_name) > 1 else [])):
        factors = {name: tuple(sorted(set(levels), key=_rank)) for name, levels in columns.items()}
        cells = dict(zip(zip(*columns.values(), strict=True), methods, strict=True))
        absent = [levels for levels in product(*factors.values()) if levels not in cells]
        if not absent:
            return factors, {levels: cells[levels] for levels in product(*factors.values())}
        incomplete.append((factors, absent))
    raise _incomplete(*min(incomplete, key=lambda one: len(one[1])))


def _varying_in_a_name(methods: Sequence[Method]) -> dict[str, list[Any]]:
    """The settings that vary among methods of one name."""
    names = _names(methods)
    return {
        key: values
        for key, values in differing(methods).items()
        if len(set(zip(names, map(str, values), strict=True))) > len(set(names))
    }


def _names(methods: Sequence[Method]) -> list[str]:
    return [method_name(method.runs[0]) for method in methods]


def _columns(methods: Sequence[Method], values: Mapping[str, Sequence[Any]], named: bool = False) -> dict[str, Levels]:
    """By factor the level of each method; settings that vary together are one factor, several of a method its name.

    named: the method's name is a factor in any case.
    """
    together: dict[tuple[int, ...], dict[str, Levels]] = {}
    for key, column in {METHOD: _names(methods), **values}.items():
        levels = [shown(str(level), 200) for level in column]
        together.setdefault(tuple(map(levels.index, levels)), {})[key.removeprefix("arch.")] = tuple(levels)
    columns = {}
    for keys in together.values():
        own = [key for key in keys if key != METHOD]
        if METHOD in keys and (named or len(own) > 1):
            columns[METHOD] = keys[METHOD]
        elif own:
            columns[min(own, key=len)] = keys[min(own, key=len)]
    return {name: levels for name, levels in columns.items() if len(set(levels)) > 1}


def moving_with(study: Factorial) -> dict[str, list[str]]:
    """By factor the other settings that its level decides, without those that make a method where that is the factor.

    What a factor does may be what these do.
    """
    varying = differing(list(study.cells.values()))
    companions = {}
    for place, (name, levels) in enumerate(study.factors.items()):
        own = of_a_method() if name == METHOD else set()
        at = [cell[place] for cell in study.cells]
        decided = [
            key for key, values in varying.items() if len(set(zip(at, map(str, values), strict=True))) == len(levels)
        ]
        companions[name] = [short for key in decided if key not in own and (short := key.removeprefix("arch.")) != name]
    return {name: keys for name, keys in companions.items() if keys}


def _rank(level: str) -> tuple[float, str]:
    """Numbers by their size, before words."""
    try:
        return float(level), ""
    except ValueError:
        return inf, level


def _incomplete(factors: Mapping[str, Levels], absent: Sequence[Levels]) -> UserError:
    design = " × ".join(f"{name} ({', '.join(levels)})" for name, levels in factors.items())
    lacking = "; ".join(
        ", ".join(f"{name}={level}" for name, level in zip(factors, levels, strict=True)) for levels in absent[:_NAMED]
    )
    more = f"; and {len(absent) - _NAMED} more" if len(absent) > _NAMED else ""
    given = (
        f"{len(absent)} of {prod(map(len, factors.values()))} combinations of {design} were not run: {lacking}{more}"
    )
    return UserError(
        given,
        "runs of every combination of the settings that vary",
        "train what is missing, or name runs that differ in fewer settings",
    )


def _effects(factors: Mapping[str, Levels], cells: Sequence[Levels], scores: Sequence[Scores]) -> list[Tested]:
    weights = {**_of_levels(factors, cells), **_interactions(factors, cells)}
    parts = [[scores[cell] for cell in np.flatnonzero(one).tolist()] for one in weights.values()]
    return tested(list(weights), parts, [one[one != 0].tolist() for one in weights.values()])


def _of_levels(factors: Mapping[str, Levels], cells: Sequence[Levels]) -> dict[str, NDArray[np.float64]]:
    """The mean of all cells with one level, less that of those with another."""
    weights = {}
    for place, (name, levels) in enumerate(factors.items()):
        at = {level: np.array([cell[place] == level for cell in cells]) for level in levels}
        for first, second in combinations(levels, 2):
            weights[f"{name}: {second} − {first}"] = at[second] / at[second].sum() - at[first] / at[first].sum()
    return weights


def _interactions(factors: Mapping[str, Levels], cells: Sequence[Levels]) -> dict[str, NDArray[np.float64]]:
    """Half of what a factor's effect is more at the second level of another than at its first."""
    signs = {
        name: np.array([1.0 if cell[place] == levels[1] else -1.0 for cell in cells])
        for place, (name, levels) in enumerate(factors.items())
        if len(levels) == 2
    }
    return {f"{a} × {b}": 2 * signs[a] * signs[b] / len(cells) for a, b in combinations(signs, 2)}


def best_of_each(study: Factorial, chosen_by: Sequence[float]) -> list[Levels]:
    """The cell of each method, as the factor of that name has them, whose entry in `chosen_by` is the highest."""
    place = list(study.factors).index(METHOD)
    scored = sorted(zip(chosen_by, study.cells, strict=True), key=lambda one: -one[0])
    return [next(cell for _, cell in scored if cell[place] == level) for level in study.factors[METHOD]]

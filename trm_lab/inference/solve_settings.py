"""The settings of `Solver.solve`, by name."""

import difflib
from collections.abc import Mapping
from typing import TypedDict

import numpy as np

from trm.errors import UserError, shown
from trm.ranges import LARGEST_SEED, MOST_STEPS, Range
from trm_lab.commands.choices import ADAPTED_WEIGHTS, EMBEDDINGS, MOST_NOISE, MOST_WIDTH
from trm_lab.evaluation.search import Search, StopRule
from trm_lab.inference.one_task import TaskRequest


class SolveSettings(TypedDict, total=False):
    """How a puzzle is answered; each may be left out.

    steps: supervision steps; None, as many as trained.
    width, noise, start, symmetries, select, stop, order: how widely it is searched for, see
      `trm_lab.evaluation.search.Search`; stop as text, such as "agreement:2".
    seed: of whatever is drawn (0).
    batch_size: predictions at a time; None, what fits.

    Of ARC alone: attempts: 1 or 2 grids for each test input (2).
    adapt: updates on the task's demonstrations before it is answered (0); the checkpoint stays as it is.
    adapt_weights: what learns in them, `embedding`, the task's own, or `all` weights with it.
    adapt_lr: None, the run's.
    adapt_freeze: share of the updates, the first, in which only the embedding learns, if all weights do; None, usual.
    augmentations: at most so many besides the task itself; None, 32.
    embedding: `auto`, `own`, `mean` or `blank`, see `trm_lab.inference.task_puzzles.puzzles_of`.
    """

    steps: int | None
    width: int
    noise: float
    start: str
    symmetries: bool
    select: str
    stop: str | None
    order: str
    seed: int
    batch_size: int | None
    attempts: int
    adapt: int
    adapt_weights: str
    adapt_lr: float | None
    adapt_freeze: float | None
    augmentations: int | None
    embedding: str


SEARCH = ("width", "noise", "start", "symmetries", "select", "order")
OF_ADAPTATION = ("adapt_weights", "adapt_lr", "adapt_freeze")
ARC_ALONE = ("adapt", *OF_ADAPTATION, "augmentations", "embedding")
MOST_ATTEMPTS = 2
RANGES = {  # those of the flags
    "steps": Range(1, MOST_STEPS, whole=True),
    "width": Range(1, MOST_WIDTH, whole=True),
    "noise": Range(0, MOST_NOISE, whole=False),
    "seed": Range(0, LARGEST_SEED, whole=True),
    "batch_size": Range(1, 2**24, whole=True),
    "attempts": Range(1, MOST_ATTEMPTS, whole=True),
    "adapt": Range(0, 10**6, whole=True),
    "adapt_lr": Range(0, 1, whole=False),
    "adapt_freeze": Range(0, 1, whole=False),
    "augmentations": Range(0, 10**6, whole=True),
}
OPTIONAL = ("steps", "batch_size", "attempts", "adapt_lr", "adapt_freeze", "augmentations")  # None: the usual number
CHOICES = {"symmetries": (True, False), "adapt_weights": ADAPTED_WEIGHTS, "embedding": EMBEDDINGS}


def request_of(target: str, settings: Mapping[str, object]) -> TaskRequest:
    """A request with these settings, all but `attempts`.

    Raises:
        UserError: there is no such setting, its value is out of range, or it has no effect.
    """
    names = SolveSettings.__annotations__
    for name in settings.keys() - names:
        near = difflib.get_close_matches(name, names, n=1)
        raise UserError(
            f"solve(…, {name}=…)", ", ".join(names), f"did you mean {near[0]}?" if near else "choose one of these"
        )
    settings = {name: value.item() if isinstance(value, np.generic) else value for name, value in settings.items()}
    _check_values(settings)
    for name in OF_ADAPTATION:
        if name in settings and not settings.get("adapt"):
            raise UserError(
                f"{name}={settings[name]} without adapt", "adapt from 1", f"add adapt=…, or leave {name} out"
            )
    if settings.get("adapt_freeze") is not None and settings.get("adapt_weights") != "all":
        raise UserError(
            f"adapt_freeze={settings['adapt_freeze']} where only embeddings learn",
            'adapt_freeze with adapt_weights="all"',
            "add that, or leave adapt_freeze out",
        )
    values = {name: value for name, value in settings.items() if name not in (*SEARCH, "stop", "attempts")}
    search = {name: settings[name] for name in SEARCH if name in settings}
    stop = settings.get("stop")
    rule = None if stop is None else StopRule.parse(str(stop))
    return TaskRequest(target, "", search=Search(stop=rule, **search), **values)  # type: ignore[arg-type]


def _check_values(settings: Mapping[str, object]) -> None:
    for name, value in settings.items():
        if name in RANGES and value not in RANGES[name] and not (value is None and name in OPTIONAL):
            raise UserError(f"{name}={shown(repr(value))}", str(RANGES[name]), f"correct {name}, or leave it out")
        if name in CHOICES and not any(type(value) is type(choice) and value == choice for choice in CHOICES[name]):
            allowed = " | ".join(map(str, CHOICES[name]))
            raise UserError(f"{name}={shown(repr(value))}", allowed, "choose one of these")


def check_arc_alone(request: TaskRequest, kind: str) -> None:
    """UserError where a setting that means something to ARC alone is chosen for another kind of puzzle."""
    usual = TaskRequest("", "")
    for name in ARC_ALONE:
        if getattr(request, name) != getattr(usual, name):
            raise UserError(
                f"{name}={getattr(request, name)} for puzzles of the kind {kind}",
                "for tasks of ARC alone",
                f"leave {name} out",
            )

"""Which supervision steps a terminal shows of a long curve, and where the curve is best; the files keep all."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from trm_lab.commands.tables import percent

MOST_ROWS = 16  # a curve of so many steps, TRM's, is shown whole
ROWS = 12  # of a longer one
_SCORES = {"exact match": "exact_accuracy", "cell accuracy": "cell_accuracy"}


def is_whole(per_step: Mapping[str, Any]) -> bool:
    """Whether every step is shown."""
    return len(per_step["network_calls"]) <= MOST_ROWS


def shown_steps(per_step: Mapping[str, Any]) -> list[int]:
    """The steps to show, from 1, in order: all, or about a dozen evenly spread in the logarithm, and the best ones.

    per_step: the part of scores.json with that name.
    """
    steps = len(per_step["network_calls"])
    if is_whole(per_step):
        return list(range(1, steps + 1))
    spread = np.geomspace(1, steps, ROWS).round().astype(int).tolist()
    return sorted({*spread, *_best(per_step).values()})


def curve_summary(per_step: Mapping[str, Any]) -> list[str]:
    """Where a long curve is best, and where all of it stands; nothing of one that is shown whole."""
    steps = len(per_step["network_calls"])
    if is_whole(per_step):
        return []
    best = "; ".join(
        f"{name} {percent(per_step[_SCORES[name]][step - 1])} at step {step}" for name, step in _best(per_step).items()
    )
    return [
        f"best of the {steps} steps, on these questions: {best}",
        f"{len(shown_steps(per_step))} of {steps} steps are shown; scores.json has all of them",
    ]


def _best(per_step: Mapping[str, Any]) -> dict[str, int]:
    """The first step, from 1, with the highest value of each score."""
    return {name: int(np.argmax(per_step[key])) + 1 for name, key in _SCORES.items()}

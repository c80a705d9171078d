"""Training all weights within a time budget: in as many updates as end in time for the answers that follow."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from trm.supervision import Supervision
from trm_lab.inference.task_puzzles import TaskPuzzles
from trm_lab.inference.time_budget import TimeBudget
from trm_lab.inference.weight_training import WeightSettings, WeightTraining

UPDATES_AT_ONCE = 16  # between two looks at the clock, for each of which the host waits for the device


@dataclass(frozen=True)
class UpdatePace:
    """The time that there is.

    expected: seconds of an update before one was measured.  answering: seconds to keep for the answers.
    """

    budget: TimeBudget
    expected: float
    answering: float

    def updates(self, most: int) -> int:
        """How many updates end in time, `most` at most."""
        return self.budget.updates_in_time(most, self.expected, self.answering)


def train_in_time(
    supervision: Supervision[Any],
    puzzles: Sequence[TaskPuzzles],
    settings: WeightSettings,
    canvas: int,
    pace: UpdatePace,
) -> WeightTraining | None:
    """A training after `settings.steps` updates, or as many as there is time for, which it prints; None: for none.

    Two updates of a copy tell first how long one takes, since the share with frozen weights is one of all updates.

    Raises:
        UserError: see `WeightTraining`; or a loss that is not finite.
    """
    trial = WeightTraining(supervision, puzzles, replace(settings, steps=2, freeze=0), canvas)
    for _ in range(2):  # the first one warms up
        if not pace.updates(1):
            return None
        pace.budget.begin_updates(1)
        trial.step()
        trial.check()
    steps = pace.updates(settings.steps)
    if not steps:
        return None
    print(f"adapting all weights: {steps:,} of {settings.steps:,} updates fit into the time", flush=True)
    training = WeightTraining(supervision, puzzles, replace(settings, steps=steps), canvas)
    while count := pace.updates(min(UPDATES_AT_ONCE, steps - training.steps_done)):
        pace.budget.begin_updates(count)
        for _ in range(count):
            training.step()
        training.check()
    pace.budget.pause()
    return training if training.steps_done else None

"""A task's own truth, chosen by what the dataset says of itself (`About.scorer`).

A scorer is written apart from the builder of its dataset: what it calls right follows from
the task's rules and the question, not from the label.
"""

from collections.abc import Callable, Mapping
from typing import Any

from trm.errors import UserError
from trm.evaluation.scorers.answers import answer_scorer
from trm.evaluation.scorers.base import Scorer
from trm.evaluation.scorers.cube import cube_scorer
from trm.evaluation.scorers.maze import maze_scorer
from trm.evaluation.scorers.queens import queens_scorer
from trm.evaluation.scorers.reasoning_gym import reasoning_gym_scorer
from trm.evaluation.scorers.sudoku import sudoku_scorer
from trm.puzzles.manifest import About

SCORERS: dict[str, Callable[[Mapping[str, Any]], Scorer]] = {
    "answer": answer_scorer,
    "cube": cube_scorer,
    "maze": maze_scorer,
    "queens": queens_scorer,
    "reasoning_gym": reasoning_gym_scorer,
    "sudoku": sudoku_scorer,
}


def scorer_of(about: About | None) -> Scorer | None:
    """The scorer that a dataset asks for; None where it asks for none.

    Raises:
        UserError: it asks for one that does not exist.
    """
    if about is None or not about.scorer:
        return None
    if about.scorer not in SCORERS:
        raise UserError(
            given=f"dataset {about.name} asks for the scorer {about.scorer!r}",
            allowed=", ".join(SCORERS),
            remedy="build the dataset again with this version of the code",
        )
    return SCORERS[about.scorer](about.facts)

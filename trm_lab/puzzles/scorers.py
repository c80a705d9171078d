"""A task's own truth, chosen by what the dataset says of itself (`About.scorer`).

A scorer is written apart from the builder of its dataset: what it calls right follows from
the task's rules and the question, not from the label.
"""

from collections.abc import Callable, Mapping
from typing import Any

from trm.errors import UserError
from trm_lab.puzzles.cube.scorer import cube_scorer
from trm_lab.puzzles.manifest import About
from trm_lab.puzzles.maze.scorer import maze_scorer
from trm_lab.puzzles.queens.scorer import queens_scorer
from trm_lab.puzzles.reasoning_gym.scorer import reasoning_gym_scorer
from trm_lab.puzzles.scorer import Scorer
from trm_lab.puzzles.sudoku.scorer import sudoku_scorer
from trm_lab.puzzles.text.scorer import answer_scorer

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

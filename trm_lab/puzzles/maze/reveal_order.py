"""The order in which a maze's path is found: from the start on. E mazes, n side, L = n·n tokens."""

from collections.abc import Mapping
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_lab.puzzles.maze.scorer import LARGEST_SIDE
from trm_lab.puzzles.maze.tokens import MAZE_PATH, MAZE_START
from trm_lab.puzzles.scorer import check_cells, whole_number
from trm_lab.puzzles.solver_order import squeezed


def maze_reveal_order(
    facts: Mapping[str, Any], inputs: NDArray[np.integer], labels: NDArray[np.integer]
) -> NDArray[np.uint8]:
    """Rounds `[E, L]` of mazes of `facts["side"]` rows in tokens `[E, L]`; see `path_rounds`.

    Raises:
        UserError: the facts name no side, or another one than the examples have.
    """
    side = whole_number(facts, "side", 1, LARGEST_SIDE)
    check_cells(side**2, labels)
    squares = (tokens.reshape(-1, side, side) for tokens in (inputs, labels))
    return path_rounds(*squares).reshape(labels.shape)


def path_rounds(questions: NDArray[np.integer], answers: NDArray[np.integer]) -> NDArray[np.uint8]:
    """The round `[E, n, n]` of each cell of the path: its steps from the start, along the path; 0 elsewhere.

    questions, answers: tokens `[E, n, n]`.
    """
    mazes, side, _ = questions.shape
    start, path = (
        np.pad(cells, ((0, 0), (1, 1), (1, 1))).reshape(mazes, (side + 2) ** 2)  # with a ring
        for cells in (questions == MAZE_START, answers == MAZE_PATH)
    )
    rounds = np.zeros(path.shape, np.int32)
    rows, here = np.nonzero(start)
    beside = np.array([-1, 1, -(side + 2), side + 2])
    for number in count(1):
        around = here[:, None] + beside  # [rows, 4]
        on_path = path[rows[:, None], around]
        going_on = on_path.any(1)
        if not going_on.any():
            break
        rows, here = rows[going_on], around[going_on, on_path[going_on].argmax(1)]
        rounds[rows, here] = number
        path[rows, here] = False
    return squeezed(rounds).reshape(mazes, side + 2, side + 2)[:, 1:-1, 1:-1]

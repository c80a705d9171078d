"""Mazes: does the answer mark a shortest path from S to G, any of them, and leave the maze as it is?

E answers, n side, L = n·n tokens. The cells of many mazes are kept as bits, eight mazes in a byte: `[n + 2, n + 2, W]`
with W = ⌈E / 8⌉ and a ring of zeros, so that one step of a flood is a few operations on whole bytes.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_lab.puzzles.maze.tokens import MAZE_FREE, MAZE_GOAL, MAZE_PATH, MAZE_START, MAZE_WALL
from trm_lab.puzzles.scorer import SOLVED, Scorer, whole_number

LARGEST_SIDE = 255


def maze_scorer(facts: Mapping[str, Any]) -> Scorer:
    """A scorer for mazes of `facts["side"]` rows.

    Verdicts:
        consistent: walls, start, goal and free cells of the question stand, but for free cells that became path.
        connected: the path cells, with the question's S and G as its ends, are one line: S and G have one neighbour
            on it, every other cell two, and no path cell lies elsewhere. (A line that touches itself is none: it has
            a shortcut.)
        shortest: it is connected, and its steps are the fewest that the question's walls allow.
        solved: consistent and shortest.

    Raises:
        UserError: no side, or a larger one than is scored.
    """
    side = whole_number(facts, "side", 1, LARGEST_SIDE)

    def score(
        inputs: NDArray[np.integer], labels: NDArray[np.integer], predictions: NDArray[np.integer]
    ) -> dict[str, NDArray[np.bool_]]:
        questions = inputs.reshape(-1, side, side)
        answers = predictions.reshape(-1, side, side)
        ends = (questions == MAZE_START) | (questions == MAZE_GOAL)
        path = answers == MAZE_PATH
        consistent = ((answers == questions) | (path & (questions == MAZE_FREE))).all((1, 2))
        connected = _are_lines(path | ends, questions)
        steps = (path & ~ends).sum((1, 2)) + 1
        shortest = connected.copy()
        lines = np.flatnonzero(connected)
        shortest[lines] = steps[lines] == _distances(questions[lines] != MAZE_WALL, questions[lines])
        return {"consistent": consistent, "connected": connected, "shortest": shortest, SOLVED: consistent & shortest}

    return score


def _are_lines(marked: NDArray[np.bool_], questions: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Whether the marked cells `[E, n, n]` of each maze are one line from S to G.

    Where each end has one neighbour and every other cell two, the cells are a line from end to end, and perhaps
    rings: it is one line if the goal is as far along it as there are cells.
    """
    ringed = np.pad(marked, ((0, 0), (1, 1), (1, 1))).astype(np.uint8)
    beside = ringed[:, :-2, 1:-1] + ringed[:, 2:, 1:-1] + ringed[:, 1:-1, :-2] + ringed[:, 1:-1, 2:]
    ends = (questions == MAZE_START) | (questions == MAZE_GOAL)
    lines = (~marked | (beside + ends == 2)).all((1, 2))
    candidates = np.flatnonzero(lines)
    along = _distances(marked[candidates], questions[candidates])
    lines[candidates] = along == marked[candidates].sum((1, 2)) - 1
    return lines


def _distances(open_cells: NDArray[np.bool_], questions: NDArray[np.integer]) -> NDArray[np.int64]:
    """The fewest steps `[E]` from S to G over the open cells `[E, n, n]`; -1 where G is not reached.

    All mazes are flooded at once: after d steps the cells at distance d or less are wet.
    """
    count, side, _ = open_cells.shape
    distances = np.full(count, -1, np.int64)
    passable, wet = _bits(open_cells), _bits(questions == MAZE_START)
    rows, columns = np.divmod((questions == MAZE_GOAL).reshape(count, side * side).argmax(1), side)
    waiting = np.arange(count)
    for step in range(1, side * side):
        grown = wet.copy()
        grown[1:] |= wet[:-1]
        grown[:-1] |= wet[1:]
        grown[:, 1:] |= wet[:, :-1]
        grown[:, :-1] |= wet[:, 1:]
        grown &= passable
        byte = grown[rows[waiting] + 1, columns[waiting] + 1, waiting // 8]
        arrived = (byte >> (7 - waiting % 8)) & 1 == 1
        distances[waiting[arrived]] = step
        waiting = waiting[~arrived]
        if not len(waiting) or np.array_equal(grown, wet):
            break
        wet = grown
    return distances


def _bits(cells: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Cells `[E, n, n]` as `[n + 2, n + 2, W]`; maze e is bit 7 - e mod 8 of byte e // 8."""
    return np.pad(np.packbits(cells.transpose(1, 2, 0), axis=2), ((1, 1), (1, 1), (0, 0)))

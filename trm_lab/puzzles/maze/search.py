"""Shortest paths in a maze. n side; cells are numbered row by row on the maze with a ring of walls around it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def ringed(free: NDArray[np.bool_]) -> list[bool]:
    """The cells `[n, n]` that can be entered, with a ring of walls: (n + 2)² cells in a row."""
    return np.pad(free, 1).reshape(-1).tolist()


def neighbours(cell: int, width: int) -> tuple[int, int, int, int]:
    """The four cells beside `cell`, where a row has `width` cells."""
    return cell - 1, cell + 1, cell - width, cell + width


def search(free: Sequence[bool], width: int, start: int) -> tuple[list[int], list[int]]:
    """Breadth-first search from `start`: for each cell the fewest steps to it, and how many paths have no more.

    Args:
        free: which cells can be entered; the ring cannot.
        width: of a row with the ring, n + 2.

    Returns:
        steps: -1 where no path leads.
        paths: 0 where no path leads; exact, however many.
    """
    steps, paths = [-1] * len(free), [0] * len(free)
    steps[start], paths[start] = 0, 1
    frontier, distance = [start], 0
    while frontier:
        distance += 1
        reached = []
        for cell in frontier:
            for near in (cell - 1, cell + 1, cell - width, cell + width):
                if not free[near]:
                    continue
                if steps[near] < 0:
                    steps[near] = distance
                    reached.append(near)
                if steps[near] == distance:
                    paths[near] += paths[cell]
        frontier = reached
    return steps, paths


def between(from_start: Sequence[int], from_goal: Sequence[int], goal: int) -> list[int]:
    """The cells of all shortest paths between start and goal without these two, nearest to the start first.

    from_start, from_goal: steps, as `search` returns them.
    """
    length = from_start[goal]
    on_path = [
        cell
        for cell, (before, after) in enumerate(zip(from_start, from_goal, strict=True))
        if before > 0 and after > 0 and before + after == length
    ]
    return sorted(on_path, key=from_start.__getitem__)

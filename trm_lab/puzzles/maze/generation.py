"""Mazes with one shortest path: uniform spanning trees of a lattice of rooms, and loops that keep the path alone.

n side, m = (n + 1) // 2 rooms along a side. Rooms lie two cells apart, and what joins two of them is the cell between;
of an even side one row and one column, at either edge, are wall throughout.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import chain, product
from itertools import count as count_from

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError
from trm.randomness import numpy_generator
from trm_lab.commands.progress import track
from trm_lab.puzzles.maze.search import between, neighbours, ringed, search
from trm_lab.puzzles.maze.tokens import MAZE_FREE, MAZE_GOAL, MAZE_PATH, MAZE_START, MAZE_WALL
from trm_lab.puzzles.square_symmetries import canonical

HARD_SIDE, HARD_LENGTH = 30, 110  # Maze-Hard
# The path between two rooms of a uniform spanning tree of the square lattice grows as distance^(5/4) (Kenyon 2000).
_PATH_EXPONENT = 1.25
_DIRECTIONS = 12  # divisible by the 2, 3 and 4 neighbours of a room
_PATIENCE = 2000  # mazes in a row that are too easy or known


@dataclass(frozen=True)
class MazeKind:
    """The kind of mazes to generate.

    side: n, at least 3.
    min_length: fewest steps from start to goal.
    loops: openings beside the tree's, each of which closes a loop.
    """

    side: int
    min_length: int
    loops: int = 0

    def __post_init__(self) -> None:
        rooms = (self.side + 1) // 2
        longest, most_loops = 2 * (rooms**2 - 1), (rooms - 1) ** 2
        if self.min_length > longest:
            raise UserError(
                given=f"--min-length {self.min_length} in mazes of {self.side}x{self.side}",
                allowed=f"up to {longest} steps, a path through each of the {rooms}x{rooms} rooms",
                remedy=f"choose a smaller --min-length (by default {hard_length(self.side)}), or a larger --size",
            )
        if self.loops > most_loops:
            raise UserError(
                given=f"--loops {self.loops} in mazes of {self.side}x{self.side}",
                allowed=f"up to {most_loops}, the walls between its {rooms}x{rooms} rooms",
                remedy="choose fewer --loops, or a larger --size",
            )


def hard_length(side: int) -> int:
    """The fewest steps of a path that is as hard at this side as 110 at 30."""
    return round(HARD_LENGTH * (side / HARD_SIDE) ** _PATH_EXPONENT)


def generate_mazes(kind: MazeKind, count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Questions and answers, tokens `[count, n, n]`; no question is an image of another.

    Raises:
        UserError: such mazes are too rare, or there are too few.
    """
    questions = np.zeros((count, kind.side, kind.side), np.uint8)
    answers = np.zeros_like(questions)
    seen: set[bytes] = set()
    attempts = count_from(0)
    for number in track(range(count), "mazes"):
        for maze in (draw_maze(kind, numpy_generator(seed, "maze", next(attempts))) for _ in range(_PATIENCE)):
            key = b"" if maze is None else canonical(maze[0][None]).tolist()[0]
            if maze is not None and key not in seen:
                seen.add(key)
                questions[number], answers[number] = maze
                break
        else:
            raise UserError(
                given=f"{count} mazes of {kind.side}x{kind.side} with a path of at least {kind.min_length} steps and "
                f"{kind.loops} loops: after {number} of them {_PATIENCE} draws in a row gave no new one",
                allowed="mazes that are not too rare, and differ by more than a turn or a mirror image",
                remedy="choose a smaller --min-length, fewer --loops, fewer mazes (--train-size, --test-size) or a "
                "larger --size",
            )
    return questions, answers


def draw_maze(kind: MazeKind, generator: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]] | None:
    """A maze and its answer, tokens `[n, n]`; None where this draw gives none of the kind.

    The start is any free cell, the goal any that is far enough from it in the tree; both uniformly. Then walls are
    opened in random order, wherever one shortest path that is long enough remains.
    """
    side, width = kind.side, kind.side + 2
    rooms = (side + 1) // 2
    tree = spanning_tree(rooms, _directions(generator))
    free, walls = _carve(tree, side, generator)
    cells = np.flatnonzero(free).tolist()
    start = cells[generator.integers(len(cells))]
    steps, _ = search(free, width, start)
    far = [cell for cell in cells if steps[cell] >= kind.min_length]
    if not far:
        return None
    goal = far[generator.integers(len(far))]
    if kind.loops and not _open_loops(free, width, start, goal, generator.permutation(walls).tolist(), kind):
        return None
    path = between(search(free, width, start)[0], search(free, width, goal)[0], goal)
    question = np.where(free, MAZE_FREE, MAZE_WALL).astype(np.uint8)
    question[[start, goal]] = MAZE_START, MAZE_GOAL
    answer = question.copy()
    answer[path] = MAZE_PATH
    return _without_ring(question, width), _without_ring(answer, width)


def spanning_tree(rooms: int, direction: Callable[[], int]) -> list[tuple[int, int]]:
    """A uniformly drawn spanning tree of the `rooms` x `rooms` lattice, as pairs of joined rooms.

    By loop-erased random walks (Wilson 1996): from each room in turn walk until the tree is met, remembering only
    the last step taken from each room, and add the path that these steps make. The first tree is one corner, which
    does not matter to the distribution.

    direction: draws 0..11 uniformly.
    """
    exits = _exits(rooms)
    in_tree = [True] + [False] * (rooms * rooms - 1)
    last_step = [0] * (rooms * rooms)
    joined = []
    for first in range(1, rooms * rooms):
        room = first
        while not in_tree[room]:
            last_step[room] = exits[room][direction()]
            room = last_step[room]
        room = first
        while not in_tree[room]:
            in_tree[room] = True
            joined.append((room, last_step[room]))
            room = last_step[room]
    return joined


@cache
def _exits(rooms: int) -> list[list[int]]:
    """The rooms beside each room, repeated to `_DIRECTIONS` entries."""
    exits = []
    for row, column in product(range(rooms), repeat=2):
        beside = [(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)]
        inside = [r * rooms + c for r, c in beside if 0 <= r < rooms and 0 <= c < rooms]
        exits.append(inside * (_DIRECTIONS // len(inside)))
    return exits


def _directions(generator: np.random.Generator) -> Callable[[], int]:
    """Uniform draws of 0..11, of which thousands are needed."""
    blocks = iter(lambda: generator.integers(0, _DIRECTIONS, 4096).tolist(), None)
    return chain.from_iterable(blocks).__next__


def _carve(tree: list[tuple[int, int]], side: int, generator: np.random.Generator) -> tuple[list[bool], list[int]]:
    """Carve a tree of rooms: the free cells of the ringed maze, and its walls between two rooms."""
    rooms = (side + 1) // 2
    down, right = generator.integers(0, 2 - side % 2, 2).tolist()  # where the spare line of an even side is not
    row, column = np.divmod(np.arange(rooms * rooms), rooms)
    places = np.stack([2 * row + down, 2 * column + right], axis=1)
    one, other = np.array(tree).T
    free, between_rooms = np.zeros((side, side), bool), np.zeros((side, side), bool)
    free[tuple(places.T)] = True
    free[tuple((places[one] + places[other]).T // 2)] = True
    between_rooms[down : down + 2 * rooms - 1 : 2, right + 1 : right + 2 * rooms - 2 : 2] = True
    between_rooms[down + 1 : down + 2 * rooms - 2 : 2, right : right + 2 * rooms - 1 : 2] = True
    return ringed(free), np.flatnonzero(np.pad(between_rooms & ~free, 1)).tolist()


def _open_loops(free: list[bool], width: int, start: int, goal: int, walls: list[int], kind: MazeKind) -> bool:
    """Open `kind.loops` of the walls, in order, in `free`; whether so many can be."""
    opened = 0
    from_start, from_goal = search(free, width, start), search(free, width, goal)
    for wall in walls:
        one, other = (near for near in neighbours(wall, width) if free[near])
        # a path through the new opening comes from either side of it
        lengths, paths = [from_start[0][goal]], [1]
        for before, after in ((one, other), (other, one)):
            lengths.append(from_start[0][before] + 2 + from_goal[0][after])
            paths.append(from_start[1][before] * from_goal[1][after])
        shortest = min(lengths)
        alone = sum(some for length, some in zip(lengths, paths, strict=True) if length == shortest) == 1
        if not alone or shortest < kind.min_length:
            continue
        free[wall] = True
        opened += 1
        if opened == kind.loops:
            return True
        from_start, from_goal = search(free, width, start), search(free, width, goal)
    return False


def _without_ring(cells: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    return cells.reshape(width, width)[1:-1, 1:-1]

"""The 2×2×2 cube: all states, their distances from the solved one, and optimal solutions.

The corner at the meeting of D, B and L is held still, so that a cube has one state whichever way it is held, and the
moves U, R and F reach every state. N states; a state is a number: 729 · (permutation of the other seven corners) +
(their orientation), 7!·3⁶ = 3,674,160 in all; 0 is solved.

Conventions are Kociemba's: place i holds corner p[i], turned clockwise by o[i] thirds, and facelet k of that corner
(clockwise from its U or D facelet) lies on facelet (k + o[i]) mod 3 of the place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from trm_lab.commands.progress import track
from trm_lab.puzzles.cube.tokens import CUBE_FACES

States = NDArray[np.int32]  # [N]

PLACES = ("URF", "UFL", "ULB", "UBR", "DFR", "DLF", "DRB", "DBL")  # faces clockwise; the last never moves
MOVING = 7
ORIENTATION_COUNT = 3**6  # the seventh corner's follows: the sum is a multiple of 3
STATE_COUNT = 5040 * ORIENTATION_COUNT
SOLVED = 0
_FACELETS = (  # of each place: face and number in the face, row by row
    ("U4", "R1", "F2"),
    ("U3", "F1", "L2"),
    ("U1", "L1", "B2"),
    ("U2", "B1", "R2"),
    ("D2", "F4", "R3"),
    ("D1", "L4", "F3"),
    ("D4", "R4", "B3"),
    ("D3", "B4", "L3"),
)
_QUARTER_TURNS = {  # clockwise: place, the place that its corner comes from, thirds of a turn on the way
    "U": (("URF", "UBR", 0), ("UFL", "URF", 0), ("ULB", "UFL", 0), ("UBR", "ULB", 0)),
    "R": (("URF", "DFR", 2), ("UBR", "URF", 1), ("DRB", "UBR", 2), ("DFR", "DRB", 1)),
    "F": (("URF", "UFL", 1), ("UFL", "DLF", 2), ("DLF", "DFR", 1), ("DFR", "URF", 2)),
}
_REPEATS = {"": 1, "2": 2, "'": 3}  # quarter turns
_UNKNOWN = 255  # distance not yet found


@dataclass(frozen=True)
class Metric:
    """A rule for what counts as one move.

    suffixes: of a face's moves.
    distances: how many states are 0, 1, ... moves from solved (the known values).
    """

    suffixes: tuple[str, ...]
    distances: tuple[int, ...]

    @property
    def moves(self) -> list[str]:
        """Names of the moves."""
        return [face + suffix for face in _QUARTER_TURNS for suffix in self.suffixes]

    @property
    def gods_number(self) -> int:
        """The largest distance."""
        return len(self.distances) - 1


METRICS = {
    "half": Metric(
        suffixes=("", "2", "'"), distances=(1, 9, 54, 321, 1847, 9992, 50136, 227536, 870072, 1887748, 623800, 2644)
    ),
    "quarter": Metric(
        suffixes=("", "'"),
        distances=(*(1, 6, 27, 120, 534, 2256, 8969, 33058, 114149, 360508, 930588, 1350852), *(782536, 90280, 276)),
    ),
}


@cache
def cube_in(metric: str) -> "Cube":
    """The cube in one of METRICS; its tables are made once in a process."""
    return Cube(METRICS[metric])


class Cube:
    """Tables of the cube's moves in one metric, and the distances of all states."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        turns = [_turn(move[0], _REPEATS[move[1:]]) for move in metric.moves]
        self._permuted = [rank_permutations(PERMUTATIONS[:, source]) for source, _ in turns]
        self._turned = [rank_orientations((ORIENTATIONS[:, s] + twist) % 3) for s, twist in turns]

    def after(self, states: States, move: int) -> States:
        """The states after a move, the `move`-th of the metric's."""
        permutation, orientation = np.divmod(states, ORIENTATION_COUNT)
        return self._permuted[move][permutation] * ORIENTATION_COUNT + self._turned[move][orientation]

    @cached_property
    def distances(self) -> NDArray[np.uint8]:
        """Moves from solved of every state `[STATE_COUNT]`, by breadth-first search.

        A set of states found this way that is not the whole cube, or of which the known counts per distance are not
        met, is our fault and stops the program.
        """
        distances = np.full(STATE_COUNT, _UNKNOWN, np.uint8)
        distances[SOLVED] = 0
        frontier = np.array([SOLVED], np.int32)
        for distance in track(range(1, self.metric.gods_number + 1), "distances of all states"):
            for move in range(len(self._permuted)):
                reached = self.after(frontier, move)
                distances[reached[distances[reached] == _UNKNOWN]] = distance
            frontier = np.flatnonzero(distances == distance).astype(np.int32)
        assert tuple(np.bincount(distances)) == self.metric.distances, np.bincount(distances)
        return distances

    def solutions(self, states: States) -> NDArray[np.int8]:
        """An optimal solution of each state: moves `[N, God's number]`, −1 after the last.

        Of several, the first in the order of the moves (as words are ordered in a dictionary), so that it depends on
        nothing but the state.
        """
        steps = np.full((len(states), self.metric.gods_number), -1, np.int8)
        states = states.copy()
        for step in range(self.metric.gods_number):
            left = self.distances[states]
            waiting = left > 0
            for move in range(len(self._permuted)):
                rows = np.flatnonzero(waiting)
                after = self.after(states[rows], move)
                nearer = self.distances[after] < left[rows]
                chosen = rows[nearer]
                states[chosen], steps[chosen, step], waiting[chosen] = after[nearer], move, False
        return steps

    @cached_property
    def solution_counts(self) -> NDArray[np.int32]:
        """Number of optimal solutions of every state `[STATE_COUNT]`."""
        counts = np.zeros(STATE_COUNT, np.int32)
        counts[SOLVED] = 1
        for distance in range(1, self.metric.gods_number + 1):
            states = np.flatnonzero(self.distances == distance).astype(np.int32)
            for move in range(len(self._permuted)):
                after = self.after(states, move)
                counts[states] += np.where(self.distances[after] == distance - 1, counts[after], 0)
        return counts


def facelets(states: States) -> NDArray[np.uint8]:
    """Colours `[N, 24]` as indices of CUBE_FACES, facelets in the order of `CUBE_FACES`."""
    permutation, orientation = np.divmod(states, ORIENTATION_COUNT)
    still = np.zeros((len(states), 1), np.uint8)
    corner = np.hstack([PERMUTATIONS[permutation], still + MOVING])  # [N, 8]
    turned = np.hstack([ORIENTATIONS[orientation], still])  # [N, 8]
    colours = np.array([[CUBE_FACES.index(face) for face in place] for place in PLACES], np.uint8)  # [8, 3]
    shown = np.empty((len(states), 24), np.uint8)
    for place, names in enumerate(_FACELETS):
        for k, name in enumerate(names):
            column = 4 * CUBE_FACES.index(name[0]) + int(name[1]) - 1
            shown[:, column] = colours[corner[:, place], (k + 3 - turned[:, place]) % 3]
    return shown


def rank_permutations(rows: NDArray[np.uint8]) -> States:
    """Numbers `[N]` of permutations `[N, 7]`."""
    return _RANK_OF_CODE[rows @ PERMUTATION_WEIGHTS]


def rank_orientations(rows: NDArray[np.uint8]) -> States:
    """Numbers `[N]` of orientations `[N, 7]`."""
    return rows @ ORIENTATION_WEIGHTS


def rank_codes(codes: NDArray[np.int32]) -> States:
    """Numbers of permutations given as the sum of PERMUTATION_WEIGHTS · permutation."""
    return _RANK_OF_CODE[codes]


def _turn(face: str, times: int) -> tuple[NDArray[np.intp], NDArray[np.uint8]]:
    """A move: for each place, the place its corner comes from and the thirds of a turn, each `[7]`."""
    source, twist = np.arange(MOVING), np.zeros(MOVING, np.uint8)
    once_source, once_twist = source.copy(), twist.copy()
    for place, origin, thirds in _QUARTER_TURNS[face]:
        once_source[PLACES.index(place)] = PLACES.index(origin)
        once_twist[PLACES.index(place)] = thirds
    for _ in range(times):
        source, twist = source[once_source], (twist[once_source] + once_twist) % 3
    return source, twist


def _all_orientations() -> NDArray[np.uint8]:
    digits = np.arange(ORIENTATION_COUNT)[:, None] // 3 ** np.arange(MOVING - 1) % 3
    return np.hstack([digits, -digits.sum(axis=1, keepdims=True) % 3]).astype(np.uint8)


def _weights(base: int, places: Sequence[int]) -> NDArray[np.int32]:
    return np.array([base**place for place in places], np.int32)


PERMUTATIONS = np.array(list(permutations(range(MOVING))), np.uint8)  # [5040, 7]; the first is the identity
ORIENTATIONS = _all_orientations()  # [729, 7]
PERMUTATION_WEIGHTS = _weights(MOVING, range(MOVING))  # [7]
ORIENTATION_WEIGHTS = np.append(_weights(3, range(MOVING - 1)), np.int32(0))  # [7]
_RANK_OF_CODE = np.zeros(MOVING**MOVING, np.int32)
_RANK_OF_CODE[PERMUTATIONS @ PERMUTATION_WEIGHTS] = np.arange(len(PERMUTATIONS))

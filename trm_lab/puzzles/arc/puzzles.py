"""From one ARC task to its puzzles: which augmentations to keep, and where their grids lie on the canvas.

K puzzles of a task (itself and its augmentations), N grids of a task, B examples.
"""

import numpy as np
from numpy.typing import NDArray

from trm.randomness import numpy_generator, seed_for
from trm_lab.puzzles.arc.augmentation import IDENTITY_ROW, Table, draw
from trm_lab.puzzles.arc.grids import COLOURS, TRANSFORMS, dihedral
from trm_lab.puzzles.arc.sources import Task

TRIES_PER_AUGMENTATION = 5

_MIX = np.array([0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB], np.uint64)  # of splitmix64


def distinct_augmentations(task: Task, count: int, generator: np.random.Generator) -> Table:
    """The identity, then up to `wanted` draws `[K, 10]`; no two leave the same set of (input, output) pairs.

    Gives up after 5·wanted draws, as published: a task with symmetric grids or few colours has fewer.
    """
    looks = _Looks(task)
    table = IDENTITY_ROW[None]
    for _ in range(TRIES_PER_AUGMENTATION):
        candidates = np.concatenate([table, draw(generator, count)])
        _, first = np.unique(looks.of(candidates), return_index=True)
        table = candidates[np.sort(first)]
        if len(table) > count:
            break
    return table[: count + 1]


class _Looks:
    """A number for what the augmented task looks like, whatever the order of its pairs; equal looks, equal numbers.

    A pair's number is Σ over its cells of (random weight of the cell's place) × (random weight of its colour), plus a
    number of its shapes, all mod 2^64. Adding up the places of each colour beforehand leaves ten products for each
    augmentation in place of a thousand cells. Different looks share a number with a probability of about 2^-60.
    """

    def __init__(self, task: Task) -> None:
        pairs = task.train + task.test
        self._places = np.zeros((TRANSFORMS, len(pairs), COLOURS), np.uint64)
        self._shapes = np.zeros((TRANSFORMS, len(pairs)), np.uint64)
        for turn in range(TRANSFORMS):
            for index, pair in enumerate(pairs):
                turned = [dihedral(grid, turn) for grid in pair.grids()]
                cells = np.concatenate([grid.ravel() for grid in turned])
                sides = np.array([[*grid.shape] for grid in turned]).ravel()
                weights = _weights("places", len(cells))
                for colour in range(COLOURS):
                    self._places[turn, index, colour] = weights[cells == colour].sum()
                self._shapes[turn, index] = (_weights("sides", len(sides)) * sides.astype(np.uint64)).sum()

    def of(self, table: Table) -> NDArray[np.uint64]:
        """`[K]`."""
        turns, recolour = table[:, 0], table.copy()
        recolour[:, 0] = 0
        weights = _weights("colours", COLOURS)[recolour]  # [K, 10]
        pairs = np.einsum("knc,kc->kn", self._places[turns], weights) + self._shapes[turns]  # [K, N]
        return _mixed(pairs).sum(1)


_WEIGHTS: dict[str, NDArray[np.uint64]] = {}


def _weights(purpose: str, count: int) -> NDArray[np.uint64]:
    """The first `count` of a fixed sequence of random odd numbers."""
    if purpose not in _WEIGHTS or len(_WEIGHTS[purpose]) < count:
        drawn = numpy_generator(0, f"look {purpose}").integers(0, 2**64, max(count, 2048), np.uint64)
        _WEIGHTS[purpose] = drawn | np.uint64(1)
    return _WEIGHTS[purpose][:count]


def fixed_shifts(
    seed: int,
    examples: NDArray[np.int64],
    puzzles: NDArray[np.int64],
    places: NDArray[np.int64],
    sizes: NDArray[np.int64],
) -> NDArray[np.float64]:
    """A shift `[B, 2]` in [0, 1) that an example keeps for good; one random example of each puzzle has (0, 0).

    Args:
        seed: of the dataset.
        examples, puzzles: `[B]` their numbers in the dataset.
        places: `[B]` the example's place in its puzzle.
        sizes: `[B]` examples of the puzzle.
    """
    key = np.uint64(seed_for(seed, "translations"))
    drawn = _uniform(key, 2 * examples[:, None] + np.arange(2))
    corner = (_uniform(key ^ _MIX[0], puzzles) * sizes).astype(np.int64)
    return np.where((places == corner)[:, None], 0.0, drawn)


def _uniform(key: np.uint64, numbers: NDArray[np.int64]) -> NDArray[np.float64]:
    """A number in [0, 1) for each of `numbers`."""
    bits = _mixed(numbers.astype(np.uint64) * _MIX[0] + key) >> np.uint64(11)
    return bits.astype(np.float64) * 2.0**-53


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of splitmix64 (Steele et al., 2014): every bit depends on every bit."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * _MIX[1]
    numbers = (numbers ^ (numbers >> np.uint64(27))) * _MIX[2]
    return numbers ^ (numbers >> np.uint64(31))

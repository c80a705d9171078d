"""Splitting the states of the 2×2×2 cube: no state of one split is a symmetric copy of one of the other.

N states, as in `states.py`; a level is the set of states of one distance.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError
from trm.randomness import numpy_generator
from trm_lab.puzzles.cube.states import States


@dataclass(frozen=True)
class Draw:
    """The numbers of states to draw, and their distances from solved.

    lowest, highest: distances, both included.
    uniform: the same number from every level, as far as it has that many; otherwise every state is as likely.
    """

    train_size: int
    test_size: int
    lowest: int
    highest: int
    uniform: bool
    seed: int


def draw_states(draw: Draw, distances: NDArray[np.uint8], classes: States) -> dict[str, States]:
    """The states of "train" and "test", without replacement, in random order.

    Within each level, whole symmetry classes go to one side or the other, in proportion to the sizes asked for.

    Args:
        distances, classes: of every state.

    Raises:
        UserError: a side has fewer states than asked for.
    """
    share = draw.test_size / (draw.test_size + draw.train_size)
    sides: dict[str, list[States]] = {"train": [], "test": []}  # a list of levels
    for distance in range(draw.lowest, draw.highest + 1):
        level = np.flatnonzero(distances == distance).astype(np.int32)
        to_test = _test_side(classes[level], share, numpy_generator(draw.seed, "cube sides", distance))
        sides["train"].append(level[~to_test])
        sides["test"].append(level[to_test])
    sizes = {"train": draw.train_size, "test": draw.test_size}
    return {name: _take(sizes[name], sides[name], name, draw) for name in sides}


def equal_shares(total: int, available: NDArray[np.int64]) -> NDArray[np.int64]:
    """Share `total` among levels `[levels]`: equally many from each, or all that it has."""
    assert total <= available.sum(), (total, available)
    shares, left = np.zeros_like(available), total
    for done, level in enumerate(np.argsort(available, kind="stable")):
        shares[level] = min(available[level], left // (len(available) - done))
        left -= int(shares[level])
    return shares


def _test_side(classes: States, share: float, random: np.random.Generator) -> NDArray[np.bool_]:
    """Choose the states `[N]` of a level that may test: whole classes, about `share` of the states.

    At least one class on each side, unless there is but one; that one trains.
    """
    _, class_of, counts = np.unique(classes, return_inverse=True, return_counts=True)
    order = random.permutation(len(counts))
    needed = int(np.searchsorted(np.cumsum(counts[order]), share * len(classes))) + 1
    chosen = np.zeros(len(counts), bool)
    chosen[order[: min(needed, len(counts) - 1)]] = True
    return chosen[class_of]


def _take(size: int, levels: list[States], name: str, draw: Draw) -> States:
    available = np.array([len(level) for level in levels])
    if size > available.sum():
        raise UserError(
            given=f"--{name}-size {size:,}",
            allowed=f"at most {available.sum():,} states at distances {draw.lowest} to {draw.highest}, once whole "
            "symmetry classes are shared out between the splits",
            remedy="ask for fewer, or for a wider range with --min-distance and --max-distance",
        )
    random = numpy_generator(draw.seed, f"cube {name}")
    if not draw.uniform:
        return random.permutation(np.concatenate(levels))[:size]
    shares = equal_shares(size, available)
    drawn = [random.permutation(level)[:share] for level, share in zip(levels, shares, strict=True)]
    return random.permutation(np.concatenate(drawn))

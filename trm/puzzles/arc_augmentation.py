"""An ARC augmentation: a dihedral transform and a permutation of the colours, and the name that carries both.

K puzzles of a task: itself and its augmentations. N names or sequences, C canvas side.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError
from trm.puzzles.arc_grids import (
    CANVAS,
    COLOURS,
    TRANSFORMS,
    Grid,
    Tokens,
    crop_all,
    dihedral,
    inverse_dihedral,
)

SEPARATOR = "|||"
Table = NDArray[
    np.uint8
]  # [K, 10], an augmentation each: the transform, then the new colours of colours 1..9
IDENTITY_ROW = np.arange(COLOURS, dtype=np.uint8)  # transform 0, and every colour stays

_TAIL = "|||t0|||0123456789"  # what follows the task in a puzzle's name: a digit, and the ten in any order
_TURN, _DIGITS = 4, 8  # where they are in it
_MARKS = [place for place, letter in enumerate(_TAIL) if not letter.isdigit()]
_BAR = SEPARATOR[0]


@dataclass(frozen=True)
class Augmentation:
    """Colours are mapped first, then the grid is turned.

    transform: 0..7, see `arc_grids.dihedral`.
    colours: the new colour of each colour 0..9; a permutation. The ones drawn here leave 0 (black) alone.
    """

    transform: int
    colours: tuple[int, ...]

    def apply(self, grid: Grid) -> Grid:
        """The augmented grid."""
        return dihedral(np.array(self.colours, np.uint8)[grid], self.transform)

    def inverse(self, grid: Grid) -> Grid:
        """The grid that `apply` turns into `grid`."""
        return np.argsort(self.colours).astype(np.uint8)[inverse_dihedral(grid, self.transform)]


IDENTITY = Augmentation(0, tuple(range(COLOURS)))


def parse_name(name: str) -> tuple[str, Augmentation]:
    """The task and the augmentation of a puzzle's name; `IDENTITY` for the name of a task itself.

    Raises:
        UserError: the name holds the separator but no augmentation.
    """
    if SEPARATOR not in name:
        return name, IDENTITY
    match name.split(SEPARATOR):
        case [task, turn, digits] if turn in [f"t{k}" for k in range(TRANSFORMS)] and sorted(digits) == list(
            "0123456789"
        ):
            return task, Augmentation(int(turn[1:]), tuple(map(int, digits)))
    raise UserError(
        given=f"puzzle name {name!r} is no augmentation",
        allowed="<task>, or <task>|||t<0..7>|||<the ten digits in any order>",
        remedy="use the identifiers.json that was written with this dataset",
    )


def parse_names(
    puzzle_names: Sequence[str],
) -> tuple[NDArray[np.str_], NDArray[np.uint8], NDArray[np.uint8]]:
    """`parse_name` of many: tasks `[N]`, transforms `[N]`, new colours of the ten colours `[N, 10]`.

    Raises:
        UserError: a name holds the separator but no augmentation.
    """
    text = np.array(puzzle_names, dtype=np.str_)
    letters = text.view(np.uint32).reshape(len(text), text.itemsize // 4)  # [N, longest]
    lengths = np.strings.str_len(text)
    in_tail = np.maximum(lengths[:, None] + np.arange(-len(_TAIL), 0), 0)
    tails = np.take_along_axis(letters, in_tail, axis=1)
    digits = tails - np.uint32(ord("0"))
    bars = (letters == ord(_BAR)).sum(1)
    augmented = (bars == _TAIL.count(_BAR)) & (digits[:, _TURN] < TRANSFORMS) & _are_all(digits[:, _DIGITS:])
    augmented &= (tails[:, _MARKS] == [ord(_TAIL[place]) for place in _MARKS]).all(1)
    of_task = np.arange(letters.shape[1]) < (lengths - len(_TAIL) * augmented)[:, None]
    tasks = (letters * of_task.astype(np.uint32)).view(text.dtype)[:, 0]
    transforms = np.where(augmented, digits[:, _TURN], 0).astype(np.uint8)
    colours = np.where(augmented[:, None], digits[:, _DIGITS:], IDENTITY_ROW).astype(np.uint8)
    for row in np.flatnonzero((bars > 0) & ~augmented).tolist():  # bars in a task's own name, or a broken one
        tasks[row], one = parse_name(puzzle_names[row])
        transforms[row], colours[row] = one.transform, one.colours
    return tasks, transforms, colours


def _are_all(digits: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Which rows of ten hold every digit."""
    return np.bitwise_or.reduce(np.uint32(1) << digits, axis=1) == (1 << COLOURS) - 1


def grids_shown(
    tokens: Tokens, transforms: NDArray[np.uint8], colours: NDArray[np.uint8], canvas: int = CANVAS
) -> list[Grid]:
    """The grids that sequences `[N, C·C]` show, mapped back through transforms `[N]` and new colours `[N, 10]`."""
    back = np.argsort(colours, axis=1).astype(np.uint8)
    return [
        own[inverse_dihedral(grid, transform)]
        for own, grid, transform in zip(back, crop_all(tokens, canvas), transforms.tolist(), strict=True)
    ]


def draw(generator: np.random.Generator, count: int) -> Table:
    """Uniform augmentations `[count, 10]`, which may repeat: any transform, any permutation of colours 1..9."""
    transforms = generator.integers(0, TRANSFORMS, (count, 1), np.uint8)
    coloured = np.broadcast_to(IDENTITY_ROW[1:], (count, COLOURS - 1))
    return np.hstack([transforms, generator.permuted(coloured, axis=1)])


def names(task: str, table: Table) -> list[str]:
    """The name of each puzzle: the task's own, then `task|||t<transform>|||<10 digits>`."""
    digits = (table[:, 1:] + ord("0")).tobytes().decode()
    width = COLOURS - 1
    starts = [f"{task}{SEPARATOR}t{turn}{SEPARATOR}0" for turn in range(TRANSFORMS)]
    augmented = [
        starts[turn] + digits[at : at + width]
        for turn, at in zip(table[:, 0].tolist(), range(0, len(digits), width), strict=True)
    ]
    return [task, *augmented[1:]]

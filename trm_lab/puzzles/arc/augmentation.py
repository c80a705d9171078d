"""An ARC augmentation: a dihedral transform and a permutation of the colours, and the name that carries both.

K puzzles of a task: itself and its augmentations. N names or sequences, C canvas side.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError, shown
from trm_lab.puzzles.arc.grids import CANVAS, COLOURS, TRANSFORMS, Grid, Tokens, crop_all, dihedral, inverse_dihedral

SEPARATOR = "|||"
Table = NDArray[np.uint8]  # [K, 10], an augmentation each: the transform, then the new colours of colours 1..9
IDENTITY_ROW = np.arange(COLOURS, dtype=np.uint8)  # transform 0, and every colour stays

_TAIL = re.compile(r"t([0-7])\|\|\|([0-9]{10})")  # of a puzzle's name, behind the task and the separator
_IDENTITY_TAIL = "t0|||0123456789"


@dataclass(frozen=True)
class Augmentation:
    """Colours are mapped first, then the grid is turned.

    transform: 0..7, see `grids.dihedral`.
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
    task, separator, tail = name.partition(SEPARATOR)
    if not separator:
        return name, IDENTITY
    match = _TAIL.fullmatch(tail)
    if match is not None and len(set(match[2])) == COLOURS:
        return task, Augmentation(int(match[1]), tuple(map(int, match[2])))
    raise UserError(
        given=f"puzzle name {shown(repr(name))} is no augmentation",
        allowed="<task>, or <task>|||t<0..7>|||<the ten digits in any order>",
        remedy="use the identifiers.json that was written with this dataset",
    )


def parse_names(puzzle_names: Sequence[str]) -> tuple[list[str], NDArray[np.uint8], NDArray[np.uint8]]:
    """`parse_name` of many: tasks, transforms `[N]`, new colours of the ten colours `[N, 10]`.

    Raises:
        UserError: a name holds the separator but no augmentation.
    """
    parts = [name.partition(SEPARATOR) for name in puzzle_names]
    tails = [tail if separator else _IDENTITY_TAIL for _, separator, tail in parts]
    if set(map(len, tails)) <= {len(_IDENTITY_TAIL)}:
        letters = np.frombuffer("".join(tails).encode("ascii", "replace"), np.uint8)
        letters = letters.reshape(-1, len(_IDENTITY_TAIL))
        transforms, colours = letters[:, 1] - np.uint8(ord("0")), letters[:, 5:] - np.uint8(ord("0"))
        usable = (letters[:, [0, 2, 3, 4]] == list(b"t|||")).all() and (transforms < TRANSFORMS).all()
        if usable and (np.sort(colours, axis=1) == IDENTITY_ROW).all():
            return [task for task, _, _ in parts], transforms, colours
    for name in puzzle_names:
        parse_name(name)  # raises at the broken one
    raise AssertionError("a list of names is broken, and none of them is")


def grids_shown(
    tokens: Tokens, transforms: NDArray[np.uint8], colours: NDArray[np.uint8], canvas: int = CANVAS
) -> list[Grid]:
    """The grids that sequences `[N, C·C]` show, mapped back through transforms `[N]` and new colours `[N, 10]`."""
    back = np.argsort(colours, axis=1).astype(np.uint8)
    return [
        colour_back[inverse_dihedral(grid, transform)]
        for colour_back, grid, transform in zip(back, crop_all(tokens, canvas), transforms.tolist(), strict=True)
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

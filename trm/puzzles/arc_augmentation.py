"""An ARC augmentation: a dihedral transform and a permutation of the colours, and the name that carries both.

K puzzles of a task: itself and its augmentations.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError
from trm.puzzles.arc_grids import COLOURS, TRANSFORMS, Grid, dihedral, inverse_dihedral

SEPARATOR = "|||"
Table = NDArray[
    np.uint8
]  # [K, 10], an augmentation each: the transform, then the new colours of colours 1..9
IDENTITY_ROW = np.arange(COLOURS, dtype=np.uint8)  # transform 0, and every colour stays


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

"""An ARC augmentation: a dihedral transform and a permutation of the colours, and the name that carries both."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError
from trm.puzzles.arc_grids import COLOURS, TRANSFORMS, Grid, dihedral, inverse_dihedral

SEPARATOR = "|||"


@dataclass(frozen=True)
class Augmentation:
    """Colours are mapped first, then the grid is turned.

    transform: 0..7, see `arc_grids.dihedral`.
    colours: the new colour of each colour 0..9; a permutation. The ones drawn here leave 0 (black) alone.
    """

    transform: int
    colours: tuple[int, ...]

    def name(self, task: str) -> str:
        """The name of the task's puzzle under this augmentation: `task|||t<transform>|||<10 digits>`."""
        return SEPARATOR.join([task, f"t{self.transform}", "".join(map(str, self.colours))])

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


def draw_augmentations(generator: np.random.Generator, count: int) -> list[Augmentation]:
    """Uniform draws, which may repeat: any transform, any permutation of colours 1..9."""
    transforms: NDArray[np.int64] = generator.integers(0, TRANSFORMS, count)
    coloured = np.broadcast_to(np.arange(1, COLOURS), (count, COLOURS - 1))
    permuted = generator.permuted(coloured, axis=1).tolist()
    return [Augmentation(k, (0, *row)) for k, row in zip(transforms.tolist(), permuted, strict=True)]

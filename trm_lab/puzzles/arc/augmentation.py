"""An ARC augmentation: a dihedral transform and a permutation of the colours, and the name that carries both.

K puzzles of a task: itself and its augmentations. N names or sequences, C canvas side.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError, shown
from trm_lab.puzzles.arc.grids import (
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
        given=f"puzzle name {shown(repr(name))} is no augmentation",
        allowed="<task>, or <task>|||t<0..7>|||<the ten digits in any order>",
        remedy="use the identifiers.json that was written with this dataset",
    )


def parse_names(
    puzzle_names: Sequence[str],
) -> tuple[list[str], NDArray[np.uint8], NDArray[np.uint8]]:
    """`parse_name` of many: tasks, transforms `[N]`, new colours of the ten colours `[N, 10]`.

    Raises:
        UserError: a name holds the separator but no augmentation.
    """
    width = len(_TAIL)
    text = ("\n".join(puzzle_names) + "\n").encode("utf-8", "surrogatepass")
    letters = np.frombuffer(b"\n" * width + text, np.uint8)  # room for a tail before the first name's end
    ends = np.flatnonzero(letters[width:] == ord("\n"))
    if len(ends) != len(puzzle_names):  # no name, or a line break in one
        return _parsed_one_by_one(puzzle_names)
    tails = np.lib.stride_tricks.sliding_window_view(letters, width)[ends]  # [N, 18]
    bars = np.add.reduceat(letters == ord(_BAR), np.append(0, ends[:-1] + width), dtype=np.intp)
    digits = tails - np.uint8(ord("0"))
    augmented = (bars == _TAIL.count(_BAR)) & (digits[:, _TURN] < TRANSFORMS) & _are_all(digits[:, _DIGITS:])
    augmented &= (tails[:, _MARKS] == [ord(_TAIL[place]) for place in _MARKS]).all(1)
    tasks = [
        name[:-width] if cut else name for name, cut in zip(puzzle_names, augmented.tolist(), strict=True)
    ]
    transforms = np.where(augmented, digits[:, _TURN], 0)
    colours = np.where(augmented[:, None], digits[:, _DIGITS:], IDENTITY_ROW)
    for row in np.flatnonzero((bars > 0) & ~augmented).tolist():  # bars in a task's own name, or a broken one
        tasks[row], one = parse_name(puzzle_names[row])
        transforms[row], colours[row] = one.transform, one.colours
    return tasks, transforms, colours


def _are_all(digits: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which rows of ten hold every digit."""
    return np.bitwise_or.reduce(np.uint16(1) << digits.astype(np.uint16), axis=1) == (1 << COLOURS) - 1


def _parsed_one_by_one(
    puzzle_names: Sequence[str],
) -> tuple[list[str], NDArray[np.uint8], NDArray[np.uint8]]:
    parsed = [parse_name(name) for name in puzzle_names]
    colours = np.array([one.colours for _, one in parsed], np.uint8).reshape(-1, COLOURS)
    return [task for task, _ in parsed], np.array([one.transform for _, one in parsed], np.uint8), colours


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

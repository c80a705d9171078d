"""ARC without copies: the tasks' grids and a table of augmentations; an example is made when it is asked for.

    <dataset>/augmentations.npy     uint8 [identifiers, 10]: transform, new colours of 1..9; row = puzzle identifier
    <dataset>/<split>/dataset.json  the published keys, layout "arc_augmented", translations, seed
    <dataset>/<split>/<set>__{cells,shapes,pair_indices,group_indices,first_identifiers}.npy

Groups, puzzles, identifiers and examples are those of the published layout, in the same order.
G groups, P puzzles, N pairs, E examples, B examples asked for, C canvas side, L = C·C tokens.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trm.errors import shown
from trm_lab.puzzles.arc.augmentation import Table
from trm_lab.puzzles.arc.canvas import Grids, lay
from trm_lab.puzzles.arc.grids import COLOURS, TRANSFORMS, VOCAB_SIZE
from trm_lab.puzzles.arc.puzzles import fixed_shifts
from trm_lab.puzzles.arc.sources import Pair
from trm_lab.puzzles.layout import (
    AUGMENTATIONS_FILE,
    LARGEST_METADATA,
    METADATA_FILE,
    MOST,
    PuzzleMetadata,
    check_indices,
    load_array,
    read_json,
)
from trm_lab.puzzles.manifest import changed

LAYOUT = "arc_augmented"
FRESH = "fresh"
TRANSLATIONS = (FRESH, "fixed")
CORNER = "corner"  # of the test split: no translation
LARGEST_CANVAS = 255  # sides of grids are stored as uint8
_ARRAYS = ("cells", "shapes", "pair_indices", "group_indices", "first_identifiers")

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class ArcAugmented:
    """One set of an ARC dataset (see `PuzzleExamples`).

    grids: input and output of pair n are 2n and 2n + 1.
    pair_indices: `[G + 1]`; group g holds pairs [indices[g], indices[g + 1]).
    group_indices: `[G + 1]`; group g holds puzzles [indices[g], indices[g + 1]).
    first_identifiers: `[G]`; the group's puzzles count up from it.
    augmentations: `[identifiers, 10]`.
    canvas: C.  translations: "fresh" (as asked for at each visit), "fixed" (by example, as published) or "corner".
    seed: of fixed translations.
    """

    grids: Grids
    pair_indices: NDArray[np.integer]
    group_indices: NDArray[np.integer]
    first_identifiers: NDArray[np.integer]
    augmentations: Table
    canvas: int
    translations: str
    seed: int

    @cached_property
    def puzzle_identifiers(self) -> NDArray[np.int32]:
        """`[P]`."""
        counts = np.diff(self.group_indices)
        first = np.repeat(self.first_identifiers - self.group_indices[:-1], counts)
        return (first + np.arange(len(first))).astype(np.int32)

    @cached_property
    def puzzle_indices(self) -> NDArray[np.int32]:
        """`[P + 1]`."""
        sizes = np.repeat(np.diff(self.pair_indices), np.diff(self.group_indices))
        return np.concatenate([[0], sizes.cumsum()]).astype(np.int32)

    @property
    def count(self) -> int:
        """E."""
        return int(self.puzzle_indices[-1])

    def tokens(
        self, examples: Integers, puzzles: Integers, shifts: NDArray[np.float64] | None = None
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Inputs and labels `[B, L]`; a hidden output is all PAD. Arguments as in `PuzzleExamples`."""
        groups = np.searchsorted(self.group_indices, puzzles, side="right") - 1
        places = examples - self.puzzle_indices[puzzles]
        inputs = 2 * (self.pair_indices[groups] + places)  # [B] grids
        rows = self.augmentations[self.first_identifiers[groups] + puzzles - self.group_indices[groups]]
        transforms = rows[:, 0]
        colours = rows.copy()
        colours[:, 0] = 0  # black stays
        sides = np.maximum(*(self.grids.turned_shapes(inputs + which, transforms) for which in (0, 1)))
        shift = self._shifts(examples, puzzles, places, np.diff(self.pair_indices)[groups], shifts)
        offsets = (shift * (self.canvas - sides + 1)).astype(np.int32)  # uniform over all at which both fit
        both = lay(
            self.grids,
            np.concatenate([inputs, inputs + 1]),
            np.tile(transforms, 2),
            np.tile(colours, (2, 1)),
            np.tile(offsets, (2, 1)),
            self.canvas,
        )
        return both[: len(inputs)], both[len(inputs) :]

    def _shifts(
        self,
        examples: Integers,
        puzzles: Integers,
        places: Integers,
        sizes: Integers,
        drawn: NDArray[np.float64] | None,
    ) -> NDArray[np.float64]:
        if self.translations == CORNER:
            return np.zeros((len(examples), 2))
        if self.translations == FRESH and drawn is not None:
            return drawn
        return fixed_shifts(self.seed, examples, puzzles, places, sizes)

    def write(self, folder: Path, metadata: PuzzleMetadata) -> None:
        """Write the split's files, `dataset.json` last; the table of augmentations is the whole dataset's."""
        folder.mkdir(parents=True)
        arrays = (
            self.grids.cells,
            self.grids.shapes.reshape(-1, 2, 2),
            self.pair_indices,
            self.group_indices,
            self.first_identifiers,
        )
        for name, array in zip(_ARRAYS, arrays, strict=True):
            np.save(folder / f"all__{name}.npy", array)
        metadata.write(folder, layout=LAYOUT, translations=self.translations, seed=self.seed)


class AugmentedGroups:
    """Collects the groups of a set, then gives the set."""

    def __init__(self) -> None:
        self._pairs: list[Pair] = []
        self._pair_ends, self._puzzle_ends = [0], [0]
        self._first: list[int] = []

    def add(self, pairs: Sequence[Pair], puzzles: int, first_identifier: int) -> None:
        """Append a task: its pairs, and how many puzzles it has."""
        self._pairs += pairs
        self._pair_ends.append(len(self._pairs))
        self._puzzle_ends.append(self._puzzle_ends[-1] + puzzles)
        self._first.append(first_identifier)

    def augmented(self, augmentations: Table, canvas: int, translations: str, seed: int) -> ArcAugmented:
        """The set."""
        grids = Grids.of([grid for pair in self._pairs for grid in (pair.input, pair.output)])
        pairs, puzzles, first = (
            np.array(values, np.int32) for values in (self._pair_ends, self._puzzle_ends, self._first)
        )
        return ArcAugmented(grids, pairs, puzzles, first, augmentations, canvas, translations, seed)


def open_augmented(folder: Path, name: str, metadata: PuzzleMetadata) -> ArcAugmented:
    """Open a set of a split's folder.

    Raises:
        UserError: a file is missing, cut off or disagrees with the others.
    """
    cells, shapes, pair_indices, group_indices, first = (
        load_array(folder / f"{name}__{array}.npy", 3 if array == "shapes" else 1) for array in _ARRAYS
    )
    augmentations = load_array(folder.parent / AUGMENTATIONS_FILE, 2)
    content = read_json(folder / METADATA_FILE, dict, LARGEST_METADATA)
    canvas = math.isqrt(metadata.seq_len)
    translations, seed = content.get("translations"), content.get("seed")
    if translations not in (*TRANSLATIONS, CORNER) or type(seed) is not int:
        problem = f"translations={shown(repr(translations))}, seed={shown(repr(seed))}"
        raise changed(folder / METADATA_FILE, problem)
    if canvas**2 != metadata.seq_len or canvas > LARGEST_CANVAS or metadata.vocab_size < VOCAB_SIZE:
        problem = f"seq_len={metadata.seq_len}, vocab_size={metadata.vocab_size}: not tokens of ARC canvases"
        raise changed(folder / METADATA_FILE, problem)
    _check_grids(folder, name, cells, shapes, canvas)
    _check_table(folder.parent / AUGMENTATIONS_FILE, augmentations, metadata)
    check_indices(folder / f"{name}__pair_indices.npy", pair_indices, len(shapes), "pairs")
    check_indices(folder / f"{name}__group_indices.npy", group_indices, metadata.total_puzzles, "puzzles")
    if not len(pair_indices) == len(group_indices) == len(first) + 1:
        raise changed(folder / f"{name}__first_identifiers.npy", f"{len(first)} groups")
    _check_counted(folder / f"{name}__first_identifiers.npy", first, group_indices, pair_indices, metadata)
    grids = Grids(cells.astype(np.uint8), shapes.reshape(-1, 2).astype(np.uint8))
    table = augmentations.astype(np.uint8)
    pairs, puzzles, starts = (np.array(values) for values in (pair_indices, group_indices, first))
    return ArcAugmented(grids, pairs, puzzles, starts, table, canvas, translations, seed)


def _check_grids(folder: Path, name: str, cells: NDArray[np.integer], shapes: NDArray[np.integer], canvas: int) -> None:
    """Sides are bounded before they are multiplied, since a product of large ones wraps around."""
    file = folder / f"{name}__shapes.npy"
    if shapes.shape[1:] != (2, 2) or not len(shapes) or shapes.min() < 0 or shapes.max() > canvas:
        raise changed(file, f"shapes {shapes.shape} of other grids than fit a canvas of {canvas}")
    sides = shapes.astype(np.int64)  # [N, input or output, rows and columns]
    empty = sides == 0
    if empty[:, 0].any() or (empty[:, 1, 0] != empty[:, 1, 1]).any():
        raise changed(file, "an input without cells, or an output with rows or columns only")
    if int(sides.prod(2).sum()) != len(cells):
        raise changed(file, f"shapes of other grids than the {len(cells)} cells")
    if len(cells) > MOST or cells.min() < 0 or cells.max() >= COLOURS:
        raise changed(folder / f"{name}__cells.npy", f"{len(cells)} cells, not all of them colours")


def _check_table(file: Path, table: NDArray[np.integer], metadata: PuzzleMetadata) -> None:
    if table.shape != (metadata.num_puzzle_identifiers, COLOURS):
        promised = (metadata.num_puzzle_identifiers, COLOURS)
        raise changed(file, f"shape {table.shape} instead of {promised}")
    if table.min() < 0 or table.max() >= COLOURS or table[:, 0].max() >= TRANSFORMS:
        raise changed(file, "no transforms, or no colours")


def _check_counted(
    file: Path,
    first: NDArray[np.integer],
    group_indices: NDArray[np.integer],
    pair_indices: NDArray[np.integer],
    metadata: PuzzleMetadata,
) -> None:
    """Each puzzle has an identifier of its own, so the table, which was checked, bounds what is made of the counts."""
    if metadata.total_puzzles > metadata.num_puzzle_identifiers:
        promised = f"total_puzzles={metadata.total_puzzles}"
        raise changed(file, f"{promised} of num_puzzle_identifiers={metadata.num_puzzle_identifiers}")
    puzzles = np.diff(group_indices.astype(np.int64))
    if first.min() < 0 or first.max() > MOST or (first + puzzles).max() > metadata.num_puzzle_identifiers:
        raise changed(file, f"identifiers beyond num_puzzle_identifiers={metadata.num_puzzle_identifiers}")
    examples = sum(a * b for a, b in zip(puzzles.tolist(), np.diff(pair_indices).tolist(), strict=True))
    if examples > MOST:
        raise changed(file, f"{examples:,} examples, more than the {MOST:,} that can be counted")

"""The category of each example: the family, size or distance that a generator knows, by which scores are told apart.

    <dataset>/manifest.json                   categories: what they are, and the name of each number
    <dataset>/<split>/<set>__categories.npy   [P] the number of each puzzle's category

They change no question and no answer, so a dataset has the same fingerprint with and without them. P puzzles.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trm_lab.puzzles.layout import load_array
from trm_lab.puzzles.manifest import CATEGORIES_END, CategoryNames, changed, read_category_names

MOST_RANGES = 10


@dataclass(frozen=True)
class Categories:
    """The names of categories, and for each split the number `[P]` of each puzzle's category."""

    names: CategoryNames
    numbers: Mapping[str, NDArray[np.integer]]


def by_value(by: str, values: Mapping[str, ArrayLike]) -> Categories:
    """A category for each value that occurs, from the least on.

    by: what the values are, such as "givens".  values: `[P]` whole numbers for each split.
    """
    ordered = np.unique(np.concatenate([np.asarray(of_split) for of_split in values.values()]))
    numbers = {split: np.searchsorted(ordered, np.asarray(of_split)) for split, of_split in values.items()}
    return Categories(CategoryNames(by, [str(value) for value in ordered.tolist()]), numbers)


def by_range(by: str, values: Mapping[str, ArrayLike]) -> Categories:
    """A category for each of at most ten equally wide ranges of values; arguments as for `by_value`.

    The width is the smallest of 1, 2, 5, 10, 20, … that needs no more than ten.
    """
    all_values = np.concatenate([np.asarray(of_split) for of_split in values.values()])
    least, most = int(all_values.min()), int(all_values.max())
    width = next(
        width
        for power in range(20)
        for width in (10**power, 2 * 10**power, 5 * 10**power)
        if most // width - least // width < MOST_RANGES
    )
    if width == 1:
        return by_value(by, values)
    starts = range(least // width * width, most + 1, width)
    numbers = {split: np.asarray(of_split) // width - least // width for split, of_split in values.items()}
    return Categories(CategoryNames(by, [f"{start}–{start + width - 1}" for start in starts]), numbers)


def by_name(by: str, values: Mapping[str, Sequence[str]]) -> Categories:
    """A category for each name, in the order in which they first occur; values: `[P]` names for each split."""
    names = list(dict.fromkeys(name for of_split in values.values() for name in of_split))
    places = {name: number for number, name in enumerate(names)}
    numbers = {split: np.array([places[name] for name in of_split]) for split, of_split in values.items()}
    return Categories(CategoryNames(by, names), numbers)


def write_numbers(folder: Path, numbers: NDArray[np.integer]) -> None:
    """Write the numbers `[P]` of a split's only set."""
    np.save(folder / f"all{CATEGORIES_END}", numbers.astype(np.min_scalar_type(int(numbers.max()))))


def read_numbers(dataset: Path, file: Path, puzzles: int) -> tuple[CategoryNames, NDArray[np.integer]] | None:
    """The names of a dataset's categories and the numbers `[P]` in a set's file; None where it has none.

    Raises:
        UserError: the file is broken, or has other numbers than there are puzzles and names.
    """
    names = read_category_names(dataset)
    if names is None or not file.exists():
        return None
    numbers = load_array(file, 1)
    if len(numbers) != puzzles or numbers.min() < 0 or numbers.max() >= len(names.names):
        raise changed(file, f"{len(numbers)} numbers, of {puzzles} puzzles and {len(names.names)} categories")
    return names, numbers

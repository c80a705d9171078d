"""A puzzle dataset on disk, as HRM and TRM lay it out, and opening one.

    <dataset>/identifiers.json, test_puzzles.json (ARC only)
    <dataset>/<split>/dataset.json, <set>__{inputs,labels,puzzle_identifiers,puzzle_indices,group_indices}.npy

A puzzle is one augmentation of a task with its examples; a group is a task with all of its augmentations.
E examples, P puzzles, G groups, L tokens of an example.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError
from trm.puzzles.manifest import changed

METADATA_FILE = "dataset.json"
IDENTIFIERS_FILE = "identifiers.json"
TEST_PUZZLES_FILE = "test_puzzles.json"
TOKEN_ARRAYS = ("inputs", "labels")
INDEX_ARRAYS = ("puzzle_identifiers", "puzzle_indices", "group_indices")

# {task: {"train" or "test": [{"input" or "output": rows}]}}
TestPuzzles = dict[str, dict[str, list[dict[str, list[list[int]]]]]]
T = TypeVar("T")


@dataclass(frozen=True)
class PuzzleMetadata:
    """What `dataset.json` says about a split; the published keys."""

    pad_id: int
    ignore_label_id: int | None
    blank_identifier_id: int
    vocab_size: int
    seq_len: int
    num_puzzle_identifiers: int
    total_groups: int
    mean_puzzle_examples: float
    total_puzzles: int
    sets: tuple[str, ...]

    def write(self, folder: Path) -> None:
        """Write `dataset.json`."""
        (folder / METADATA_FILE).write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, folder: Path) -> "PuzzleMetadata":
        """Read `dataset.json`; keys beyond the published ones are left to whoever wrote them.

        Raises:
            UserError: not JSON, or a key is missing or of the wrong type.
        """
        file = folder / METADATA_FILE
        content = _read_json(file, dict)
        values: dict[str, Any] = {field.name: content.get(field.name) for field in fields(cls)}
        for name, value in values.items():
            if not _right_type(name, value):
                raise changed(file, f"{name}={value!r}" if name in content else f"lacks {name}")
        return cls(**{**values, "sets": tuple(values["sets"])})


def _right_type(name: str, value: object) -> bool:
    if name == "sets":
        return isinstance(value, list) and bool(value) and all(isinstance(one, str) for one in value)
    if name == "mean_puzzle_examples":
        return isinstance(value, int | float) and value > 0
    if name == "ignore_label_id" and value is None:
        return True
    return type(value) is int and value >= 0


@dataclass(frozen=True)
class PuzzleArrays:
    """The arrays of one set; tokens are memory-mapped and read when indexed.

    inputs, labels: `[E, L]` of any integer type, uint8 as written here.
    puzzle_identifiers: `[P]`.
    puzzle_indices: `[P + 1]`; puzzle p holds examples [indices[p], indices[p + 1]).
    group_indices: `[G + 1]`; group g holds puzzles [indices[g], indices[g + 1]).
    """

    inputs: NDArray[np.integer]
    labels: NDArray[np.integer]
    puzzle_identifiers: NDArray[np.integer]
    puzzle_indices: NDArray[np.integer]
    group_indices: NDArray[np.integer]


@dataclass(frozen=True)
class PuzzleSplit:
    """One split of one dataset."""

    folder: Path
    metadata: PuzzleMetadata
    sets: dict[str, PuzzleArrays]


def open_split(dataset: Path | str, split: str, build_command: str | None = None) -> PuzzleSplit:
    """Open a split; cheap whatever its size, since shapes and indices are checked but no tokens are read.

    Args:
        build_command: what builds this dataset, for the error when it is missing.

    Raises:
        UserError: no such dataset or split; one that is half written or disagrees with itself.
    """
    folder = Path(dataset) / split
    if not (folder / METADATA_FILE).is_file():
        raise _missing(Path(dataset), split, build_command)
    if not (Path(dataset) / IDENTIFIERS_FILE).is_file():
        raise changed(Path(dataset) / IDENTIFIERS_FILE, "missing")
    metadata = PuzzleMetadata.read(folder)
    sets = {name: _open_set(folder, name, metadata) for name in metadata.sets}
    _check_counts(folder, metadata, sets.values())
    return PuzzleSplit(folder, metadata, sets)


def read_identifiers(dataset: Path | str) -> list[str]:
    """The name of each puzzle identifier; 0 is "<blank>"."""
    return _read_json(Path(dataset) / IDENTIFIERS_FILE, list)


def read_test_puzzles(dataset: Path | str) -> TestPuzzles:
    """The tasks that are scored, as published: {task: {"train": pairs, "test": pairs}}; {} for a dataset without.

    A pair is {"input": rows, "output": rows}; a test pair whose answer is hidden has no "output".
    """
    file = Path(dataset) / TEST_PUZZLES_FILE
    return _read_json(file, dict) if file.is_file() else {}


def _check_counts(folder: Path, metadata: PuzzleMetadata, sets: Iterable[PuzzleArrays]) -> None:
    counts = [(len(one.group_indices) - 1, len(one.puzzle_identifiers), len(one.inputs)) for one in sets]
    held = tuple(map(sum, zip(*counts, strict=True)))
    examples = round(metadata.mean_puzzle_examples * metadata.total_puzzles)
    promised = (metadata.total_groups, metadata.total_puzzles, examples)
    if held != promised:
        words = "{} groups, {} puzzles and {} examples"
        problem = f"promises {words.format(*promised)}, but the arrays hold {words.format(*held)}"
        raise changed(folder / METADATA_FILE, problem)


def _open_set(folder: Path, name: str, metadata: PuzzleMetadata) -> PuzzleArrays:
    def load(array: str, dimensions: int) -> NDArray[np.integer]:
        return _load_array(folder / f"{name}__{array}.npy", dimensions, mapped=array in TOKEN_ARRAYS)

    arrays = PuzzleArrays(
        **{array: load(array, 2) for array in TOKEN_ARRAYS},
        **{array: load(array, 1) for array in INDEX_ARRAYS},
    )
    examples = len(arrays.inputs)
    for array in TOKEN_ARRAYS:
        shape = getattr(arrays, array).shape
        if shape != (examples, metadata.seq_len):
            raise changed(
                folder / f"{name}__{array}.npy", f"shape {shape} instead of {(examples, metadata.seq_len)}"
            )
    _check_indices(folder / f"{name}__puzzle_indices.npy", arrays.puzzle_indices, examples, "examples")
    puzzles = len(arrays.puzzle_indices) - 1
    _check_indices(folder / f"{name}__group_indices.npy", arrays.group_indices, puzzles, "puzzles")
    _check_identifiers(
        folder / f"{name}__puzzle_identifiers.npy", arrays.puzzle_identifiers, puzzles, metadata
    )
    return arrays


def _load_array(file: Path, dimensions: int, mapped: bool) -> NDArray[np.integer]:
    try:
        array = np.load(file, mmap_mode="r" if mapped else None, allow_pickle=False)
    except FileNotFoundError as error:
        raise changed(file, "missing") from error
    except (ValueError, EOFError) as error:  # numpy's words for a cut-off or foreign file
        raise changed(file, f"cut off, or no array ({error})") from error
    if array.ndim != dimensions or array.dtype.kind not in "iu":
        raise changed(
            file, f"{array.ndim}-dimensional {array.dtype} instead of {dimensions}-dimensional integers"
        )
    return array


def _check_indices(file: Path, indices: NDArray[np.integer], last: int, of: str) -> None:
    if len(indices) < 2 or indices[0] != 0 or indices[-1] != last or not (np.diff(indices) > 0).all():
        found = f"{indices[0]}..{indices[-1]}" if len(indices) else "nothing"
        raise changed(file, f"holds {found} instead of increasing positions from 0 to the {last} {of}")


def _check_identifiers(
    file: Path, identifiers: NDArray[np.integer], puzzles: int, metadata: PuzzleMetadata
) -> None:
    if len(identifiers) != puzzles:
        raise changed(file, f"{len(identifiers)} identifiers for {puzzles} puzzles")
    low, high = identifiers.min(), identifiers.max()
    if low < 0 or high >= metadata.num_puzzle_identifiers:
        raise changed(
            file, f"identifiers {low}..{high}, of num_puzzle_identifiers={metadata.num_puzzle_identifiers}"
        )


def _read_json(file: Path, kind: type[T]) -> T:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise changed(file, error.strerror or "unreadable") from error
    except ValueError as error:
        raise changed(file, f"not JSON ({error})") from error
    if not isinstance(content, kind):
        raise changed(file, f"not a JSON {kind.__name__}")
    return content


def _missing(dataset: Path, split: str, build_command: str | None) -> UserError:
    found = [path.parent.name for path in sorted(dataset.glob(f"*/{METADATA_FILE}"))]
    if found:
        return UserError(
            given=f"{dataset} has no split {split!r}",
            allowed=f"its splits: {', '.join(found)}",
            remedy=build_command or "name one of these, or build a dataset that has this split",
        )
    return UserError(
        given=f"no dataset at {dataset}",
        allowed=f"a folder with {split}/{METADATA_FILE}",
        remedy=build_command
        or "build it with one of the builders: python -m data.build_<kind>_dataset --help",
    )

"""A puzzle dataset on disk, as HRM and TRM lay it out, and opening one.

    <dataset>/identifiers.json, test_puzzles.json (ARC only)
    <dataset>/<split>/dataset.json, <set>__{inputs,labels,puzzle_identifiers,puzzle_indices,group_indices}.npy

A puzzle is one augmentation of a task with its examples; a group is a task with all of its augmentations.
E examples, P puzzles, G groups, L tokens of an example.
"""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from trm.puzzles.manifest import TOKEN_ARRAYS, changed

METADATA_FILE = "dataset.json"
IDENTIFIERS_FILE = "identifiers.json"
TEST_PUZZLES_FILE = "test_puzzles.json"
AUGMENTATIONS_FILE = "augmentations.npy"  # of a compact ARC dataset (arc_compact.py)
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

    def write(self, folder: Path, **more: object) -> None:
        """Write `dataset.json`, with keys beyond the published ones if there are any."""
        (folder / METADATA_FILE).write_text(json.dumps(asdict(self) | more))

    @classmethod
    def read(cls, folder: Path) -> "PuzzleMetadata":
        """Read `dataset.json`; keys beyond the published ones are left to whoever wrote them.

        Raises:
            UserError: not JSON, or a key is missing or of the wrong type.
        """
        file = folder / METADATA_FILE
        content = read_json(file, dict)
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


class PuzzleExamples(Protocol):
    """The examples of one set, however they are kept."""

    @property
    def puzzle_identifiers(self) -> NDArray[np.integer]:
        """`[P]`."""
        ...

    @property
    def puzzle_indices(self) -> NDArray[np.integer]:
        """`[P + 1]`; puzzle p holds examples [indices[p], indices[p + 1])."""
        ...

    @property
    def group_indices(self) -> NDArray[np.integer]:
        """`[G + 1]`; group g holds puzzles [indices[g], indices[g + 1])."""
        ...

    @property
    def count(self) -> int:
        """E."""
        ...

    def tokens(
        self,
        examples: NDArray[np.int64],
        puzzles: NDArray[np.int64],
        shifts: NDArray[np.float64] | None = None,
    ) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
        """Inputs and labels `[B, L]` of the `examples` `[B]` of these `puzzles` `[B]`.

        shifts: `[B, 2]` in [0, 1), for puzzles that are drawn at another place of the canvas at each visit;
          None where they are not drawn for training.
        """
        ...


@dataclass(frozen=True)
class PuzzleArrays:
    """Examples that were written out; tokens are memory-mapped and read when indexed.

    inputs, labels: `[E, L]` of any integer type, uint8 as written here.
    The rest: see `PuzzleExamples`.
    """

    inputs: NDArray[np.integer]
    labels: NDArray[np.integer]
    puzzle_identifiers: NDArray[np.integer]
    puzzle_indices: NDArray[np.integer]
    group_indices: NDArray[np.integer]

    @property
    def count(self) -> int:
        """E."""
        return len(self.inputs)

    def tokens(
        self,
        examples: NDArray[np.int64],
        puzzles: NDArray[np.int64],
        shifts: NDArray[np.float64] | None = None,
    ) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
        """See `PuzzleExamples`; what was written out stays where it is."""
        return self.inputs[examples], self.labels[examples]


def open_arrays(folder: Path, name: str, metadata: PuzzleMetadata) -> PuzzleArrays:
    """Open a set that was written out; its shapes and indices are checked, but no token is read.

    Raises:
        UserError: a file is missing, cut off or disagrees with the others.
    """

    def load(array: str, dimensions: int) -> NDArray[np.integer]:
        return load_array(folder / f"{name}__{array}.npy", dimensions, mapped=array in TOKEN_ARRAYS)

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
    check_indices(folder / f"{name}__puzzle_indices.npy", arrays.puzzle_indices, examples, "examples")
    puzzles = len(arrays.puzzle_indices) - 1
    check_indices(folder / f"{name}__group_indices.npy", arrays.group_indices, puzzles, "puzzles")
    _check_identifiers(
        folder / f"{name}__puzzle_identifiers.npy", arrays.puzzle_identifiers, puzzles, metadata
    )
    return arrays


def read_identifiers(dataset: Path | str) -> list[str]:
    """The name of each puzzle identifier; 0 is "<blank>"."""
    return read_json(Path(dataset) / IDENTIFIERS_FILE, list)


def read_test_puzzles(dataset: Path | str) -> TestPuzzles:
    """The tasks that are scored, as published: {task: {"train": pairs, "test": pairs}}; {} for a dataset without.

    A pair is {"input": rows, "output": rows}; a test pair whose answer is hidden has no "output".
    """
    file = Path(dataset) / TEST_PUZZLES_FILE
    return read_json(file, dict) if file.is_file() else {}


def load_array(file: Path, dimensions: int, mapped: bool = False) -> NDArray[np.integer]:
    """A dataset's integer array of so many dimensions; UserError for anything else."""
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


def check_indices(file: Path, indices: NDArray[np.integer], last: int, of: str) -> None:
    """UserError unless `indices` rises from 0 to `last`."""
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


def read_json(file: Path, kind: type[T]) -> T:
    """The content of a dataset's JSON file, of this kind; UserError for anything else."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise changed(file, error.strerror or "unreadable") from error
    except ValueError as error:
        raise changed(file, f"not JSON ({error})") from error
    if not isinstance(content, kind):
        raise changed(file, f"not a JSON {kind.__name__}")
    return content

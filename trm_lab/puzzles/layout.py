"""A puzzle dataset on disk, as HRM and TRM lay it out, and opening one.

    <dataset>/identifiers.json, test_puzzles.json (ARC only)
    <dataset>/<split>/dataset.json, <set>__{inputs,labels,puzzle_identifiers,puzzle_indices,group_indices}.npy

A puzzle is one augmentation of a task with its examples; a group is a task with all of its augmentations.
E examples, P puzzles, G groups, L tokens of an example.
"""

import json
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from trm.errors import shown
from trm_lab.files.untrusted import load_json
from trm_lab.files.untrusted_arrays import map_array, rises
from trm_lab.puzzles.manifest import changed

BLANK = "<blank>"  # name of the identifier that no puzzle has
METADATA_FILE = "dataset.json"
IDENTIFIERS_FILE = "identifiers.json"
TEST_PUZZLES_FILE = "test_puzzles.json"
AUGMENTATIONS_FILE = "augmentations.npy"  # of a compact ARC dataset (arc/compact_set.py)

LARGEST_JSON = 128 << 20  # bytes; the identifiers of full ARC-AGI-1 with 1000 augmentations take 27 MB
LARGEST_METADATA = 1 << 20  # bytes
MOST = 2**31 - 1  # groups, puzzles or examples: indices are int32
LARGEST_VOCABULARY = 1 << 16
_SET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")  # it becomes part of file names

# {task: {"train" or "test": [{"input" or "output": rows}]}}
TestPuzzles = dict[str, dict[str, list[dict[str, list[list[int]]]]]]
T = TypeVar("T")


@dataclass(frozen=True)
class PuzzleMetadata:
    """A split's `dataset.json`; the published keys."""

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
        (folder / METADATA_FILE).write_text(json.dumps(asdict(self) | more), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "PuzzleMetadata":
        """Read `dataset.json`; keys beyond the published ones are left to whoever wrote them.

        Raises:
            UserError: not JSON, or a key is missing, of the wrong type or out of range.
        """
        file = folder / METADATA_FILE
        content = read_json(file, dict, LARGEST_METADATA)
        values: dict[str, Any] = {field.name: content.get(field.name) for field in fields(cls)}
        for name, value in values.items():
            if not _right_type(name, value):
                raise changed(file, f"{name}={shown(repr(value))}" if name in content else f"lacks {name}")
        metadata = cls(**{**values, "sets": tuple(values["sets"])})
        _check_ranges(file, metadata)
        return metadata


def _right_type(name: str, value: object) -> bool:
    if name == "sets":
        names = value if isinstance(value, list) else []
        usable = all(isinstance(one, str) and _SET_NAME.fullmatch(one) for one in names)
        return bool(names) and usable and len(set(names)) == len(names)
    if name == "mean_puzzle_examples":
        return type(value) in (int, float) and 0 < value <= MOST  # type: ignore[operator]
    if name == "ignore_label_id" and value is None:
        return True
    return type(value) is int and 0 <= value <= MOST


def _check_ranges(file: Path, metadata: PuzzleMetadata) -> None:
    """UserError for a number that would index beyond an embedding, or that allocates more than the files can fill."""
    if not 0 < metadata.vocab_size <= LARGEST_VOCABULARY:
        raise changed(file, f"vocab_size={metadata.vocab_size}, not in 1..{LARGEST_VOCABULARY}")
    if metadata.seq_len < 1:
        raise changed(file, "seq_len=0: examples without a token")
    if metadata.pad_id >= metadata.vocab_size:
        raise changed(file, f"pad_id={metadata.pad_id} of vocab_size={metadata.vocab_size}")
    if metadata.blank_identifier_id >= metadata.num_puzzle_identifiers:
        given = f"blank_identifier_id={metadata.blank_identifier_id}"
        raise changed(file, f"{given} of num_puzzle_identifiers={metadata.num_puzzle_identifiers}")


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
        self, examples: NDArray[np.int64], puzzles: NDArray[np.int64], shifts: NDArray[np.float64] | None = None
    ) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
        """Inputs and labels `[B, L]` of the `examples` `[B]` of these `puzzles` `[B]`.

        shifts: `[B, 2]` in [0, 1), for puzzles that are drawn at another place of the canvas at each visit;
          None where they are not drawn for training.
        """
        ...


def read_identifiers(dataset: Path | str) -> list[str]:
    """The name of each puzzle identifier; 0 is "<blank>".

    Raises:
        UserError: a broken file, a name that cannot be printed in a line, or one that two identifiers have.
    """
    file = Path(dataset) / IDENTIFIERS_FILE
    names = read_json(file, list)
    _check_names(file, names)
    if len(set(names)) < len(names):
        _check_unique(file, names)
    return names


def read_test_puzzles(dataset: Path | str) -> TestPuzzles:
    """The tasks that are scored, as published: {task: {"train": pairs, "test": pairs}}; {} for a dataset without.

    A pair is {"input": rows, "output": rows}; a test pair whose answer is hidden has no "output". The grids are checked
    by whoever reads them.

    Raises:
        UserError: a broken file, or anything but pairs in it.
    """
    file = Path(dataset) / TEST_PUZZLES_FILE
    if not file.exists():
        return {}
    tasks = read_json(file, dict)
    _check_names(file, list(tasks))
    for name, task in tasks.items():
        parts = [task.get("train", []), task.get("test")] if isinstance(task, dict) else []
        if not parts or not all(isinstance(part, list) for part in parts):
            raise changed(file, f"task {shown(name)} has no list of test pairs")
        if not all(isinstance(pair, dict) and "input" in pair for pair in [*parts[0], *parts[1]]):
            raise changed(file, f"task {shown(name)} has a pair without an input")
    return tasks


def check_identifier_count(dataset: Path, metadata: PuzzleMetadata) -> None:
    """UserError where identifiers.json is too small for the names; to count them would take seconds.

    Each identifier becomes a row of the puzzle embedding, so that the file bounds the table.
    """
    file, count = dataset / IDENTIFIERS_FILE, metadata.num_puzzle_identifiers
    shortest = len('""') * count + len(",") * (count - 1) + len("[]")
    if file.stat().st_size < shortest:
        raise changed(file, f"{file.stat().st_size:,} bytes cannot hold the names of num_puzzle_identifiers={count}")


def _check_names(file: Path, names: list[Any]) -> None:
    if not all(isinstance(name, str) for name in names):
        raise changed(file, "a name that is no text")
    if not "".join(names).isprintable():
        broken = next(name for name in names if not name.isprintable())
        raise changed(file, f"a name with characters that cannot be printed: {shown(broken)}")


def _check_unique(file: Path, names: list[str]) -> None:
    """UserError where two identifiers have one name, unless it is the one of identifiers without a puzzle."""
    seen: dict[str, int] = {}
    for number, name in enumerate(names):
        if name != BLANK and seen.setdefault(name, number) != number:
            raise changed(file, f"identifiers {seen[name]} and {number} are both called {shown(name)}")


def load_array(file: Path, dimensions: int) -> NDArray[np.integer]:
    """A dataset's integer array of so many dimensions, mapped; UserError for anything else."""
    try:
        array = map_array(file)
    except FileNotFoundError as error:
        raise changed(file, "missing") from error
    except ValueError as error:
        raise changed(file, f"no whole .npy array of integers ({error})") from error
    if array.ndim != dimensions:
        raise changed(file, f"{array.ndim}-dimensional {array.dtype} instead of {dimensions}-dimensional integers")
    return array


def check_indices(file: Path, indices: NDArray[np.integer], last: int, of: str) -> None:
    """UserError unless `indices` rises from 0 to `last`."""
    if len(indices) < 2 or indices[0] != 0 or indices[-1] != last or last > MOST or not rises(indices):
        held = f"{indices[0]}..{indices[-1]}" if len(indices) else "nothing"
        raise changed(file, f"holds {held} instead of increasing positions from 0 to the {last} {of}")


def read_json(file: Path, kind: type[T], largest: int = LARGEST_JSON) -> T:
    """The content of a dataset's JSON file of this kind and at most `largest` bytes; UserError for anything else."""
    try:
        content = load_json(file, largest)
    except OSError as error:
        raise changed(file, error.strerror or "unreadable") from error
    except ValueError as error:
        raise changed(file, f"not JSON ({shown(error)})") from error
    if not isinstance(content, kind):
        raise changed(file, f"not a JSON {kind.__name__}")
    return content

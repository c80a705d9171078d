"""Writing a puzzle dataset, all or nothing. Layout and letters as in `layout.py`.

`write_plain_dataset` writes sets whose puzzles share one embedding: every example is a puzzle, and its identifier is
the blank one. Sudoku, mazes, queens, cubes and texts are such sets. ARC is written group by group with `new_dataset`
and `SplitWriter`.
"""

import argparse
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError, shown
from trm_lab.commands.build_command import BuildCommand
from trm_lab.files import folders
from trm_lab.puzzles.categories import Categories, write_numbers
from trm_lab.puzzles.given_tokens import stored_tokens
from trm_lab.puzzles.layout import (
    AUGMENTATIONS_FILE,
    BLANK,
    IDENTIFIERS_FILE,
    METADATA_FILE,
    TEST_PUZZLES_FILE,
    PuzzleMetadata,
)
from trm_lab.puzzles.manifest import (
    MANIFEST_FILE,
    UNFINISHED_FILE,
    About,
    CategoryNames,
    Overlap,
    read_overlap,
    unlisted_arrays,
    write_manifest,
)
from trm_lab.puzzles.row_sums import row_sums
from trm_lab.puzzles.solver_order import write_solver_order
from trm_lab.puzzles.training_rows import overlap, rows_of_arrays

_ROWS_AT_ONCE = 1 << 16
_ROOT_FILES = (IDENTIFIERS_FILE, TEST_PUZZLES_FILE, AUGMENTATIONS_FILE, MANIFEST_FILE, UNFINISHED_FILE)
_ARRAYS = "inputs|labels|puzzle_identifiers|puzzle_indices|group_indices|categories|reveal_order|steps"
_ARRAYS += "|cells|shapes|pair_indices|first_identifiers"  # of compact ARC sets
_IN_A_SPLIT = rf"{re.escape(METADATA_FILE)}|all__({_ARRAYS})\.npy"
_NAMES = rf"{'|'.join(map(re.escape, _ROOT_FILES))}|(train|test)/({_IN_A_SPLIT})?"


def _is_dataset(folder: Path) -> bool:
    """Whether a builder of ours wrote all of it: the published ones write no manifest."""
    splits = [path for path in folder.iterdir() if path.is_dir()]
    whole = bool(splits) and all((split / METADATA_FILE).is_file() for split in splits)
    return whole and (folder / MANIFEST_FILE).is_file() and not _put_there_by_hand(folder)


def _put_there_by_hand(dataset: Path) -> list[Path]:
    """Arrays of a dataset's names that its manifest does not list; [] where it cannot be read and may be built anew."""
    try:
        unlisted = unlisted_arrays(dataset)
    except UserError:
        return []
    return [file for file in unlisted if re.fullmatch(_NAMES, file.relative_to(dataset).as_posix())]


DATASET = folders.Kind("a dataset of our builders", _NAMES, _is_dataset)


@dataclass(frozen=True)
class Examples:
    """The examples of one split.

    inputs, labels: whole numbers `[E, L]`; `write_plain_dataset` stores them as uint8.
    group_sizes: `[G]` consecutive examples in each group (a question with its augmentations); their sum is E.
      None: every example is a group of its own.
    reveal_order: uint8 `[E, L]`, see `solver_order.py`; None where no solver is known.
    """

    inputs: NDArray[Any]
    labels: NDArray[Any]
    group_sizes: NDArray[np.integer] | None = None
    reveal_order: NDArray[np.uint8] | None = None


def build_plain_dataset(
    flags: argparse.Namespace,
    about: About,
    splits: Mapping[str, Examples],
    vocab_size: int,
    allow_overlap: bool = False,
    categories: Categories | None = None,
) -> None:
    """Write a dataset where a builder's flags say, and print what was written.

    flags: with `output_dir`, `overwrite` and `command`, and `steps` of a builder that knows a solver.

    Arguments and errors as for `write_plain_dataset`.
    """
    written = write_plain_dataset(
        flags.output_dir,
        about,
        splits,
        vocab_size=vocab_size,
        overwrite=flags.overwrite,
        allow_overlap=allow_overlap,
        command=flags.command,
        categories=categories,
        steps=getattr(flags, "steps", None),
    )
    print(summary(flags.output_dir, written))


def write_plain_dataset(
    output: Path,
    about: About,
    splits: Mapping[str, Examples],
    *,
    vocab_size: int,
    ignore_label_id: int | None = 0,
    overwrite: bool = False,
    allow_overlap: bool = False,
    command: BuildCommand | None = None,
    categories: Categories | None = None,
    steps: int | None = None,
) -> dict[str, PuzzleMetadata]:
    """Write "train" and "test", all or nothing; return `dataset.json` of each.

    Args:
        ignore_label_id: label token that is not scored.
        command: that built it, for the manifest.
        allow_overlap: a published protocol has test questions in its training set.
        categories: of all examples, if they are told apart.
        steps: M, stored steps of splits with a reveal order; None: none are written.

    Raises:
        UserError: `output` is in use, a question stands in both splits, or see `stored_tokens` for the arrays.
    """
    stored = stored_tokens({name: (split.inputs, split.labels) for name, split in splits.items()}, vocab_size)
    splits = {name: replace(splits[name], inputs=pair[0], labels=pair[1]) for name, pair in stored.items()}
    for name, split in splits.items():
        _check_counts(name, split, categories)
    shared = [] if allow_overlap else shared_questions(splits["train"].inputs, splits["test"].inputs)
    if shared:
        raise UserError(
            given=f"{len(shared):,} questions of the test split stand in the training split too; the first is test "
            f"example {shared[0][0]:,} and training example {shared[0][1]:,}, counted from 0",
            allowed="splits without a common question",
            remedy="take the repeated records out of one of the sources",
        )
    names = None if categories is None else categories.names
    train, test = (
        rows_of_arrays(splits[name].inputs, splits[name].labels, ignore_label_id) for name in ("train", "test")
    )
    in_training = overlap(train, test, about, len(splits["test"].inputs))
    with new_dataset(output, about, overwrite, command, names, in_training) as folder:
        write_identifiers(folder, [BLANK])
        written = {
            name: _write_split(folder / name, split, vocab_size, ignore_label_id) for name, split in splits.items()
        }
        for name, numbers in categories.numbers.items() if categories is not None else ():
            write_numbers(folder / name, numbers)
        for name, split in splits.items():
            if split.reveal_order is not None:
                write_solver_order(folder / name, split.inputs, split.labels, split.reveal_order, steps)
    return written


def _check_counts(name: str, split: Examples, categories: Categories | None) -> None:
    """UserError where groups or categories are not of as many examples as there are."""
    count, sizes = len(split.inputs), split.group_sizes
    counts = {
        "categories": count if categories is None else len(categories.numbers.get(name, ())),
        "examples in its groups": count if sizes is None else int(np.sum(sizes)),
    }
    for what, given in counts.items():
        if given != count:
            raise UserError(
                f"the {name} split: {given} {what}, {count} examples", "as many as examples", "correct them"
            )


def _write_split(folder: Path, split: Examples, vocab_size: int, ignore_label_id: int | None) -> PuzzleMetadata:
    ones = np.ones(len(split.inputs), np.int32)
    writer = SplitWriter(folder, split.inputs.shape[1])
    group_sizes = ones if split.group_sizes is None else split.group_sizes
    writer.add_groups(split.inputs, split.labels, 0 * ones, ones, group_sizes)
    return writer.finish(vocab_size=vocab_size, num_puzzle_identifiers=1, ignore_label_id=ignore_label_id)


def shared_questions(train: NDArray[np.uint8], test: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """The rows of `test` `[E, L]` that are also rows of `train`: (number in test, first number in train)."""
    test_sums, train_sums = row_sums(test), row_sums(train)
    candidates = np.flatnonzero(np.isin(test_sums, train_sums))  # few are left to be compared byte by byte
    first: dict[bytes, int] = {}
    for number in np.flatnonzero(np.isin(train_sums, test_sums[candidates])).tolist():
        first.setdefault(train[number].tobytes(), number)
    keys = ((number, test[number].tobytes()) for number in candidates.tolist())
    return [(number, first[key]) for number, key in keys if key in first]


def summary(output: Path, splits: Mapping[str, PuzzleMetadata]) -> str:
    """Size of a dataset and of its splits, as builders print it at their end."""
    size = sum(file.stat().st_size for file in output.rglob("*") if file.is_file())
    lines = [f"{output}: {size / 1e6:,.1f} MB"]
    for name, metadata in splits.items():
        examples = round(metadata.mean_puzzle_examples * metadata.total_puzzles)
        lines.append(f"  {name}: {metadata.total_groups:,} groups, {examples:,} examples of {metadata.seq_len} tokens")
    return "\n".join([*lines, *in_training_lines(output)])


def in_training_lines(output: Path) -> list[str]:
    """What of a dataset's test split stands in training, as builders print it; [] where its manifest does not say."""
    recorded_overlap = read_overlap(output)
    return [] if recorded_overlap is None else [f"  {recorded_overlap.title}"]


@contextmanager
def new_dataset(
    output: Path | str,
    about: About,
    overwrite: bool = False,
    command: BuildCommand | None = None,
    categories: CategoryNames | None = None,
    in_training: Overlap | None = None,
) -> Iterator[Path]:
    """A folder to write a dataset into, as `folders.new_folder` makes it; the manifest is added at the end.

    command, categories, in_training: as for `write_manifest`.

    Raises:
        UserError: `output` is in use; see `check_output`.
    """
    with folders.new_folder(output, DATASET, overwrite) as partial:
        (partial / UNFINISHED_FILE).touch()
        yield partial
        write_manifest(partial, about, command, categories, in_training)
        (partial / UNFINISHED_FILE).unlink()


def check_output(output: Path, overwrite: bool) -> None:
    """Check that a dataset may be written at `output`, before anything is computed; see `folders.check_output`.

    Raises:
        UserError: also for a dataset beside which an order or steps were put by hand, which would be lost.
    """
    for file in _put_there_by_hand(output)[:1] if overwrite else ():
        raise UserError(
            given=f"{shown(file)} was put into the dataset after it was built, and would be lost",
            allowed="a dataset that holds nothing but what its builder wrote",
            remedy="move the file elsewhere first, or choose another --output-dir",
        )
    folders.check_output(output, DATASET, overwrite)


def write_identifiers(dataset: Path, names: Sequence[str]) -> None:
    """Write `identifiers.json`; `names[0]` is `BLANK`."""
    (dataset / IDENTIFIERS_FILE).write_text(json.dumps(list(names)), encoding="utf-8")


class SplitWriter:
    """One split with the one set "all", written group by group to `folder`; constant memory in E."""

    def __init__(self, folder: Path, seq_len: int) -> None:
        folder.mkdir(parents=True)
        self.folder, self.seq_len = folder, seq_len
        self._tokens = {name: _RowFile(self._file(name), seq_len) for name in ("inputs", "labels")}
        self._identifiers: list[NDArray[np.int32]] = []
        self._puzzle_ends: list[NDArray[np.int32]] = [np.zeros(1, np.int32)]
        self._group_ends: list[NDArray[np.int32]] = [np.zeros(1, np.int32)]
        self.puzzles = self.groups = 0  # written so far

    @property
    def examples(self) -> int:
        """Examples written so far."""
        return self._tokens["inputs"].rows

    def add_groups(
        self,
        inputs: NDArray[np.uint8],
        labels: NDArray[np.uint8],
        puzzle_identifiers: Sequence[int] | NDArray[np.integer],
        puzzle_sizes: Sequence[int] | NDArray[np.integer],
        group_sizes: Sequence[int] | NDArray[np.integer],
    ) -> None:
        """Append groups.

        Args:
            inputs, labels: tokens `[E, L]` of the groups' examples, puzzle after puzzle.
            puzzle_identifiers: `[P]`.
            puzzle_sizes: `[P]` examples in each puzzle, at least 1; their sum is E.
            group_sizes: `[G]` puzzles in each group, at least 1; their sum is P.
        """
        assert inputs.shape == labels.shape == (sum(puzzle_sizes), self.seq_len)
        assert len(puzzle_identifiers) == len(puzzle_sizes) == sum(group_sizes) > 0
        self._puzzle_ends.append((self.examples + np.cumsum(puzzle_sizes)).astype(np.int32))
        self._identifiers.append(np.asarray(puzzle_identifiers, np.int32))
        self._group_ends.append((self.puzzles + np.cumsum(group_sizes)).astype(np.int32))
        self.puzzles, self.groups = self.puzzles + len(puzzle_sizes), self.groups + len(group_sizes)
        self._tokens["inputs"].append(inputs)
        self._tokens["labels"].append(labels)

    def add_group(
        self,
        inputs: NDArray[np.uint8],
        labels: NDArray[np.uint8],
        puzzle_identifiers: Sequence[int] | NDArray[np.integer],
        puzzle_sizes: Sequence[int] | NDArray[np.integer],
    ) -> None:
        """Append one group; arguments as for `add_groups`."""
        self.add_groups(inputs, labels, puzzle_identifiers, puzzle_sizes, [len(puzzle_sizes)])

    def finish(
        self,
        *,
        vocab_size: int,
        num_puzzle_identifiers: int,
        pad_id: int = 0,
        ignore_label_id: int | None = 0,
        blank_identifier_id: int = 0,
    ) -> PuzzleMetadata:
        """Write the indices and, last of all, `dataset.json`; return what it says."""
        for rows in self._tokens.values():
            rows.close()
        np.save(self._file("puzzle_identifiers"), np.concatenate(self._identifiers))
        np.save(self._file("puzzle_indices"), np.concatenate(self._puzzle_ends))
        np.save(self._file("group_indices"), np.concatenate(self._group_ends))
        metadata = PuzzleMetadata(
            pad_id=pad_id,
            ignore_label_id=ignore_label_id,
            blank_identifier_id=blank_identifier_id,
            vocab_size=vocab_size,
            seq_len=self.seq_len,
            num_puzzle_identifiers=num_puzzle_identifiers,
            total_groups=self.groups,
            mean_puzzle_examples=self.examples / self.puzzles,
            total_puzzles=self.puzzles,
            sets=("all",),
        )
        metadata.write(self.folder)
        return metadata

    def _file(self, array: str) -> Path:
        return self.folder / f"all__{array}.npy"


class _RowFile:
    """A uint8 array `[rows, L]` in a .npy file that grows row by row; its header is right once it is closed."""

    def __init__(self, file: Path, seq_len: int) -> None:
        self.rows, self._seq_len = 0, seq_len
        self._stream: BinaryIO = file.open("wb")
        self._write_header()
        self._start = self._stream.tell()

    def append(self, rows: NDArray[np.uint8]) -> None:
        assert rows.dtype == np.uint8, rows.dtype
        self._stream.write(np.ascontiguousarray(rows).data)
        self.rows += len(rows)

    def close(self) -> None:
        self._stream.seek(0)
        self._write_header()
        assert self._stream.tell() == self._start  # numpy leaves room in the header for a growing first axis
        self._stream.close()

    def _write_header(self) -> None:
        header = {"descr": "|u1", "fortran_order": False, "shape": (self.rows, self._seq_len)}
        np.lib.format.write_array_header_1_0(self._stream, header)

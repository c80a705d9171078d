"""Several puzzle datasets opened as one: what they must agree on, and what they hold together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError
from trm_lab.puzzles.categories import read_numbers
from trm_lab.puzzles.layout import (
    AUGMENTATIONS_FILE,
    BLANK,
    IDENTIFIERS_FILE,
    PuzzleExamples,
    PuzzleMetadata,
    TestPuzzles,
    read_identifiers,
    read_test_puzzles,
)
from trm_lab.puzzles.manifest import (
    CATEGORIES_END,
    MANIFEST_FILE,
    About,
    CategoryNames,
    changed,
    check_files,
    fingerprint,
)
from trm_lab.puzzles.splits import PuzzleArrays, PuzzleSplit, open_split

_LOOKED_THROUGH = 256 << 20  # bytes of a token array of a dataset with a manifest
AGREE = ("seq_len", "vocab_size", "pad_id", "ignore_label_id", "blank_identifier_id", "sets")


@dataclass(frozen=True)
class PuzzleSet:
    """One set of one dataset. The second dataset's sets have 1 after their names, and so on, as published.

    about: what the dataset says of itself; None without a manifest.
    prefix: what the names of the set's files begin with, `<dataset>/<split>/<set>`.
    """

    name: str
    dataset: Path
    examples: PuzzleExamples
    about: About | None
    prefix: Path

    @cached_property
    def categories(self) -> tuple[CategoryNames, NDArray[np.integer]] | None:
        """Names of the categories of puzzles, and the number `[P]` of each puzzle's; None without categories.

        Raises:
            UserError: a broken file.
        """
        return read_numbers(self.dataset, self.file(CATEGORIES_END), len(self.examples.puzzle_identifiers))

    def file(self, end: str) -> Path:
        """The set's file whose name ends so, whether it exists or not."""
        return self.prefix.with_name(self.prefix.name + end)

    def owners(self, examples: NDArray[np.int64]) -> NDArray[np.int64]:
        """The puzzles `[b]` that examples `[b]` belong to."""
        return np.searchsorted(self.examples.puzzle_indices, examples, side="right") - 1

    def groups(self, examples: NDArray[np.int64]) -> NDArray[np.int64]:
        """The groups `[b]` that examples `[b]` belong to."""
        return np.searchsorted(self.examples.group_indices, self.owners(examples), side="right") - 1


class PuzzleData:
    """One split of one or more datasets.

    Identifiers are not renumbered: num_puzzle_identifiers is the largest of the datasets' (published: their sum,
    whose upper rows nothing points to), so a second dataset with names of its own has to be built with a later
    --puzzle-identifiers-start.

    Args:
        paths: the datasets' folders.
        split: "train" or "test".
        build_command: what builds a missing dataset, for the error.

    Raises:
        UserError: none given, one missing or broken, or they disagree.
    """

    def __init__(self, paths: Sequence[Path | str], split: str, build_command: str | None = None) -> None:
        if not paths:
            raise UserError("data_paths=[] names no dataset", "one or more dataset folders", "set data_paths")
        self.paths, self.split = [Path(path) for path in paths], split
        self._splits = [open_split(path, split, build_command) for path in self.paths]
        self._abouts = [_verified(path) for path in self.paths]
        for opened, about in zip(self._splits, self._abouts, strict=True):
            _check_whole(opened, about)
        _check_agreement(self._splits)
        if len(self.paths) > 1:
            _check_different(self.paths)
            check_identifiers(self.paths)
        self.metadata = _together([split.metadata for split in self._splits])
        self.sets = [
            PuzzleSet(f"{name}{number or ''}", opened.dataset, opened.sets[name], about, opened.folder / name)
            for name in self.metadata.sets
            for number, (opened, about) in enumerate(zip(self._splits, self._abouts, strict=True))
        ]

    @property
    def total_groups(self) -> int:
        """Groups over all datasets."""
        return self.metadata.total_groups

    @property
    def mean_puzzle_examples(self) -> float:
        """Examples of a puzzle, averaged over all puzzles."""
        return self.metadata.mean_puzzle_examples

    @cached_property
    def described(self) -> list[dict[str, Any]]:
        """Each dataset as a score names it: name, version, protocol, fingerprint, split and the path given.

        What counts is the fingerprint; a dataset without a manifest has its folder's name, and version 0.
        """
        return [
            {
                "name": path.name if about is None else about.name,
                "version": 0 if about is None else about.version,
                "protocol": "unknown" if about is None else about.protocol,
                "fingerprint": fingerprint(path),
                "split": self.split,
                "path": str(path),
            }
            for path, about in zip(self.paths, self._abouts, strict=True)
        ]

    @cached_property
    def identifiers(self) -> list[str]:
        """The name of each puzzle identifier.

        Raises:
            UserError: a dataset's identifiers.json is broken.
        """
        names = [BLANK] * self.metadata.num_puzzle_identifiers
        for split in self._splits:
            for identifier, name in enumerate(_checked_names(split)):
                if name != BLANK:
                    names[identifier] = name
        return names

    @cached_property
    def test_puzzles(self) -> TestPuzzles:
        """The scored tasks of all datasets; {} for puzzles other than ARC.

        Raises:
            UserError: a broken file, or two datasets with different tasks of one name.
        """
        tasks: TestPuzzles = {}
        for path in self.paths:
            for name, task in read_test_puzzles(path).items():
                if tasks.setdefault(name, task) != task:
                    raise UserError(
                        given=f"task {name} of {path} differs from the one of an earlier dataset",
                        allowed="one content for one task name",
                        remedy="evaluate these datasets one at a time",
                    )
        return tasks


def _verified(dataset: Path) -> About | None:
    """Check a dataset's files against its manifest, if it has one, and return what that says."""
    about = check_files(dataset)
    if about is None and (dataset / AUGMENTATIONS_FILE).exists():
        raise changed(dataset / MANIFEST_FILE, "missing")
    return about


def _check_whole(split: PuzzleSplit, about: About | None) -> None:
    """UserError for tokens or names that would end a run hours later.

    Large token arrays of a dataset with a manifest, whose bytes are those that were built, are checked batch by batch:
    even a stranger's manifest then causes nothing worse than an error.
    """
    if about is None:
        _checked_names(split)
    for examples in split.sets.values():
        if isinstance(examples, PuzzleArrays) and (about is None or examples.inputs.nbytes <= _LOOKED_THROUGH):
            examples.check_all()


def _checked_names(split: PuzzleSplit) -> list[str]:
    """The names of a dataset's identifiers; UserError unless there is one for each, and no name twice."""
    names = read_identifiers(split.dataset)
    if len(names) != split.metadata.num_puzzle_identifiers:
        raise UserError(
            given=f"{split.dataset / IDENTIFIERS_FILE} holds {len(names)} names",
            allowed=f"num_puzzle_identifiers={split.metadata.num_puzzle_identifiers} of {split.folder}",
            remedy="build the dataset again",
        )
    return names


def _check_different(paths: Sequence[Path]) -> None:
    """UserError where two paths name one dataset, whose examples would then count twice."""
    first: dict[str, Path] = {}
    for path in paths:
        other = first.setdefault(fingerprint(path), path)
        if other is not path:
            raise UserError(
                given=f"{other} and {path} are the same dataset",
                allowed="each dataset once",
                remedy="leave one of them out",
            )


def _check_agreement(splits: Sequence[PuzzleSplit]) -> None:
    for key in AGREE:
        values = [getattr(split.metadata, key) for split in splits]
        if any(value != values[0] for value in values):
            each = ", ".join(f"{value} in {split.folder}" for value, split in zip(values, splits, strict=True))
            raise UserError(
                given=f"the datasets disagree on {key}: {each}",
                allowed=f"datasets with the same {', '.join(AGREE)}",
                remedy="train on them one at a time, or build them alike",
            )


def check_identifiers(paths: Sequence[Path]) -> None:
    """UserError where an identifier means two puzzles, which would then share one embedding."""
    owners: dict[int, tuple[str, Path]] = {}
    for path in paths:
        names = read_identifiers(path)
        for identifier, name in enumerate(names):
            if name == BLANK:
                continue
            earlier_name, earlier_path = owners.setdefault(identifier, (name, path))
            if earlier_name != name:
                meanings = f"{earlier_name!r} in {earlier_path} and {name!r} in {path}"
                raise UserError(
                    given=f"puzzle identifier {identifier} is {meanings}",
                    allowed="datasets whose identifiers mean the same puzzles, or do not overlap",
                    remedy=f"build {path} with --puzzle-identifiers-start {max(owners) + 1}",
                )


def _together(parts: Sequence[PuzzleMetadata]) -> PuzzleMetadata:
    puzzles = sum(part.total_puzzles for part in parts)
    examples = sum(part.mean_puzzle_examples * part.total_puzzles for part in parts)
    return replace(
        parts[0],
        num_puzzle_identifiers=max(part.num_puzzle_identifiers for part in parts),
        total_groups=sum(part.total_groups for part in parts),
        total_puzzles=puzzles,
        mean_puzzle_examples=parts[0].mean_puzzle_examples if len(parts) == 1 else examples / puzzles,
    )

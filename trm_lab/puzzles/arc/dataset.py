"""Building the ARC dataset of HRM and TRM: which pairs train and which are scored, and their augmentations.

The semantics are the published builder's; the random draws are our own, so that puzzles agree in kind, not in number.
Departures: a task name in two subsets is an error (published: two groups that share identifiers, and test
answers in training); a pair whose output is hidden is left out of training (published: trained towards one black cell).
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from trm.errors import UserError
from trm.randomness import numpy_generator
from trm_lab.commands.build_command import BuildCommand
from trm_lab.commands.progress import track
from trm_lab.puzzles.arc.augmentation import names
from trm_lab.puzzles.arc.compact_set import CORNER, ArcAugmented, AugmentedGroups
from trm_lab.puzzles.arc.grids import CANVAS, COLOURS, PAD, VOCAB_SIZE, grid_hash
from trm_lab.puzzles.arc.puzzles import distinct_augmentations
from trm_lab.puzzles.arc.sources import Pair, Task
from trm_lab.puzzles.arc.training_grids import overlap
from trm_lab.puzzles.layout import AUGMENTATIONS_FILE, BLANK, TEST_PUZZLES_FILE, PuzzleMetadata, TestPuzzles
from trm_lab.puzzles.manifest import About, Overlap
from trm_lab.puzzles.writer import SplitWriter, check_output, new_dataset, write_identifiers

VERSION = 2  # of what the same options give
ReadSubset = Callable[[str, int | None], list[Task]]  # subset, largest grid side or None → tasks


@dataclass(frozen=True)
class ArcBuild:
    """The recipe of an ARC dataset.

    subsets: in the order in which their tasks are written.
    test_subsets: the ones whose test pairs are held out and scored.
    num_aug: most augmentations of a task.
    first_identifier: the first puzzle's; more than 1 leaves room for another dataset's.
    max_grid_size: keep only tasks whose grids all fit this side, on a canvas of this side; None is 30, and no choosing.
    translations: of training examples on the canvas: "fresh" at each visit, or "fixed" by example, as published.
    materialize: write every example out, as published; needs fixed translations.
    """

    subsets: tuple[str, ...]
    test_subsets: tuple[str, ...]
    num_aug: int = 1000
    seed: int = 42
    first_identifier: int = 1
    max_grid_size: int | None = None
    translations: str = "fresh"
    materialize: bool = False

    @property
    def canvas(self) -> int:
        """The side of the canvas."""
        return self.max_grid_size or CANVAS


@dataclass(frozen=True)
class ArcSummary:
    """`dataset.json` of each split that was built, and the number of hidden pairs that training goes without."""

    train: PuzzleMetadata
    test: PuzzleMetadata
    hidden_pairs: int


def build_arc_dataset(
    build: ArcBuild,
    read_subset: ReadSubset,
    output: Path | str,
    overwrite: bool = False,
    command: BuildCommand | None = None,
) -> ArcSummary:
    """Read, check, augment and write; nothing is written before everything is read and checked.

    command: for the manifest.

    Raises:
        UserError: unusable options, sources or output folder.
    """
    check_output(Path(output), overwrite)
    _check_subsets(build)
    if build.materialize and build.translations != "fixed":
        raise UserError(
            given=f"--materialize with --translations {build.translations}",
            allowed="fixed translations where every example is written out",
            remedy="leave --translations out, or leave --materialize out",
        )
    subsets = _read_tasks(build, read_subset)
    about, in_training = _about(build, subsets), _overlap(build, subsets)
    with new_dataset(output, about, overwrite, command, in_training=in_training) as folder:
        return _Writer(build, folder).write(subsets)


def _about(build: ArcBuild, subsets: Mapping[str, Sequence[Task]]) -> About:
    facts = {
        "tasks_sha256": _digest(subsets),
        "subsets": list(build.subsets),
        "scored": list(build.test_subsets),
        "num_aug": build.num_aug,
        "seed": build.seed,
        "canvas": build.canvas,
        "translations": build.translations,
    }
    return About("arc", VERSION, "published", facts=facts)


def _overlap(build: ArcBuild, subsets: Mapping[str, Sequence[Task]]) -> Overlap:
    trained: list[Pair] = []
    scored: list[Pair] = []
    for subset, tasks in subsets.items():
        tests = scored if subset in build.test_subsets else trained
        for task in tasks:
            trained += task.train
            tests += task.test
    return overlap(trained, scored, augmented=build.num_aug > 0)


def _digest(subsets: Mapping[str, Sequence[Task]]) -> str:
    """SHA-256 over every task's name and grids, independent of where they were read from."""
    digest = hashlib.sha256()
    for task in sorted((task for tasks in subsets.values() for task in tasks), key=lambda task: task.name):
        digest.update(task.name.encode())
        for pair in task.train + task.test:
            for grid in pair.grids():
                digest.update(grid_hash(grid).encode())
    return digest.hexdigest()


def _check_subsets(build: ArcBuild) -> None:
    if len(set(build.subsets)) < len(build.subsets):
        raise UserError(
            given=f"--subsets {' '.join(build.subsets)} names a subset twice",
            allowed="each subset once",
            remedy="leave the second one out",
        )
    for name in build.test_subsets:
        if name not in build.subsets:
            raise UserError(
                given=f"the test set {name!r} is not among the subsets {', '.join(build.subsets)}",
                allowed="a test set that is one of --subsets",
                remedy=f"add {name} to --subsets, or name another --test-set-name",
            )


def _read_tasks(build: ArcBuild, read_subset: ReadSubset) -> dict[str, list[Task]]:
    largest = CANVAS if build.max_grid_size is None else None
    subsets = {subset: read_subset(subset, largest) for subset in build.subsets}
    _check_names(subsets)
    if build.max_grid_size is not None:
        subsets = {
            subset: [task for task in tasks if task.largest_side() <= build.canvas] for subset, tasks in subsets.items()
        }
    if not any(subsets[subset] for subset in build.test_subsets):
        raise UserError(
            given=f"no task of {', '.join(build.test_subsets)} has only grids of {build.canvas}x{build.canvas} or less",
            allowed="at least one task to score",
            remedy="raise --max-grid-size",
        )
    return subsets


def _check_names(subsets: Mapping[str, Sequence[Task]]) -> None:
    first_seen: dict[str, str] = {}
    for subset, tasks in subsets.items():
        twice = [task.name for task in tasks if task.name in first_seen]
        if twice:
            other = first_seen[twice[0]]
            raise UserError(
                given=f"{len(twice)} tasks of {subset} are in other subsets too, such as {twice[0]} in {other}",
                allowed="a task in one subset only: else it counts twice, and answers of a test set may be trained on",
                remedy=f"leave {subset} or {other} out of --subsets (ARC-AGI-2 contains most of ARC-AGI-1)",
            )
        first_seen |= {task.name: subset for task in tasks}


class _Writer:
    """Writes the tasks of all subsets to a new dataset folder."""

    def __init__(self, build: ArcBuild, folder: Path) -> None:
        self.build, self.folder = build, folder
        self.groups = {"train": AugmentedGroups(), "test": AugmentedGroups()}
        self.names = [BLANK] * build.first_identifier
        self.tables = [np.zeros((build.first_identifier, COLOURS), np.uint8)]
        self.hidden_pairs = 0

    def write(self, subsets: Mapping[str, Sequence[Task]]) -> ArcSummary:
        ordered = [(subset, task) for subset in subsets for task in self._shuffled(subset, subsets[subset])]
        for subset, task in track(ordered, "augmenting tasks"):
            self._add_task(task, scored=subset in self.build.test_subsets)
        write_identifiers(self.folder, self.names)
        scored = [task for subset, task in ordered if subset in self.build.test_subsets]
        (self.folder / TEST_PUZZLES_FILE).write_text(json.dumps(_as_published(scored)), encoding="utf-8")
        table = np.concatenate(self.tables)
        if not self.build.materialize:
            np.save(self.folder / AUGMENTATIONS_FILE, table)
        train, test = (
            self._write_split(name, groups.augmented(table, self.build.canvas, translations, self.build.seed))
            for (name, groups), translations in zip(self.groups.items(), (self.build.translations, CORNER), strict=True)
        )
        return ArcSummary(train, test, self.hidden_pairs)

    def _shuffled(self, subset: str, tasks: Sequence[Task]) -> list[Task]:
        """In an order that depends on the seed, but not on the order in the source."""
        by_name = sorted(tasks, key=lambda task: task.name)
        order = numpy_generator(self.build.seed, f"task order of {subset}").permutation(len(by_name))
        return [by_name[index] for index in order]

    def _add_task(self, task: Task, scored: bool) -> None:
        generator = numpy_generator(self.build.seed, f"puzzles of {task.name}")
        table = distinct_augmentations(task, self.build.num_aug, generator)
        first = len(self.names)
        self.names += names(task.name, table)
        self.tables.append(table)
        pairs = task.train if scored else task.train + self._shown(task.test)
        self.groups["train"].add(pairs, len(table), first)
        if scored:
            self.groups["test"].add(task.test, len(table), first)

    def _shown(self, pairs: tuple[Pair, ...]) -> tuple[Pair, ...]:
        shown_pairs = tuple(pair for pair in pairs if pair.output is not None)
        self.hidden_pairs += len(pairs) - len(shown_pairs)
        return shown_pairs

    def _write_split(self, name: str, split: ArcAugmented) -> PuzzleMetadata:
        if self.build.materialize:
            return _materialize(self.folder / name, split, len(self.names))
        puzzles = len(split.puzzle_identifiers)
        metadata = PuzzleMetadata(
            pad_id=PAD,
            ignore_label_id=PAD,
            blank_identifier_id=0,
            vocab_size=VOCAB_SIZE,
            seq_len=self.build.canvas**2,
            num_puzzle_identifiers=len(self.names),
            total_groups=len(split.first_identifiers),
            mean_puzzle_examples=split.count / puzzles,
            total_puzzles=puzzles,
            sets=("all",),
        )
        split.write(self.folder / name, metadata)
        return metadata


def _materialize(folder: Path, split: ArcAugmented, num_puzzle_identifiers: int) -> PuzzleMetadata:
    """Write every example out, in the published layout."""
    writer = SplitWriter(folder, split.canvas**2)
    bounds = list(pairwise(split.group_indices.tolist()))
    for first, end in track(bounds, f"writing the {folder.name} split"):
        puzzles, sizes = np.arange(first, end), np.diff(split.puzzle_indices[first : end + 1])
        examples = np.arange(split.puzzle_indices[first], split.puzzle_indices[end])
        tokens = split.tokens(examples, np.repeat(puzzles, sizes))
        writer.add_group(*tokens, split.puzzle_identifiers[first:end], sizes)
    return writer.finish(vocab_size=VOCAB_SIZE, num_puzzle_identifiers=num_puzzle_identifiers)


def _as_published(tasks: Sequence[Task]) -> TestPuzzles:
    return {
        task.name: {
            part: [_pair_json(pair) for pair in pairs] for part, pairs in (("train", task.train), ("test", task.test))
        }
        for task in tasks
    }


def _pair_json(pair: Pair) -> dict[str, list[list[int]]]:
    shown = {"input": pair.input.tolist()}
    if pair.output is not None:
        shown["output"] = pair.output.tolist()
    return shown

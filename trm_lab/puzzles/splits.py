"""Opening a split of a dataset: its metadata and the examples of its sets, either written out or made when drawn.

    <dataset>/<split>/<set>__{inputs,labels,puzzle_identifiers,puzzle_indices,group_indices}.npy   published layout

Letters as in `layout.py`. The compact ARC layout is opened by `arc/compact_set.py`. What a stranger's files declare is
compared with what they hold before anything is allocated.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trm.batch import IGNORE_LABEL
from trm.errors import UserError, shown
from trm_lab.puzzles.arc.compact_set import LAYOUT, open_augmented
from trm_lab.puzzles.layout import (
    IDENTIFIERS_FILE,
    LARGEST_METADATA,
    METADATA_FILE,
    PuzzleExamples,
    PuzzleMetadata,
    check_identifier_count,
    check_indices,
    load_array,
    read_json,
)
from trm_lab.puzzles.manifest import UNFINISHED_FILE, changed

_TOKENS_AT_ONCE = 8 << 20  # looked at together by `check_all`


@dataclass(frozen=True)
class PuzzleArrays:
    """Examples that were written out; the tokens stay on disk and are read when indexed.

    inputs, labels: `[E, L]` of any integer type, uint8 as written here.
    puzzle_identifiers, puzzle_indices, group_indices: see `PuzzleExamples`.
    metadata: of the split; every token that is read is checked against it.
    source: the split's folder, for errors.
    """

    inputs: NDArray[np.integer]
    labels: NDArray[np.integer]
    puzzle_identifiers: NDArray[np.integer]
    puzzle_indices: NDArray[np.integer]
    group_indices: NDArray[np.integer]
    metadata: PuzzleMetadata
    source: Path

    @property
    def count(self) -> int:
        """E."""
        return len(self.inputs)

    def tokens(
        self, examples: NDArray[np.int64], puzzles: NDArray[np.int64], shifts: NDArray[np.float64] | None = None
    ) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
        """See `PuzzleExamples`; shifts have no effect on examples that were written out.

        Raises:
            UserError: a token that the vocabulary does not have.
        """
        inputs, labels = self.inputs[examples], self.labels[examples]
        self._check(inputs, labels)
        return inputs, labels

    def check_all(self) -> None:
        """Look at every token; constant memory, and as fast as the files can be read.

        Raises:
            UserError: a token that the vocabulary does not have.
        """
        rows = max(1, _TOKENS_AT_ONCE // max(1, self.inputs.shape[1]))
        for start in range(0, self.count, rows):
            part = slice(start, start + rows)
            self._check(self.inputs[part], self.labels[part])

    def _check(self, inputs: NDArray[np.integer], labels: NDArray[np.integer]) -> None:
        if not inputs.size:
            return
        vocab_size = self.metadata.vocab_size
        if labels.max() >= vocab_size or labels.min() < 0:
            labels = labels[(labels != IGNORE_LABEL) & (labels != self.metadata.ignore_label_id)]
        for name, tokens in (("inputs", inputs), ("labels", labels)):
            low, high = int(tokens.min(initial=0)), int(tokens.max(initial=0))
            if low < 0 or high >= vocab_size:
                raise changed(self.source, f"{name} with tokens {low}..{high}, of vocab_size={vocab_size}")


@dataclass(frozen=True)
class PuzzleSplit:
    """One split of one dataset: its folder, `dataset.json`, and the examples of each set."""

    folder: Path
    metadata: PuzzleMetadata
    sets: dict[str, PuzzleExamples]

    @property
    def dataset(self) -> Path:
        """The folder that the split's folder is in."""
        return self.folder.parent


def open_split(dataset: Path | str, split: str, build_command: str | None = None) -> PuzzleSplit:
    """Open a split; cheap whatever its size, since no token is read.

    Args:
        build_command: builds this dataset; named by the error when it is missing.

    Raises:
        UserError: no such dataset or split; one that is half written or disagrees with itself.
    """
    dataset = Path(dataset)
    folder, names = dataset / split, dataset / IDENTIFIERS_FILE
    if (dataset / UNFINISHED_FILE).exists():
        raise changed(dataset, "a builder was stopped while it wrote this")
    if not (folder / METADATA_FILE).is_file():
        raise _missing(dataset, split, build_command)
    if not names.is_file():
        raise changed(names, "no regular file" if names.exists() else "missing")
    metadata = PuzzleMetadata.read(folder)
    check_identifier_count(dataset, metadata)
    layout = read_json(folder / METADATA_FILE, dict, LARGEST_METADATA).get("layout", "published")
    if layout not in ("published", LAYOUT):
        problem = f"layout {shown(repr(layout))}, which this version does not know"
        raise changed(folder / METADATA_FILE, problem)
    open_set = open_augmented if layout == LAYOUT else open_arrays
    sets: dict[str, PuzzleExamples] = {name: open_set(folder, name, metadata) for name in metadata.sets}
    opened = PuzzleSplit(folder, metadata, sets)
    _check_counts(opened)
    return opened


def open_arrays(folder: Path, name: str, metadata: PuzzleMetadata) -> PuzzleArrays:
    """Open a set that was written out; its shapes and indices are checked, but no token is read.

    Raises:
        UserError: a file is missing, cut off or disagrees with the others.
    """

    def file(array: str) -> Path:
        return folder / f"{name}__{array}.npy"

    inputs, labels = (load_array(file(array), 2) for array in ("inputs", "labels"))
    identifiers, puzzles, groups = (
        load_array(file(array), 1) for array in ("puzzle_identifiers", "puzzle_indices", "group_indices")
    )
    shape = (len(inputs), metadata.seq_len)
    for array, tokens in (("inputs", inputs), ("labels", labels)):
        if tokens.shape != shape:
            raise changed(file(array), f"shape {tokens.shape} instead of {shape}")
    check_indices(file("puzzle_indices"), puzzles, len(inputs), "examples")
    check_indices(file("group_indices"), groups, len(puzzles) - 1, "puzzles")
    if len(identifiers) != len(puzzles) - 1:
        problem = f"{len(identifiers)} identifiers for {len(puzzles) - 1} puzzles"
        raise changed(file("puzzle_identifiers"), problem)
    low, high = identifiers.min(), identifiers.max()
    if low < 0 or high >= metadata.num_puzzle_identifiers:
        problem = f"identifiers {low}..{high}, of num_puzzle_identifiers={metadata.num_puzzle_identifiers}"
        raise changed(file("puzzle_identifiers"), problem)
    identifiers, puzzles, groups = map(np.array, (identifiers, puzzles, groups))  # into memory, once checked
    return PuzzleArrays(inputs, labels, identifiers, puzzles, groups, metadata, folder)


def _check_counts(split: PuzzleSplit) -> None:
    """UserError where `dataset.json` promises other numbers of groups, puzzles or examples than the arrays hold."""
    metadata, sets = split.metadata, split.sets.values()
    held = (
        sum(len(examples.group_indices) - 1 for examples in sets),
        sum(len(examples.puzzle_identifiers) for examples in sets),
        sum(examples.count for examples in sets),
    )
    count = round(metadata.mean_puzzle_examples * metadata.total_puzzles)
    promised = (metadata.total_groups, metadata.total_puzzles, count)
    if held != promised:
        words = "{} groups, {} puzzles and {} examples"
        problem = f"promises {words.format(*promised)}, but the arrays hold {words.format(*held)}"
        raise changed(split.folder / METADATA_FILE, problem)


def _missing(dataset: Path, split: str, build_command: str | None) -> UserError:
    splits = [path.parent.name for path in sorted(dataset.glob(f"*/{METADATA_FILE}")) if path.is_file()]
    if splits:
        return UserError(
            given=f"{dataset} has no split {split!r}",
            allowed=f"its splits: {', '.join(splits)}",
            remedy=build_command or "name one of these, or build a dataset that has this split",
        )
    return UserError(
        given=f"no dataset at {dataset}",
        allowed=f"a folder with {split}/{METADATA_FILE}",
        remedy='if it lies elsewhere, name that place (training: data_paths="[…]"; evaluate.py: --data-path …); '
        f"else build it: {build_command or 'python -m data.build_<kind>_dataset --help tells how'}",
    )

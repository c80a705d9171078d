"""Examples that were written out: five arrays of a set, of which the tokens stay on disk.

    <dataset>/<split>/<set>__{inputs,labels,puzzle_identifiers,puzzle_indices,group_indices}.npy

Letters as in `layout.py`. What a stranger's files declare is compared with what they hold before anything is allocated.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trm.batch import IGNORE_LABEL
from trm_lab.puzzles.layout import PuzzleMetadata, check_indices, load_array
from trm_lab.puzzles.manifest import TOKEN_ARRAYS, changed

_AT_ONCE = 8 << 20  # tokens that are looked at together
INDEX_ARRAYS = ("puzzle_identifiers", "puzzle_indices", "group_indices")


@dataclass(frozen=True)
class PuzzleArrays:
    """Examples that were written out; tokens are memory-mapped and read when indexed.

    inputs, labels: `[E, L]` of any integer type, uint8 as written here.
    puzzle_identifiers, puzzle_indices, group_indices: see `PuzzleExamples`.
    metadata: of the split; tokens are checked against it when they are read, and all of them by `check_all`. None: not
      checked.
    source: where the tokens are from, for the error.
    """

    inputs: NDArray[np.integer]
    labels: NDArray[np.integer]
    puzzle_identifiers: NDArray[np.integer]
    puzzle_indices: NDArray[np.integer]
    group_indices: NDArray[np.integer]
    metadata: PuzzleMetadata | None = None
    source: Path = Path()

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
        """See `PuzzleExamples`; what was written out stays where it is.

        Raises:
            UserError: a token that the vocabulary does not have.
        """
        inputs, labels = self.inputs[examples], self.labels[examples]
        self._check_tokens(inputs, labels)
        return inputs, labels

    def check_all(self) -> None:
        """Look at every token; constant memory, and as fast as the files can be read.

        Raises:
            UserError: a token that the vocabulary does not have.
        """
        rows = max(1, _AT_ONCE // max(1, self.inputs.shape[1]))
        for start in range(0, self.count, rows):
            part = slice(start, start + rows)
            self._check_tokens(self.inputs[part], self.labels[part])

    def _check_tokens(self, inputs: NDArray[np.integer], labels: NDArray[np.integer]) -> None:
        if self.metadata is None or not inputs.size:
            return
        self._check("inputs", inputs, self.metadata.vocab_size)
        if labels.max() >= self.metadata.vocab_size or labels.min() < 0:
            unscored = (labels == IGNORE_LABEL) | (labels == self.metadata.ignore_label_id)
            self._check("labels", labels[~unscored], self.metadata.vocab_size)

    def _check(self, array: str, tokens: NDArray[np.integer], vocab_size: int) -> None:
        low, high = int(tokens.min(initial=0)), int(tokens.max(initial=0))
        if low < 0 or high >= vocab_size:
            problem = f"{array} with tokens {low}..{high}, of vocab_size={vocab_size}"
            raise changed(self.source, problem)


def open_arrays(folder: Path, name: str, metadata: PuzzleMetadata) -> PuzzleArrays:
    """Open a set that was written out; its shapes and indices are checked, but no token is read.

    Raises:
        UserError: a file is missing, cut off or disagrees with the others.
    """

    def load(array: str, dimensions: int) -> NDArray[np.integer]:
        return load_array(folder / f"{name}__{array}.npy", dimensions)

    tokens = {array: load(array, 2) for array in TOKEN_ARRAYS}
    examples = len(tokens["inputs"])
    for array in TOKEN_ARRAYS:
        shape = tokens[array].shape
        if shape != (examples, metadata.seq_len):
            raise changed(
                folder / f"{name}__{array}.npy", f"shape {shape} instead of {(examples, metadata.seq_len)}"
            )
    index = {array: load(array, 1) for array in INDEX_ARRAYS}
    check_indices(folder / f"{name}__puzzle_indices.npy", index["puzzle_indices"], examples, "examples")
    puzzles = len(index["puzzle_indices"]) - 1
    check_indices(folder / f"{name}__group_indices.npy", index["group_indices"], puzzles, "puzzles")
    _check_identifiers(
        folder / f"{name}__puzzle_identifiers.npy", index["puzzle_identifiers"], puzzles, metadata
    )
    in_memory = {
        array: np.array(values) for array, values in index.items()
    }  # once they are what they should be
    return PuzzleArrays(**tokens, **in_memory, metadata=metadata, source=folder)


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

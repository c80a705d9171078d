"""Which test grids of ARC tasks stand among the grids that are trained on. H rows, W columns, L tokens of a canvas."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from trm_lab.puzzles.arc.grids import FIRST_COLOUR, TRANSFORMS, Grid, Tokens, dihedral, parse_grid
from trm_lab.puzzles.arc.sources import Pair
from trm_lab.puzzles.layout import PuzzleExamples
from trm_lab.puzzles.manifest import Overlap

AS_THEY_STAND = "grids as they stand, an input among inputs, an output among outputs"
UP_TO_AUGMENTATION = f"{AS_THEY_STAND}; turns, mirror images and other colours (but black) are the same"


class TrainingGrids:
    """The grids that are trained on, to be found again; of each task as it was published, without its augmentations.

    A pair with a hidden output is not trained on.
    augmented: training shows the tasks' augmentations too, so that these count as the same grid.
    """

    def __init__(self, pairs: Iterable[Pair], augmented: bool) -> None:
        self._key = canonical if augmented else _bytes
        self.compared = UP_TO_AUGMENTATION if augmented else AS_THEY_STAND
        trained = [(pair.input, pair.output) for pair in pairs if pair.output is not None]
        self._inputs, self._outputs = ({self._key(pair[which]) for pair in trained} for which in (0, 1))

    def standing(self, pair: Pair) -> tuple[bool, bool]:
        """Whether input and output of a test pair stand in training; a hidden output does not."""
        return (
            self._key(pair.input) in self._inputs,
            pair.output is not None and self._key(pair.output) in self._outputs,
        )


def overlap(train: Iterable[Pair], test: Iterable[Pair], augmented: bool) -> Overlap:
    """What of the test pairs with a known output stands among the training pairs; arguments as of `TrainingGrids`."""
    grids = TrainingGrids(train, augmented)
    standing = [grids.standing(pair) for pair in test if pair.output is not None]
    questions, answers = (sum(each[which] for each in standing) for which in (0, 1))
    return Overlap(len(standing), questions, answers, grids.compared)


def parse_pair(pair: Mapping[str, Any]) -> Pair:
    """A test pair of test_puzzles.json.

    Raises:
        UserError: its input or output is no grid.
    """
    grids = [pair.get(part) for part in ("input", "output")]
    question, answer = (None if grid is None else parse_grid(grid, "test_puzzles.json", largest=None) for grid in grids)
    assert question is not None  # `read_test_puzzles` refuses a pair without
    return Pair(question, answer)


def pairs_of_tasks(examples: PuzzleExamples, canvas: int) -> Iterator[Pair]:
    """The pairs of a set's tasks as they were published: a group's first puzzle is the task itself."""
    for puzzle in examples.group_indices[:-1].tolist():
        numbers = np.arange(examples.puzzle_indices[puzzle], examples.puzzle_indices[puzzle + 1])
        inputs, outputs = examples.tokens(numbers, np.full(len(numbers), puzzle))
        yield from (Pair(_grid(a, canvas), _grid(b, canvas)) for a, b in zip(inputs, outputs, strict=True))


def canonical(grid: Grid) -> bytes:
    """The same bytes for all augmentations of a grid, and for no other one.

    Of its eight turns and mirror images, each with the colours but 0 numbered as they come, the one that is first.
    """
    return min(_bytes(_numbered(dihedral(grid, transform))) for transform in range(TRANSFORMS))


def _numbered(grid: Grid) -> Grid:
    colours, first = np.unique(grid, return_index=True)
    in_order = colours[np.argsort(first)]
    numbers = np.zeros(256, np.uint8)  # of any byte: a stranger's tokens may be no colours
    others = in_order[in_order != 0]
    numbers[others] = np.arange(1, len(others) + 1)
    return numbers[grid]


def _bytes(grid: Grid) -> bytes:
    return bytes(grid.shape) + np.ascontiguousarray(grid).tobytes()


def _grid(tokens: Tokens, canvas: int) -> Grid:
    """The grid somewhere on a canvas `[L]`: its tokens are the only colours."""
    cells = tokens.reshape(canvas, canvas)
    rows, columns = (np.flatnonzero((cells >= FIRST_COLOUR).any(axis)) for axis in (1, 0))
    if not len(rows):
        return np.zeros((0, 0), np.uint8)
    return (cells[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] - FIRST_COLOUR).astype(np.uint8)

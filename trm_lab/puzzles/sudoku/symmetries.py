"""Symmetries of sudoku: relabelled digits, permuted bands, stacks, rows and columns, and transposition.

Transposition needs square boxes. N side, C = N·N cells, M boards, digits 1..N and 0 for a blank.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_lab.puzzles.scorer import whole_number
from trm_lab.puzzles.sudoku.geometry import Digits, Geometry
from trm_lab.puzzles.sudoku.scorer import LARGEST_SIZE
from trm_lab.puzzles.sudoku.tokens import SUDOKU_BLANK
from trm_lab.puzzles.symmetry import Symmetry

_ROW, _COLUMN, _BOX, _DIGIT, _GIVEN, _BLANK = range(1, 7)  # kinds of what is coloured
_ROUNDS = 6  # of refinement; ten tell no more puzzles apart


@dataclass(frozen=True)
class Symmetries:
    """One symmetry for each of M boards.

    cells: `[M, C]` the cell of the old board that comes to each cell.
    digits: uint8 `[M, N+1]` the new digit of each old one; blank stays 0.
    """

    cells: NDArray[np.intp]
    digits: Digits

    def apply(self, boards: Digits) -> Digits:
        """The boards `[M, C]` seen through their symmetries."""
        board = np.arange(len(boards))[:, None]
        return self.digits.ravel().take(self.move(boards) + board * self.digits.shape[1])

    def move(self, boards: Digits) -> Digits:
        """The cells' values `[M, C]` at their new places, digits not relabelled."""
        return boards.ravel().take(self.cells + np.arange(len(boards))[:, None] * boards.shape[1])


def draw_symmetries(geometry: Geometry, count: int, generator: np.random.Generator) -> Symmetries:
    """`count` symmetries, independent and uniform over the group."""
    size, rows, columns = geometry.size, geometry.box_rows, geometry.box_columns
    row = line_permutations(columns, rows, count, generator)[:, :, None]  # N / box_rows bands
    column = line_permutations(rows, columns, count, generator)[:, None, :]
    transposed = (generator.random(count) < 0.5) & geometry.transposes
    row_step, column_step = np.where(transposed, [[1], [size]], [[size], [1]])[:, :, None, None]
    cells = row * row_step + column * column_step
    return Symmetries(cells.reshape(count, geometry.cells), draw_relabellings(size, count, generator))


def line_permutations(groups: int, lines: int, count: int, generator: np.random.Generator) -> NDArray[np.intp]:
    """Uniform permutations `[count, groups · lines]` that keep groups of `lines` neighbours together."""
    outer = generator.permuted(np.tile(np.arange(groups), (count, 1)), axis=1)
    inner = generator.permuted(np.tile(np.arange(lines), (count * groups, 1)), axis=1)
    return (outer[:, :, None] * lines + inner.reshape(count, groups, lines)).reshape(count, groups * lines)


def draw_relabellings(size: int, count: int, generator: np.random.Generator) -> Digits:
    """Uniform permutations of the digits, `[count, N+1]`; blank stays 0."""
    relabelled = np.zeros((count, size + 1), np.uint8)
    relabelled[:, 1:] = generator.permuted(np.tile(np.arange(1, size + 1, dtype=np.uint8), (count, 1)), axis=1)
    return relabelled


def every_cell_map(geometry: Geometry) -> NDArray[np.intp]:
    """All moves of the cells, `[group, C]`: 128 for 4×4, 3456 for 6×6 (and 3,359,232 for 9×9: do not ask)."""
    cells = np.arange(geometry.cells).reshape(geometry.size, geometry.size)
    rows = _every_line_permutation(geometry.box_columns, geometry.box_rows)
    columns = _every_line_permutation(geometry.box_rows, geometry.box_columns)
    maps = cells[rows[:, None, :, None], columns[None, :, None, :]].reshape(-1, *cells.shape)
    if geometry.transposes:
        maps = np.concatenate([maps, maps.swapaxes(1, 2)])
    return maps.reshape(len(maps), -1)


def _every_line_permutation(groups: int, lines: int) -> NDArray[np.intp]:
    inner = list(permutations(range(lines)))
    return np.array(
        [
            [group * lines + line for group, within in zip(outer, inners, strict=True) for line in within]
            for outer in permutations(range(groups))
            for inners in product(inner, repeat=groups)
        ]
    )


def fingerprints(geometry: Geometry, questions: Digits, answers: Digits) -> NDArray[np.uint64]:
    """A number for each puzzle `[M]` that all of its symmetric images share.

    The converse does not hold: puzzles that are no images of one another may share it too, if rarely, so two puzzles
    with different numbers are surely inequivalent. It is colour refinement (Weisfeiler and Leman): cells, lines, boxes
    and digits take the colours of their neighbours, as 64-bit hashes summed without regard to order.

    Args:
        questions, answers: `[M, C]`; a question's answer is its only solution, hence as invariant as the question.
    """
    size = geometry.size
    given = (questions != 0).reshape(-1, size, size)
    digit = answers.reshape(-1, size, size).astype(np.intp) - 1
    cell = _mix(np.where(given, np.uint64(_GIVEN), np.uint64(_BLANK)))  # [M, row, column]
    by_digit = np.argsort(digit, axis=2)  # where in its row each digit stands
    column_kind = _ROW if geometry.transposes else _COLUMN
    for _ in range(_ROUNDS):
        row = _lines(cell.sum(2), _ROW, geometry.box_rows)
        column = _lines(cell.sum(1), column_kind, geometry.box_columns)
        box = _mix(_box_sums(geometry, cell), _BOX)
        number = _mix(np.take_along_axis(cell, by_digit, axis=2).sum(1), _DIGIT)
        at_digit = np.take_along_axis(number[:, None, :], digit, axis=2)
        cell = _mix(cell + _mix(row[:, :, None] + column[:, None, :]) + box + at_digit)
    return _mix(cell.sum((1, 2)))


def _lines(sums: NDArray[np.uint64], kind: int, lines: int) -> NDArray[np.uint64]:
    """Colours `[M, N]` of rows (or columns) from their cells' and their band's (or stack's)."""
    own = _mix(sums, kind)
    band = _mix(own.reshape(len(own), own.shape[1] // lines, lines).sum(2))
    return _mix(own + np.repeat(band, lines, axis=1), kind)


def _box_sums(geometry: Geometry, cell: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """At each cell the sum over its box; all `[M, N, N]`."""
    rows, columns = geometry.box_rows, geometry.box_columns
    boxes = cell.reshape(-1, columns, rows, rows, columns)
    return np.broadcast_to(boxes.sum((2, 4), keepdims=True), boxes.shape).reshape(cell.shape)


def _mix(values: NDArray[np.uint64], kind: int = 0) -> NDArray[np.uint64]:
    """A bijection of 64 bits for each kind (the finaliser of splitmix64); arithmetic modulo 2^64."""
    mixed = values + np.uint64((kind + 1) * 0x9E3779B97F4A7C15 % (1 << 64))
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def sudoku_symmetry(facts: Mapping[str, Any], vocab_size: int, generator: np.random.Generator) -> Symmetry:
    """A symmetry of sudokus in boxes of `facts["box_rows"]` × `facts["box_columns"]` cells, as tokens see it."""
    rows, columns = (whole_number(facts, key, 1, LARGEST_SIZE) for key in ("box_rows", "box_columns"))
    drawn = draw_symmetries(Geometry(rows, columns), 1, generator)
    names = np.arange(vocab_size)
    names[SUDOKU_BLANK : SUDOKU_BLANK + len(drawn.digits[0])] = SUDOKU_BLANK + drawn.digits[0]
    return Symmetry(drawn.cells[0], names)

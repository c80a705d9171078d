"""All 6,670,903,752,021,072,936,960 full 9×9 grids, counted exactly and drawn uniformly.

A band (three rows) puts three digits into each column. In one stack these three triples are a partition of the digits;
there are 280 partitions into unordered triples. Two facts make counting short:

- How many ways f(p, q, r) three rows can be filled, when the column triples of the stacks are given, depends on the
  three partitions alone, and up to relabelling the digits on 280 × 280 cases.
- Under a first band with triples T1, T2, T3 in a stack, the second band takes a digits of T1, T2, T3 each to the next
  column and 3 - a to the one after; the third band takes what is left. That makes sum_a C(3, a)^3 = 56 ways in a stack.

So a first band has g = sum over 56^3 ways of f(second band) · f(third band) completions, and the 280 × 280 cases of a
first band fall into 44 classes under relabelling and exchanged stacks (the 44 of Felgenhauer and Jarvis 2005, who
counted the grids). A draw picks a class by its exact share of all grids, one of the 56^3 ways by its exact weight,
fillings of the three bands, and last a random relabelling and permutation of columns within the class: all grids are
equally likely. A digit is 0..8 here.
"""

from dataclasses import dataclass
from functools import cache
from itertools import combinations, permutations

import numpy as np
import scipy  # loads its parts at their first use
from numpy.typing import NDArray

from trm_lab.puzzles.sudoku.geometry import Digits
from trm_lab.puzzles.sudoku.symmetries import draw_relabellings, line_permutations

Integers = NDArray[np.int64]
_POWERS = 3 ** np.arange(9)  # a map from digits to 0..2 as one number
_PARTITIONS = 280


@dataclass(frozen=True)
class _Tables:
    """Tables of the partitions of nine digits into triples.

    blocks: `[280, 9]` to which of its triples 0..2 a partition sends each digit; triples: their digits in order.
    number: `[3^9]` the partition of a map from digits to triples; -1 where they are no triples.
    rows: `[1680, 9]` every map from digits to three rows of three; row_number: `[3^9]` its inverse.
    fits: `[1680, 280]` whether the rows take one digit from each triple.
    codes: `[1680]` a map of digits to rows as one number; places: the same with bit 3·digit + row.
    relabelled: `[280, 280]` the partition q becomes when the triples of p are relabelled 0..8: p becomes partition 0.
    """

    blocks: Integers
    triples: Integers
    number: Integers
    rows: Integers
    row_number: Integers
    fits: NDArray[np.bool_]
    codes: Integers
    places: Integers
    relabelled: Integers


@dataclass(frozen=True)
class _BandClass:
    """First bands alike: triples `(0, q, r)`, and how many grids there are with bands of this class, up to a factor
    that all classes share."""

    partitions: tuple[int, int, int]
    grids: int


def count_grids() -> int:
    """How many full 9×9 grids there are."""
    ordered = 1680 * 6 * 6  # ordered triples of the first stack; orders of the second's and the third's
    return ordered * sum(of_class.grids for of_class in _band_classes())


def sample_grids(count: int, generator: np.random.Generator) -> Digits:
    """Full grids `[count, 81]`, digits 1..9, independent and uniform."""
    classes = _band_classes()
    ends = np.cumsum([of_class.grids for of_class in classes])
    which = np.searchsorted(ends, generator.integers(ends[-1], size=count), side="right")
    columns = np.empty((count, 3, 3, 9), np.int64)  # [grid, band, stack, digit]: the column within the stack
    for index in np.unique(which):
        of_class = np.flatnonzero(which == index)
        columns[of_class] = _draw_columns(classes[index], len(of_class), generator)
    grids = np.zeros((count, 81), np.uint8)
    first_row = 3 * np.arange(3)[:, None, None]  # of a band
    first_column = 3 * np.arange(3)[:, None]  # of a stack
    for grid, of_grid in zip(grids, columns, strict=True):
        rows = np.stack([_draw_rows(of_band, generator) for of_band in of_grid])
        grid[(first_row + rows) * 9 + first_column + of_grid] = np.arange(9)
    return _dressed(grids, generator)


def _dressed(grids: Digits, generator: np.random.Generator) -> Digits:
    """Random digits and columns: they turn the one case a class is drawn in into all of its cases."""
    order = line_permutations(3, 3, len(grids), generator)[:, None, :]
    moved = np.take_along_axis(grids.reshape(-1, 9, 9), order, axis=2).reshape(grids.shape)
    digits = draw_relabellings(9, len(grids), generator)[:, 1:]
    return np.take_along_axis(digits, moved.astype(np.intp), axis=1)


def _draw_columns(of_class: _BandClass, count: int, generator: np.random.Generator) -> Integers:
    """Column triples `[count, band, stack, digit]` of grids of a class, weighted by their fillings."""
    ways = [_ways_below(p) for p in of_class.partitions]
    ends = np.cumsum(_weights(ways))
    drawn = np.searchsorted(ends, generator.integers(ends[-1], size=count), side="right")
    by_stack = np.unravel_index(drawn, [len(second) for second, _ in ways])
    blocks = _tables().blocks
    stacks = [
        np.stack([np.broadcast_to(blocks[p], (count, 9)), second[way], third[way]], axis=1)
        for p, (second, third), way in zip(of_class.partitions, ways, by_stack, strict=True)
    ]
    return np.stack(stacks, axis=2)


def _draw_rows(columns: Integers, generator: np.random.Generator) -> Integers:
    """One of the fillings of a band with column triples `[stack, digit]`: the row of each digit, alike."""
    tables = _tables()
    p, q, r = tables.number[columns @ _POWERS]
    by_stack = _fillings(int(tables.relabelled[p, q]))
    possible = np.flatnonzero(tables.fits[by_stack[2], tables.relabelled[p, r]])
    chosen = possible[generator.integers(len(possible))]
    rows = np.empty((3, 9), np.int64)
    rows[:, tables.triples[p]] = tables.rows[[of_stack[chosen] for of_stack in by_stack]]
    return rows


@cache
def _fillings(q: int) -> tuple[Integers, Integers, Integers]:
    """Every choice of rows for stacks with partitions 0 and q, and the rows that they leave to the third stack."""
    tables = _tables()
    first, second = np.flatnonzero(tables.fits[:, 0]), np.flatnonzero(tables.fits[:, q])
    left, right = np.nonzero((tables.places[first, None] & tables.places[second]) == 0)
    first, second = first[left], second[right]
    # a digit's rows are 0, 1 and 2, so the codes of the three maps sum to that of the constant 3
    third = tables.row_number[3 * _POWERS.sum() - tables.codes[first] - tables.codes[second]]
    balanced = third >= 0
    return first[balanced], second[balanced], third[balanced]


def _ways_below(p: int) -> tuple[Integers, Integers]:
    """Under triples p in a stack: the 56 ways `[56, digit]` for the second band's columns, and the third's."""
    above = _tables().blocks[p]
    ways = []
    for a in range(4):
        moved = [list(combinations(np.flatnonzero(above == column), a)) for column in range(3)]
        for ones in (x + y + z for x in moved[0] for y in moved[1] for z in moved[2]):
            step = np.full(9, 2)
            step[list(ones)] = 1
            ways.append((above + step) % 3)
    second = np.array(ways)
    return second, 3 - above - second


def _weights(ways: list[tuple[Integers, Integers]]) -> Integers:
    """f(second band) · f(third band) of every combination of ways, flattened over the stacks."""
    tables = _tables()
    product = np.ones(1, np.int64)
    for band in range(2):
        p, q, r = (tables.number[stack[band] @ _POWERS] for stack in ways)
        relabelled = tables.relabelled[p]
        product = product * _filling_counts()[relabelled[:, q, None], relabelled[:, r][:, None, :]].ravel()
    return product


@cache
def _band_classes() -> tuple[_BandClass, ...]:
    counts, classes = _filling_counts(), _classes()
    cases = np.bincount(classes)
    band_classes = []
    for index, case in enumerate(np.unique(classes, return_index=True)[1]):
        q, r = divmod(int(case), _PARTITIONS)
        completions = int(_weights([_ways_below(p) for p in (0, q, r)]).sum())
        band_classes.append(_BandClass((0, q, r), int(cases[index]) * int(counts[q, r]) * completions))
    return tuple(band_classes)


@cache
def _filling_counts() -> Integers:
    """f(0, q, r), `[280, 280]`."""
    tables = _tables()
    thirds = [_fillings(q)[2] for q in range(_PARTITIONS)]
    return np.stack([np.bincount(third, minlength=len(tables.rows)) @ tables.fits for third in thirds])


@cache
def _tables() -> _Tables:
    blocks = np.array(
        [
            [0 if digit in first else 1 if digit in second else 2 for digit in range(9)]
            for first in combinations(range(9), 3)
            for second in combinations([digit for digit in range(9) if digit not in first], 3)
            if first[0] == 0 and second[0] == min(set(range(9)) - set(first))
        ]
    )
    names = np.array(list(permutations(range(3))))  # of the triples
    rows = names[:, blocks].reshape(-1, 9)
    number, row_number = np.full(3**9, -1), np.full(3**9, -1)
    number[names[:, blocks] @ _POWERS] = np.arange(_PARTITIONS)
    row_number[rows @ _POWERS] = np.arange(len(rows))
    triples = np.argsort(blocks, axis=1, kind="stable")  # [280, 9] digits, triple after triple
    shown = np.bitwise_or.reduce(1 << rows[:, triples].reshape(len(rows), _PARTITIONS, 3, 3), axis=3)
    relabelled = number[blocks[:, triples] @ _POWERS].T  # q's triples at p's digits in order
    places = (1 << (rows + 3 * np.arange(9))).sum(1)
    return _Tables(
        blocks, triples, number, rows, row_number, (shown == 0b111).all(2), rows @ _POWERS, places, relabelled
    )


def _classes() -> Integers:
    """Classes `[280 · 280]` of (0, q, r) under relabellings that keep partition 0, and under exchanged stacks."""
    tables = _tables()
    q, r = np.divmod(np.arange(_PARTITIONS**2), _PARTITIONS)
    within, across = [1, 0, 2, 3, 4, 5, 6, 7, 8], [3, 4, 5, 0, 1, 2, 6, 7, 8]
    around, rotated = [1, 2, 0, 3, 4, 5, 6, 7, 8], [3, 4, 5, 6, 7, 8, 0, 1, 2]
    generators = [r * _PARTITIONS + q, tables.relabelled[q, 0] * _PARTITIONS + tables.relabelled[q, r]]
    for digits in (within, around, across, rotated):
        moved = tables.number[tables.blocks[:, digits] @ _POWERS]
        generators.append(moved[q] * _PARTITIONS + moved[r])
    edges = (np.tile(np.arange(len(q)), len(generators)), np.concatenate(generators))
    graph = scipy.sparse.coo_matrix((np.ones(len(edges[0]), np.int8), edges), shape=(len(q), len(q)))
    return scipy.sparse.csgraph.connected_components(graph, directed=False)[1]

"""Counting the solutions of many sudokus at once: naked and hidden singles, then a guess, depth first.

N side, C = N·N cells, M puzzles or nodes of their search trees. A cell's candidates are a uint16 with bit d - 1 for
digit d; arrays are `[C, M]`, so that every operation runs along the puzzles.
"""

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from trm_lab.puzzles.sudoku.geometry import Digits, Geometry

Candidates = NDArray[np.uint16]  # [C, M]
_NODES = 4096  # worked on together: 0.7 MB of candidates for 9×9
_NONE = np.uint16(0)
_ONE = np.uint16(1)
T = TypeVar("T", bound=np.generic)


def all_digits(geometry: Geometry) -> np.uint16:
    """The candidates of a cell that may be anything."""
    return np.uint16((1 << geometry.size) - 1)


def candidates_of(geometry: Geometry, questions: Digits) -> Candidates:
    """The candidates `[C, M]` of questions `[M, C]`."""
    bits = np.append(all_digits(geometry), _ONE << np.arange(geometry.size, dtype=np.uint16))
    return np.ascontiguousarray(bits[questions].T)


def count_solutions(geometry: Geometry, candidates: Candidates, limit: int = 2) -> NDArray[np.int64]:
    """Count the solutions of each of M puzzles, up to `limit`; `[M]`.

    The search of a puzzle ends at its `limit`-th solution.
    """
    counts = np.zeros(candidates.shape[1], np.int64)
    stack = [(candidates, np.arange(candidates.shape[1]))]
    while stack:
        nodes, owners = _take_from(stack)
        nodes, owners = _select(counts[owners] < limit, nodes, owners)
        nodes, owners = _select(_propagate(geometry, nodes), nodes, owners)
        left = np.bitwise_count(nodes)
        solved = (left == 1).all(0)
        counts += np.bincount(owners[solved], minlength=len(counts))
        open_ = ~solved & (counts[owners] < limit)
        nodes, owners = _select(open_, nodes, owners)
        if len(owners):
            guess, others = _branch(nodes, np.compress(open_, left, axis=1))
            stack += [(others, owners), (guess, owners)]
    return np.minimum(counts, limit)


def _take_from(stack: list[tuple[Candidates, NDArray[np.intp]]]) -> tuple[Candidates, NDArray[np.intp]]:
    """Take up to `_NODES` of the last nodes: deep ones first, which keeps the stack small."""
    nodes, owners = stack.pop()
    while stack and len(owners) < _NODES // 2:
        more, theirs = stack.pop()
        nodes, owners = np.concatenate([more, nodes], axis=1), np.concatenate([theirs, owners])
    if len(owners) > _NODES:
        stack.append((nodes[:, :-_NODES], owners[:-_NODES]))
        nodes, owners = nodes[:, -_NODES:], owners[-_NODES:]
    return nodes, owners


def _select(
    which: NDArray[np.bool_], nodes: Candidates, owners: NDArray[np.intp]
) -> tuple[Candidates, NDArray[np.intp]]:
    return np.compress(which, nodes, axis=1), owners[which]  # a copy in C order, which views below rely on


def _branch(nodes: Candidates, left: NDArray[np.uint8]) -> tuple[Candidates, Candidates]:
    """Each node with one candidate tried, and without it, at an open cell with the fewest."""
    which = np.arange(nodes.shape[1])
    cell = np.where(left == 1, np.uint8(255), left).argmin(0)
    here = nodes[cell, which]
    lowest = here & -here
    others = nodes.copy()
    others[cell, which] = here ^ lowest
    nodes[cell, which] = lowest
    return nodes, others


def _propagate(geometry: Geometry, nodes: Candidates) -> NDArray[np.bool_]:
    """Narrow the nodes in place as far as singles do; which of them are not contradictory, `[M]`."""
    alive = np.ones(nodes.shape[1], bool)
    active, working = np.arange(nodes.shape[1]), nodes
    while len(active):
        before = working.copy()
        alive[active] = _pass(geometry, working)
        nodes[:, active] = working
        going_on = alive[active] & (working != before).any(0)
        active, working = active[going_on], np.compress(going_on, working, axis=1)
    return alive


def _pass(geometry: Geometry, nodes: Candidates) -> NDArray[np.bool_]:
    """One round of naked, then hidden singles in place; False where a cell or a digit has no place left."""
    strike_fixed_digits(geometry, nodes)
    alive = (nodes != _NONE).all(0)
    for cells in units(geometry, nodes):
        once, twice = cells[0].copy(), np.zeros_like(cells[0])
        for cell in cells[1:]:
            twice |= once & cell
            once |= cell
        alive &= (once == all_digits(geometry)).reshape(-1, nodes.shape[1]).all(0)
        hidden = once & ~twice  # digits with one place in the unit
        for cell in cells:
            only = cell & hidden
            np.copyto(cell, only, where=only != _NONE)
    return alive


def strike_fixed_digits(geometry: Geometry, nodes: Candidates) -> None:
    """A digit fixed in a cell is no candidate elsewhere in its row, column and box."""
    size, rows, columns = geometry.size, geometry.box_rows, geometry.box_columns
    fixed = np.where(nodes & (nodes - _ONE), _NONE, nodes)
    lines = fixed.reshape(size, size, -1)
    boxes = fixed.reshape(columns, rows, rows, columns, -1)
    seen = np.bitwise_or.reduce(lines, axis=1, keepdims=True) | np.bitwise_or.reduce(lines, axis=0)
    seen = seen.reshape(boxes.shape) | np.bitwise_or.reduce(boxes, axis=(1, 3), keepdims=True)
    nodes &= ~seen.reshape(nodes.shape) | fixed


def units(geometry: Geometry, nodes: NDArray[T]) -> Iterator[list[NDArray[T]]]:
    """Of values `[C, M]`, for rows, columns, boxes in turn: N views; view k holds the k-th cell of every unit."""
    size, rows, columns = geometry.size, geometry.box_rows, geometry.box_columns
    lines = nodes.reshape(size, size, -1)
    boxes = nodes.reshape(columns, rows, rows, columns, -1)
    yield [lines[:, k] for k in range(size)]
    yield [lines[k] for k in range(size)]
    yield [boxes[:, row, :, column] for row in range(rows) for column in range(columns)]

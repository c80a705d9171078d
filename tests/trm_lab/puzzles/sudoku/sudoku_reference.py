"""Sudoku by its rules, written apart from the builders: sets and backtracking, one board at a time.

A board is a list of N·N digits in row-major order, 0 for a blank.
"""

from collections.abc import Iterator, Sequence
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

BOXES = {4: (2, 2), 6: (2, 3), 9: (3, 3)}  # rows and columns of a box, by size


def units(box_rows: int, box_columns: int) -> list[list[int]]:
    """The cells of every row, column and box."""
    size = box_rows * box_columns
    rows = [[size * r + c for c in range(size)] for r in range(size)]
    columns = [[size * r + c for r in range(size)] for c in range(size)]
    boxes = [
        [size * r + c for r in range(top, top + box_rows) for c in range(left, left + box_columns)]
        for top in range(0, size, box_rows)
        for left in range(0, size, box_columns)
    ]
    return rows + columns + boxes


def is_solution(question: Sequence[int], answer: Sequence[int], box_rows: int, box_columns: int) -> bool:
    """The answer is a full grid by the rules and keeps the question's digits."""
    digits = set(range(1, box_rows * box_columns + 1))
    return all({answer[cell] for cell in unit} == digits for unit in units(box_rows, box_columns)) and all(
        given in (0, digit) for given, digit in zip(question, answer, strict=True)
    )


def solutions(question: Sequence[int], box_rows: int, box_columns: int) -> Iterator[list[int]]:
    """All solutions, as exact covers (Knuth's algorithm X).

    A placement (cell, digit) meets the wants "the cell is filled" and "the unit has the digit"; a solution meets every
    want once.
    """
    every = units(box_rows, box_columns)
    of_cell = {cell: [n for n, unit in enumerate(every) if cell in unit] for cell in range(len(question))}
    wants = {
        (cell, digit): [("cell", cell), *((unit, digit) for unit in of_cell[cell])]
        for cell in range(len(question))
        for digit in range(1, box_rows * box_columns + 1)
    }
    open_: dict[tuple[object, int], set[tuple[int, int]]] = {}
    for placement, met in wants.items():
        for want in met:
            open_.setdefault(want, set()).add(placement)

    def place(placement: tuple[int, int]) -> list[set[tuple[int, int]]]:
        removed = []
        for want in wants[placement]:
            for other in open_[want]:
                for theirs in wants[other]:
                    if theirs != want:
                        open_[theirs].discard(other)
            removed.append(open_.pop(want))
        return removed

    def take_back(placement: tuple[int, int], removed: list[set[tuple[int, int]]]) -> None:
        for want in reversed(wants[placement]):
            open_[want] = removed.pop()
            for other in open_[want]:
                for theirs in wants[other]:
                    if theirs != want:
                        open_[theirs].add(other)

    board = list(question)

    def extend() -> Iterator[list[int]]:
        if not open_:
            yield list(board)
            return
        for cell, digit in list(min(open_.values(), key=len)):
            removed = place((cell, digit))
            board[cell] = digit
            yield from extend()
            take_back((cell, digit), removed)

    for cell, digit in enumerate(question):
        if digit and not all(want in open_ for want in wants[cell, digit]):
            return
        if digit:
            place((cell, digit))
    yield from extend()


def how_many(question: Sequence[int], box_rows: int, box_columns: int, limit: int = 2) -> int:
    """The number of solutions, counted up to the limit."""
    found = solutions(question, box_rows, box_columns)
    return sum(1 for _ in zip(range(limit), found, strict=False))


def moves(box_rows: int, box_columns: int) -> NDArray[np.intp]:
    """Every symmetry of the cells, `[group, N·N]`: the old cell that comes to each place."""
    size = box_rows * box_columns

    def lines(groups: int, inside: int) -> list[list[int]]:
        return [
            [inside * group + line for group, order in zip(outer, orders, strict=True) for line in order]
            for outer in permutations(range(groups))
            for orders in product(permutations(range(inside)), repeat=groups)
        ]

    found = []
    for rows, columns in product(lines(box_columns, box_rows), lines(box_rows, box_columns)):
        found.append([size * r + c for r in rows for c in columns])
        if box_rows == box_columns:
            found.append([size * r + c for c in columns for r in rows])
    return np.array(found)


def canonical(question: NDArray[np.uint8], every_move: NDArray[np.intp]) -> bytes:
    """The least image of a question under all moves, its digits renamed in the order they appear."""
    images = question[every_move]
    renamed = np.zeros_like(images)
    for name in range(1, int(question.max()) + 1):
        open_ = (images != 0) & (renamed == 0)
        with_more = np.flatnonzero(open_.any(1))
        digit = images[with_more, open_[with_more].argmax(1)]
        renamed[with_more] = np.where(images[with_more] == digit[:, None], name, renamed[with_more])
    return min(image.tobytes() for image in renamed)

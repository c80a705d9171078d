"""Sudoku by its rules, written apart from the builders: sets and backtracking, one board at a time.

A board is a list of N·N digits in row-major order, 0 for a blank.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

BOXES = {4: (2, 2), 6: (2, 3), 9: (3, 3)}  # rows and columns of a box, by size


@cache
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
    """All solutions, by trying the digits of the cell that has the fewest left."""
    every = units(box_rows, box_columns)
    peers = [{other for unit in every if cell in unit for other in unit} - {cell} for cell in range(len(question))]
    digits = set(range(1, box_rows * box_columns + 1))

    def extend(board: list[int]) -> Iterator[list[int]]:
        possible = {c: digits - {board[peer] for peer in peers[c]} for c, digit in enumerate(board) if not digit}
        if not possible:
            yield board
            return
        cell = min(possible, key=lambda c: len(possible[c]))
        for digit in possible[cell]:
            yield from extend([*board[:cell], digit, *board[cell + 1 :]])

    if not any(digit and digit in {question[peer] for peer in peers[c]} for c, digit in enumerate(question)):
        yield from extend(list(question))


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

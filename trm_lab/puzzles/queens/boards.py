"""The n queens problem: all of its solutions, and how many of them complete a question.

S solutions, Q questions, n side; a board is n·n tokens, row-major.
A question is a solution of which some queens are kept; any solution that has those queens completes it.
"""

from collections.abc import Iterator
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

from trm_lab.puzzles.queens.tokens import QUEENS_EMPTY, QUEENS_QUEEN
from trm_lab.puzzles.square_symmetries import canonical

_CHUNK = 512  # questions compared with all solutions at once


def solutions(side: int) -> NDArray[np.int8]:
    """Every solution `[S, n]`: the queen's column in each row, in lexicographic order."""
    placed = np.zeros((1, 0), np.int8)
    columns = np.arange(side, dtype=np.int8)
    for row in range(side):
        apart = (row - np.arange(row, dtype=np.int8))[:, None]  # rows between, [row, 1]
        away = np.abs(placed[:, :, None] - columns)  # [S, row, n]
        parent, column = np.nonzero(~((away == 0) | (away == apart)).any(1))
        placed = np.column_stack([placed[parent], columns[column]])
    return placed


def boards(columns: NDArray[np.int8], staying: NDArray[np.bool_] | None = None) -> NDArray[np.uint8]:
    """Tokens `[Q, n·n]` of the solutions `[Q, n]`, with the queens of the kept rows `[Q, n]` only (None: all)."""
    tokens = np.full((*columns.shape, columns.shape[1]), QUEENS_EMPTY, np.uint8)
    which, row = np.nonzero(np.ones(columns.shape, bool) if staying is None else staying)
    tokens[which, row, columns[which, row]] = QUEENS_QUEEN
    return tokens.reshape(len(columns), columns.shape[1] ** 2)


def symmetry_classes(columns: NDArray[np.int8]) -> NDArray[np.intp]:
    """The class `[S]`, from 0, of each solution `[S, n]`: solutions that are images of each other share one."""
    side = columns.shape[1]
    return np.unique(canonical(boards(columns).reshape(-1, side, side)), return_inverse=True)[1]


def backtracking_weights(columns: NDArray[np.int8]) -> NDArray[np.float64]:
    """The probability `[S]` that each solution is the first one found row by row with the columns in random order.

    Of the columns that can still be completed each is as likely to come first, and one that cannot is given up:
    a solution's probability is the product over rows of 1 / (columns that can be completed there).
    """
    side = columns.shape[1]
    weights = np.ones(len(columns))
    start = np.zeros(len(columns), np.int64)  # which of the different openings each solution has
    for row in range(side):
        openings, longer = np.unique(start * side + columns[:, row], return_inverse=True)
        weights /= np.bincount(openings // side)[start]
        start = longer
    return weights


def completions(questions: NDArray[np.uint8], solved: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Count `[Q]` the boards `solved` `[S, n·n]` that complete each question `[Q, n·n]`."""
    return np.concatenate([complete.sum(1) for complete in _completing(questions, solved)])


def best_guess(
    questions: NDArray[np.uint8], solved: NDArray[np.uint8], weights: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """The probability `[Q]` that the likeliest label of each question is its label.

    Args:
        questions: `[Q, n·n]`.
        solved: `[S, n·n]` the boards that labels are drawn from.
        weights: `[S]` their probabilities; None: equal ones, and the result is 1 / `completions`.
    """
    chance = np.full(len(solved), 1 / len(solved)) if weights is None else weights
    posterior = [(complete * chance).max(1) / (complete * chance).sum(1) for complete in _completing(questions, solved)]
    return np.concatenate(posterior)


def expected_exact_match(
    columns: NDArray[np.int8], weights: NDArray[np.float64] | None = None, belief: NDArray[np.float64] | None = None
) -> list[float]:
    """The expected exact match of the guess that a belief holds likeliest, for 0 to n-1 kept queens.

    A solution s is drawn with probability w_s, then which g queens stay, uniformly: a question q is asked and
    answered by s with probability w_s / C(n, g). The result is the sum over the different questions of w_s / C(n, g)
    for the completion s of largest belief, the mean over equally large ones. With belief = w it is the best possible;
    with equal weights too it is the number of different questions over S · C(n, g).

    Args:
        columns: `[S, n]` the solutions.
        weights: `[S]` w; None: equal ones.
        belief: `[S]`; None: w.
    """
    count, side = columns.shape
    chance = np.full(count, 1 / count) if weights is None else weights
    expected = []
    for given in range(side):
        rows = np.array(list(combinations(range(side), given)), np.intp)  # [C(n, g), g]
        staying = np.zeros((len(rows), side), bool)
        np.put_along_axis(staying, rows, True, axis=1)
        questions_asked = np.where(staying, columns[:, None], -1).reshape(-1, side)  # [S · C(n, g), n]
        different, which = np.unique(questions_asked, axis=0, return_inverse=True)
        believed = np.repeat(chance if belief is None else belief, len(rows))
        highest = np.zeros(len(different))
        np.maximum.at(highest, which, believed)
        guess = believed == highest[which]
        right = np.bincount(which[guess], np.repeat(chance, len(rows))[guess])
        expected.append(float((right / np.bincount(which[guess])).sum()) / comb(side, given))
    return expected


def _completing(questions: NDArray[np.uint8], solved: NDArray[np.uint8]) -> Iterator[NDArray[np.bool_]]:
    """Whether each board `[S, n·n]` completes each question `[Q, n·n]`: `[·, S]`, some questions at a time."""
    queens = (solved == QUEENS_QUEEN).astype(np.float32).T  # [n·n, S]; sums stay exact
    for start in range(0, max(1, len(questions)), _CHUNK):
        given = questions[start : start + _CHUNK] == QUEENS_QUEEN
        yield given.astype(np.float32) @ queens == given.sum(1, keepdims=True)

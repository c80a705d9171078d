"""Any board by the rules that keeps the given queens is solved, and nothing else is."""

from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from trm_lab.puzzles.kinds import scorer_of
from trm_lab.puzzles.manifest import About
from trm_lab.puzzles.queens.tokens import QUEENS_EMPTY, QUEENS_QUEEN

SIDE = 6


def scores(inputs: NDArray[np.uint8], predictions: NDArray[np.uint8], side: int = SIDE) -> dict[str, list[bool]]:
    scorer = scorer_of(About("queens", 1, "clean", "queens", {"side": side}))
    assert scorer is not None
    labels = np.full_like(inputs, QUEENS_EMPTY)  # of no use to the scorer
    return {name: given.tolist() for name, given in scorer(inputs, labels, predictions).items()}


def board(columns: tuple[int, ...]) -> NDArray[np.uint8]:
    tokens = np.full((len(columns), len(columns)), QUEENS_EMPTY, np.uint8)
    tokens[np.arange(len(columns)), columns] = QUEENS_QUEEN
    return tokens.reshape(-1)


def peaceful(columns: tuple[int, ...]) -> bool:
    return all(
        abs(one - other) != below - above
        for above, one in enumerate(columns)
        for below, other in enumerate(columns)
        if above < below
    )


EMPTY = np.full((1, SIDE * SIDE), QUEENS_EMPTY, np.uint8)
SOLUTIONS = [columns for columns in permutations(range(SIDE)) if peaceful(columns)]
SOLUTION = board(SOLUTIONS[0])


def test_of_all_permutations_exactly_the_solutions_are_valid() -> None:
    every = list(permutations(range(SIDE)))
    found = scores(np.repeat(EMPTY, len(every), 0), np.stack([board(columns) for columns in every]))
    assert found["valid"] == found["solved"] == [peaceful(columns) for columns in every]
    assert sum(found["valid"]) == 4


def test_any_solution_that_keeps_the_given_queens_is_solved() -> None:
    question = EMPTY.copy()
    question[0, np.flatnonzero(SOLUTION == QUEENS_QUEEN)[:2]] = QUEENS_QUEEN
    answers = np.stack([board(columns) for columns in SOLUTIONS])
    found = scores(np.repeat(question, len(answers), 0), answers)
    assert found["valid"] == [True] * 4
    assert found["consistent"] == found["solved"] == [True, False, False, False]


def changed(*cells: tuple[int, int]) -> NDArray[np.uint8]:
    """The solution with other tokens in these cells."""
    answer = SOLUTION.copy()
    for cell, token in cells:
        answer[cell] = token
    return answer


def test_a_corrupted_board_is_not_valid() -> None:
    first, second = np.flatnonzero(SOLUTION == QUEENS_QUEEN)[:2]
    boards = [
        changed((0, QUEENS_QUEEN)),  # one too many
        changed((first, QUEENS_EMPTY)),  # one too few
        changed((0, 0)),  # PAD
        changed((0, 255)),
        np.full(SIDE * SIDE, QUEENS_QUEEN, np.uint8),
        EMPTY[0],
        board((0, 1, 2, 3, 4, 5)),  # one diagonal
        board((5, 4, 3, 2, 1, 0)),  # the other
        np.roll(SOLUTION, 1),  # over the edge
        changed((second, QUEENS_EMPTY), (first + 1, QUEENS_QUEEN)),  # two in a row
        changed((second, QUEENS_EMPTY), (first + SIDE, QUEENS_QUEEN)),  # two in a column
    ]
    assert not any(scores(np.repeat(EMPTY, len(boards), 0), np.stack(boards))["valid"])


def test_garbage_is_judged() -> None:
    generator = np.random.default_rng(0)
    garbage = generator.integers(0, 256, (1000, 64), dtype=np.uint8)
    assert not any(scores(garbage, garbage[::-1], side=8)["valid"])

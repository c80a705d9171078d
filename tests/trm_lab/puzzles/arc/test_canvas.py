"""Many grids laid at once are the grids laid one by one."""

import numpy as np

from trm_lab.puzzles.arc.canvas import Grids, lay
from trm_lab.puzzles.arc.grids import COLOURS, TRANSFORMS, dihedral, encode_pair

CANVAS, ROWS = 7, 4096 * 2 + 5  # more than one chunk


def test_every_turn_colouring_and_place_is_that_of_a_single_grid() -> None:
    generator = np.random.default_rng(0)
    sides = generator.integers(1, CANVAS + 1, (40, 2))
    grids = [generator.integers(0, COLOURS, shape).astype(np.uint8) for shape in sides]
    which, turns = generator.integers(0, 40, ROWS), generator.integers(0, TRANSFORMS, ROWS)
    colours = generator.permuted(np.tile(np.arange(COLOURS), (ROWS, 1)), axis=1)
    room = CANVAS + 1 - Grids.of(grids).turned_shapes(which, turns)
    offsets = (generator.random((ROWS, 2)) * room).astype(int)
    laid = lay(Grids.of(grids), which, turns, colours, offsets, CANVAS)
    for row in [*range(0, ROWS, 41), ROWS - 1]:
        grid = dihedral(colours[row].astype(np.uint8)[grids[which[row]]], int(turns[row]))
        expected = encode_pair(grid, grid, *offsets[row].tolist(), CANVAS)[0]
        np.testing.assert_array_equal(laid[row], expected)

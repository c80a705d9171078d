"""Pictures of mazes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trm_lab.puzzles.drawing import (
    GREEN,
    SKY,
    STRANGE,
    STRANGE_LEGEND,
    VERMILION,
    BoardPicture,
    cell_points,
    draw_cells,
    rgb,
    write_in_cell,
)
from trm_lab.puzzles.maze.tokens import MAZE_CHARACTERS, MAZE_GOAL, MAZE_START

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WALL, FREE = "#3A3A3A", "#FFFFFF"
LEGIBLE = 5.0  # points: in smaller cells S and G are larger than their cell


class MazePicture(BoardPicture):
    """Walls, the path, S and G."""

    signs = f"Blue: the path; S: green, G: red. {STRANGE_LEGEND}"

    def __init__(self, facts: Mapping[str, Any]) -> None:
        side = int(facts["side"])
        super().__init__(side, float(np.clip(0.055 * side, 1.2, 1.8)))

    def _draw(self, axes: Axes, cells: NDArray[Any], question: NDArray[Any]) -> None:
        from matplotlib.patches import Circle

        colours = [STRANGE, WALL, FREE, GREEN, VERMILION, SKY]
        draw_cells(axes, rgb(colours)[np.where(cells < len(colours), cells, 0)])
        small = cell_points(axes) < LEGIBLE
        for token in (MAZE_START, MAZE_GOAL):
            for row, column in np.argwhere((cells == token) & (question == token)).tolist():
                if small:
                    # at the edge of the board a disc is wider than the panel, so it isn't clipped
                    centre, style = (column + 0.5, row + 0.5), {"fc": colours[token], "ec": "white"}
                    axes.add_patch(Circle(centre, 1.3, zorder=2.7, clip_on=False, **style))
                write_in_cell(axes, (row, column), MAZE_CHARACTERS[token], "#FFFFFF", 1.5 if small else 0.7, bold=True)

    def _written(self, cells: NDArray[Any]) -> NDArray[np.bool_]:
        return np.zeros(cells.shape, bool)

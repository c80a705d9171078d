"""Which picture belongs to which dataset: chosen, like its scorer, by what the dataset says of itself."""

from collections.abc import Mapping
from typing import Any

from trm_lab.puzzles.board_pictures import MazePicture, QueensPicture, SudokuPicture
from trm_lab.puzzles.cube.picture import CubePicture
from trm_lab.puzzles.picture import MakePicture, Picture
from trm_lab.puzzles.text.picture import TextPicture

PICTURES: dict[str, MakePicture] = {
    "answer": TextPicture,
    "cube": CubePicture,
    "maze": MazePicture,
    "queens": QueensPicture,
    "reasoning_gym": TextPicture,
    "sudoku": SudokuPicture,
}


def picture_of(scorer: str, facts: Mapping[str, Any]) -> Picture | None:
    """The picture of a dataset's examples, by its `About`; None where its kind is unknown."""
    return PICTURES[scorer](facts) if scorer in PICTURES else None

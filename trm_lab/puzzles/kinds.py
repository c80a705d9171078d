"""Every kind of puzzle but ARC: how its answers are judged and how its examples are drawn.

A dataset names its kind in `About.scorer`. A new kind is one line here. ARC names none: its answers are voted on
(`trm_lab.evaluation`), its pictures are in `arc/picture.py`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from trm.errors import UserError
from trm_lab.puzzles.cube.picture import CubePicture
from trm_lab.puzzles.cube.scorer import cube_scorer
from trm_lab.puzzles.manifest import About
from trm_lab.puzzles.maze.picture import MazePicture
from trm_lab.puzzles.maze.scorer import maze_scorer
from trm_lab.puzzles.picture import Picture
from trm_lab.puzzles.queens.picture import QueensPicture
from trm_lab.puzzles.queens.scorer import queens_scorer
from trm_lab.puzzles.reasoning_gym.scorer import reasoning_gym_scorer
from trm_lab.puzzles.scorer import Scorer
from trm_lab.puzzles.sudoku.picture import SudokuPicture
from trm_lab.puzzles.sudoku.scorer import sudoku_scorer
from trm_lab.puzzles.text.picture import TextPicture
from trm_lab.puzzles.text.scorer import answer_scorer


@dataclass(frozen=True)
class PuzzleKind:
    """A kind of puzzle: functions that make its scorer and its picture from a dataset's facts (`About.facts`)."""

    scorer: Callable[[Mapping[str, Any]], Scorer]
    picture: Callable[[Mapping[str, Any]], Picture]


KINDS: dict[str, PuzzleKind] = {
    "answer": PuzzleKind(answer_scorer, TextPicture),
    "cube": PuzzleKind(cube_scorer, CubePicture),
    "maze": PuzzleKind(maze_scorer, MazePicture),
    "queens": PuzzleKind(queens_scorer, QueensPicture),
    "reasoning_gym": PuzzleKind(reasoning_gym_scorer, TextPicture),
    "sudoku": PuzzleKind(sudoku_scorer, SudokuPicture),
}


def scorer_of(about: About | None) -> Scorer | None:
    """The scorer of a dataset's kind; None where the dataset names no kind.

    Raises:
        UserError: it names one that does not exist.
    """
    if about is None or not about.scorer:
        return None
    if about.scorer not in KINDS:
        raise UserError(
            given=f"dataset {about.name} asks for the scorer {about.scorer!r}",
            allowed=", ".join(KINDS),
            remedy="build the dataset again with this version of the code",
        )
    return KINDS[about.scorer].scorer(about.facts)


def picture_of(kind: str, facts: Mapping[str, Any]) -> Picture | None:
    """The picture of a dataset's examples, by its `About.scorer` and facts; None for an unknown kind."""
    return KINDS[kind].picture(facts) if kind in KINDS else None

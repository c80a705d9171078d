"""Every kind of puzzle but ARC: how its questions are written, its answers judged and its examples drawn.

A dataset names its kind in `About.scorer`. A new kind is one line here. One that names none is asked in its own tokens,
the kind "tokens" (`runs/puzzle_description.py`). ARC names none either: its answers are voted on
(`trm_lab.evaluation`), its pictures are in `arc/picture.py`, its order of cells in `arc/reveal_order.py`.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm.errors import UserError
from trm_lab.puzzles.arc.grids import VOCAB_SIZE as ARC_VOCAB_SIZE
from trm_lab.puzzles.arc.reveal_order import arc_reveal_order
from trm_lab.puzzles.cube.notation import CubeNotation
from trm_lab.puzzles.cube.picture import CubePicture
from trm_lab.puzzles.cube.reveal_order import cube_reveal_order
from trm_lab.puzzles.cube.scorer import cube_scorer
from trm_lab.puzzles.cube.token_symmetry import cube_symmetry
from trm_lab.puzzles.layout import PuzzleMetadata
from trm_lab.puzzles.manifest import About
from trm_lab.puzzles.maze.notation import MazeNotation
from trm_lab.puzzles.maze.picture import MazePicture
from trm_lab.puzzles.maze.reveal_order import maze_reveal_order
from trm_lab.puzzles.maze.scorer import maze_scorer
from trm_lab.puzzles.notation import Notation
from trm_lab.puzzles.picture import Picture
from trm_lab.puzzles.queens.notation import QueensNotation
from trm_lab.puzzles.queens.picture import QueensPicture
from trm_lab.puzzles.queens.reveal_order import queens_reveal_order
from trm_lab.puzzles.queens.scorer import queens_scorer
from trm_lab.puzzles.reasoning_gym.scorer import reasoning_gym_scorer
from trm_lab.puzzles.scorer import SOLVED, Scorer
from trm_lab.puzzles.sudoku.notation import SudokuNotation
from trm_lab.puzzles.sudoku.picture import SudokuPicture
from trm_lab.puzzles.sudoku.reveal_order import sudoku_reveal_order
from trm_lab.puzzles.sudoku.scorer import sudoku_scorer
from trm_lab.puzzles.sudoku.symmetries import sudoku_symmetry
from trm_lab.puzzles.symmetry import DrawSymmetry, Symmetry, square_symmetry
from trm_lab.puzzles.text.notation import TextNotation
from trm_lab.puzzles.text.picture import TextPicture
from trm_lab.puzzles.text.scorer import answer_scorer
from trm_lab.puzzles.tokens.notation import KIND as PLAIN
from trm_lab.puzzles.tokens.notation import TokensNotation
from trm_lab.puzzles.tokens.picture import TokensPicture
from trm_lab.puzzles.tokens.scorer import tokens_scorer

Tokens = NDArray[np.integer]
RevealOrder = Callable[[Tokens, Tokens], NDArray[np.uint8]]
"""Rounds `[b, L]` from inputs and labels `[b, L]`; labels below 0 are not scored."""


@dataclass(frozen=True)
class PuzzleKind:
    """A kind of puzzle: what makes its scorer, its picture and its notation from a dataset's facts (`About.facts`).

    notation: also takes L, the tokens of an example.
    checks_answers: the scorer's "solved" does not look at the labels, so that answers can be checked without knowing
      the right one.
    shares_answers: one answer may solve several questions. No path does, which shows its maze, and no cube's moves,
      which lead from one state to the solved one.
    symmetry: draws a symmetry of its puzzles; None: it has none.
    reveal_order: computes a solver's order (`solver_order.py`) from facts, questions and answers; None: no solver is
      known.
    """

    scorer: Callable[[Mapping[str, Any]], Scorer]
    picture: Callable[[Mapping[str, Any]], Picture]
    notation: Callable[[Mapping[str, Any], int], Notation]
    checks_answers: bool = False
    shares_answers: bool = False
    symmetry: DrawSymmetry | None = None
    reveal_order: Callable[[Mapping[str, Any], Tokens, Tokens], NDArray[np.uint8]] | None = None


KINDS: dict[str, PuzzleKind] = {
    "answer": PuzzleKind(answer_scorer, TextPicture, TextNotation),
    "cube": PuzzleKind(cube_scorer, CubePicture, CubeNotation, True, False, cube_symmetry, cube_reveal_order),
    "maze": PuzzleKind(maze_scorer, MazePicture, MazeNotation, True, False, square_symmetry, maze_reveal_order),
    "queens": PuzzleKind(
        queens_scorer, QueensPicture, QueensNotation, True, True, square_symmetry, queens_reveal_order
    ),
    "reasoning_gym": PuzzleKind(reasoning_gym_scorer, TextPicture, TextNotation),
    "sudoku": PuzzleKind(
        sudoku_scorer, SudokuPicture, SudokuNotation, True, True, sudoku_symmetry, sudoku_reveal_order
    ),
    PLAIN: PuzzleKind(tokens_scorer, TokensPicture, TokensNotation),
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


AnswerCheck = Callable[[NDArray[np.integer], NDArray[np.integer]], NDArray[np.bool_]]
"""Whether answers `[E, L]` to questions `[E, L]` are right by the rules of their puzzle: `[E]`."""


def answer_check(about: About | None) -> AnswerCheck | None:
    """What tells, without knowing the right answers, which answers are right; None for a kind that cannot tell.

    Raises:
        UserError: see `scorer_of`.
    """
    if about is not None and about.scorer in KINDS and not KINDS[about.scorer].checks_answers:
        return None  # without its scorer, which may need a library
    scorer = scorer_of(about)
    if scorer is None:
        return None
    return lambda questions, answers: scorer(questions, np.zeros_like(questions, np.int32), answers)[SOLVED]


def symmetry_of(about: About | None, vocab_size: int) -> Callable[[np.random.Generator], Symmetry] | None:
    """Draws a symmetry of a dataset's puzzles; None for a kind that has none."""
    draw = KINDS[about.scorer].symmetry if about is not None and about.scorer in KINDS else None
    return None if draw is None or about is None else partial(draw, about.facts, vocab_size)


def reveal_order_of(about: About | None, metadata: PuzzleMetadata) -> RevealOrder | None:
    """What computes a solver's order of a dataset's puzzles from question and answer; None for a kind that cannot.

    A dataset that names no kind and has the tokens of ARC canvases is one of ARC.
    """
    if about is not None and about.scorer:
        compute = KINDS[about.scorer].reveal_order if about.scorer in KINDS else None
        return None if compute is None else partial(compute, about.facts)
    square = math.isqrt(metadata.seq_len) ** 2 == metadata.seq_len
    return arc_reveal_order if square and metadata.vocab_size == ARC_VOCAB_SIZE else None


def picture_of(kind: str, facts: Mapping[str, Any]) -> Picture | None:
    """The picture of a dataset's examples, by its `About.scorer` and facts; None for an unknown kind."""
    return KINDS[kind].picture(facts) if kind in KINDS else None

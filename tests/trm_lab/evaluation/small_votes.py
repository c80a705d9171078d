"""Small votes, written by hand: two tasks, a canvas of 6 by 6, and what is counted the slow way."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_lab.evaluation.arc_questions import Questions
from trm_lab.evaluation.voting import ArcVoting
from trm_lab.puzzles.arc.augmentation import IDENTITY, IDENTITY_ROW, Augmentation, names
from trm_lab.puzzles.arc.grids import encode_pair
from trm_lab.runs.arc_outputs import VotingResult

CANVAS = 6
QUESTION, OTHER_QUESTION = [[1, 2], [3, 0]], [[5, 5, 5]]
A, B, C = [[1, 1], [0, 2]], [[2]], [[3, 4, 5]]
TURNED = Augmentation(3, (0, 2, 3, 1, 4, 6, 5, 7, 9, 8))
TURNED_ROW = [TURNED.transform, *TURNED.colours[1:]]
NAMES = ["<blank>", *names("x", np.array([IDENTITY_ROW, TURNED_ROW], np.uint8)), "y"]
AUGMENTATION = [IDENTITY, IDENTITY, TURNED, IDENTITY]

Grid = list[list[int]]
Vote = tuple[int, Grid, Grid, float]  # identifier, un-augmented question and answer, confidence
Arrays = tuple[NDArray[np.int32], NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float64]]


def tokens(identifier: int, grid: Grid) -> NDArray[np.uint8]:
    """The sequence that shows a grid under a puzzle's augmentation; an empty grid is all PAD."""
    if not grid:
        return np.zeros(CANVAS**2, np.uint8)
    augmented = AUGMENTATION[identifier].apply(np.array(grid, np.uint8))
    return encode_pair(augmented, augmented, canvas=CANVAS)[0]


def arrays(votes: Sequence[Vote]) -> Arrays:
    """What `ArcVoting.add` takes."""
    shape = len(votes), CANVAS**2
    return (
        np.array([identifier for identifier, *_ in votes], np.int32),
        np.array([tokens(identifier, asked) for identifier, asked, _, _ in votes], np.uint8).reshape(shape),
        np.array([tokens(identifier, answer) for identifier, _, answer, _ in votes], np.uint8).reshape(shape),
        np.array([confidence for *_, confidence in votes], np.float64),
    )


def vote(tests: dict[str, Any], votes: Sequence[Vote], **settings: str) -> VotingResult:
    """Count these votes."""
    voting = ArcVoting(Questions(NAMES, tests, CANVAS), **settings)
    voting.add(*arrays(votes))
    return voting.result()


def task(*pairs: tuple[Grid, Grid | None]) -> dict[str, Any]:
    """A test puzzle of test_puzzles.json."""
    return {
        "train": [],
        "test": [
            {"input": question} if answer is None else {"input": question, "output": answer}
            for question, answer in pairs
        ],
    }

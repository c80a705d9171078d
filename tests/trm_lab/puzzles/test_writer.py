"""Writing a dataset: what is added is what is opened, and a build that dies leaves nothing that looks finished."""

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from trm.errors import UserError
from trm_lab.puzzles.layout import BLANK
from trm_lab.puzzles.manifest import About
from trm_lab.puzzles.splits import open_split
from trm_lab.puzzles.writer import (
    Examples,
    SplitWriter,
    new_dataset,
    shared_questions,
    summary,
    write_identifiers,
    write_plain_dataset,
)

ABOUT = About("small", 1, "clean")


def write(folder: Path, value: int = 3) -> None:
    """Two groups: one with puzzles of 2 and 1 examples, one with a puzzle of 1."""
    writer = SplitWriter(folder / "train", 5)
    tokens = np.arange(15, dtype=np.uint8).reshape(3, 5)
    writer.add_group(tokens, tokens + 1, [1, 2], [2, 1])
    writer.add_group(np.full((1, 5), value, np.uint8), np.full((1, 5), value, np.uint8), [3], [1])
    writer.finish(vocab_size=40, num_puzzle_identifiers=4)
    write_identifiers(folder, [BLANK, "a", "b", "c"])


def write_half(output: Path, overwrite: bool = False) -> None:
    with new_dataset(output, ABOUT, overwrite) as folder:
        write(folder, value=9)
        raise RuntimeError("half way")


def test_groups_are_opened_as_they_were_added(tmp_path: Path) -> None:
    with new_dataset(tmp_path / "set", ABOUT) as folder:
        write(folder)
    split = open_split(tmp_path / "set", "train")
    arrays = split.sets["all"]
    np.testing.assert_array_equal(arrays.inputs[:3].ravel(), np.arange(15))
    np.testing.assert_array_equal(arrays.labels[:3].ravel(), np.arange(1, 16))
    np.testing.assert_array_equal(arrays.inputs[3], [3] * 5)
    np.testing.assert_array_equal(arrays.puzzle_identifiers, [1, 2, 3])
    np.testing.assert_array_equal(arrays.puzzle_indices, [0, 2, 3, 4])
    np.testing.assert_array_equal(arrays.group_indices, [0, 2, 3])
    assert {arrays.puzzle_identifiers.dtype, arrays.puzzle_indices.dtype, arrays.group_indices.dtype} == {
        np.dtype(np.int32)
    }
    assert split.metadata.mean_puzzle_examples == 4 / 3
    assert (split.metadata.total_groups, split.metadata.total_puzzles, split.metadata.seq_len) == (2, 3, 5)


def test_a_failed_rebuild_leaves_the_old_dataset(tmp_path: Path) -> None:
    with new_dataset(tmp_path / "set", ABOUT) as folder:
        write(folder)
    with pytest.raises(RuntimeError, match="half way"):
        write_half(tmp_path / "set", overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
    assert open_split(tmp_path / "set", "train").sets["all"].inputs[3, 0] == 3


def ended_by(number: signal.Signals, output: Path) -> subprocess.CompletedProcess[bytes]:
    """A build that gets a signal when all but the end is written."""
    program = f"""
        import os, sys
        from pathlib import Path
        from tests.trm_lab.puzzles.test_writer import write
        from trm_lab.puzzles.manifest import About
        from trm_lab.puzzles.writer import new_dataset
        with new_dataset(Path(sys.argv[1]), About("ended", 1, "clean")) as folder:
            write(folder)
            os.kill(os.getpid(), {int(number)})
    """
    return subprocess.run([sys.executable, "-c", textwrap.dedent(program), str(output)], check=False)


def test_a_killed_build_leaves_nothing_that_looks_finished_and_the_next_one_clears_it(tmp_path: Path) -> None:
    assert ended_by(signal.SIGKILL, tmp_path / "set").returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert left.name.startswith("set.partial-")
    with pytest.raises(UserError, match="no dataset at"):
        open_split(tmp_path / "set", "train")
    with pytest.raises(UserError, match="a builder was stopped while it wrote this"):
        open_split(left, "train")
    living = tmp_path / left.name.replace(left.name.rpartition("-")[2], "1")
    living.mkdir()  # process 1 always runs
    with new_dataset(tmp_path / "set", ABOUT) as folder:
        write(folder)
    assert open_split(tmp_path / "set", "train").metadata.total_puzzles == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set", living.name]


def test_a_terminated_build_leaves_nothing(tmp_path: Path) -> None:
    assert ended_by(signal.SIGTERM, tmp_path / "set").returncode == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


def test_an_existing_dataset_is_replaced_only_on_request(tmp_path: Path) -> None:
    with new_dataset(tmp_path / "set", ABOUT) as folder:
        write(folder)
    with (
        pytest.raises(UserError, match="already holds a dataset") as error,
        new_dataset(tmp_path / "set", ABOUT),
    ):
        pass
    assert "--overwrite" in error.value.remedy
    with new_dataset(tmp_path / "set", ABOUT, overwrite=True) as folder:
        write(folder, value=9)
    assert open_split(tmp_path / "set", "train").sets["all"].inputs[3, 0] == 9
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


@pytest.mark.parametrize("beside_a_dataset", [False, True])
def test_a_folder_with_other_things_is_never_replaced(tmp_path: Path, beside_a_dataset: bool) -> None:
    if beside_a_dataset:
        with new_dataset(tmp_path / "set", ABOUT) as folder:
            write(folder)
    (tmp_path / "set").mkdir(exist_ok=True)
    (tmp_path / "set" / "notes.txt").write_text("mine")
    with (
        pytest.raises(
            UserError, match=r"holds other things than a dataset of our builders, such as notes\.txt"
        ),
        new_dataset(tmp_path / "set", ABOUT, overwrite=True),
    ):
        pass
    assert (tmp_path / "set" / "notes.txt").read_text() == "mine"


def rows(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 9, (count, 12), np.uint8)


def splits(train: np.ndarray, test: np.ndarray) -> dict[str, Examples]:
    sizes = np.array([3, 1, len(train) - 4])
    return {"train": Examples(train, train[::-1].copy(), sizes), "test": Examples(test, test)}


def test_what_is_written_is_loaded_group_by_group(tmp_path: Path) -> None:
    train, test = rows(10, 0), rows(5, 1)
    written = write_plain_dataset(tmp_path / "set", ABOUT, splits(train, test), vocab_size=9)
    held = open_split(tmp_path / "set", "train").sets["all"]
    np.testing.assert_array_equal(held.group_indices, [0, 3, 4, 10])
    np.testing.assert_array_equal(held.puzzle_indices, np.arange(11))
    np.testing.assert_array_equal(held.puzzle_identifiers, np.zeros(10))
    inputs, labels = held.tokens(np.arange(10), np.arange(10))
    np.testing.assert_array_equal(inputs, train)
    np.testing.assert_array_equal(labels, train[::-1])
    assert (written["test"].total_groups, written["test"].mean_puzzle_examples) == (5, 1.0)
    assert "train: 3 groups, 10 examples of 12 tokens" in summary(tmp_path / "set", written)


def test_a_question_in_both_splits_is_refused_unless_the_protocol_has_it(tmp_path: Path) -> None:
    train, test = rows(10, 0), rows(5, 1)
    test[3] = train[7]
    train[8] = test[3]
    with pytest.raises(
        UserError, match=r"1 questions of .* the first is test example 3 and training example 7"
    ):
        write_plain_dataset(tmp_path / "set", ABOUT, splits(train, test), vocab_size=9)
    assert list(tmp_path.iterdir()) == []
    write_plain_dataset(tmp_path / "set", ABOUT, splits(train, test), vocab_size=9, allow_overlap=True)


def test_shared_questions_are_found_exactly() -> None:
    train = rows(20_000, 2)
    test = np.concatenate([train[::4_000], rows(100, 3), train[:1]])
    test[0, 0] = 0
    assert shared_questions(train, test) == [(1, 4_000), (2, 8_000), (3, 12_000), (4, 16_000), (105, 0)]
    assert shared_questions(train, test[5:105]) == []


def test_an_empty_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the test split has no example"):
        write_plain_dataset(tmp_path / "set", ABOUT, splits(rows(10, 0), rows(0, 1)), vocab_size=9)

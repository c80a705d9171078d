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
from trm_lab.puzzles.writer import SplitWriter, check_output, new_dataset, write_identifiers

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


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="half way"):
        write_half(tmp_path / "set")
    assert list(tmp_path.iterdir()) == []


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
        from trm_lab.puzzles.writer import new_dataset
        from trm_lab.puzzles.manifest import About
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


def test_a_split_that_was_not_finished_cannot_be_opened(tmp_path: Path) -> None:
    writer = SplitWriter(tmp_path / "train", 5)
    tokens = np.zeros((1, 5), np.uint8)
    writer.add_group(tokens, tokens, [1], [1])
    with pytest.raises(UserError, match="no dataset at"):
        open_split(tmp_path, "train")


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


def test_a_folder_of_json_files_is_no_dataset(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "arc_training_challenges.json").write_text("{}")
    for overwrite in (False, True):
        with (
            pytest.raises(UserError, match="holds other things than a dataset"),
            new_dataset(tmp_path / "set", ABOUT, overwrite=overwrite),
        ):
            pass
    assert (tmp_path / "set" / "arc_training_challenges.json").exists()


def test_a_place_where_nothing_can_be_written_is_told_at_once() -> None:
    with pytest.raises(UserError, match="nothing can be written in"):
        check_output(Path("/proc/nowhere/set"), overwrite=False)


def test_a_file_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "set").write_text("mine")
    with (
        pytest.raises(UserError, match="is a file"),
        new_dataset(tmp_path / "set", ABOUT, overwrite=True),
    ):
        pass
    assert (tmp_path / "set").read_text() == "mine"


def test_an_empty_folder_and_missing_parents_will_do(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for output in (tmp_path / "empty", tmp_path / "a" / "b"):
        with new_dataset(output, ABOUT) as folder:
            write(folder)
        assert open_split(output, "train").metadata.total_groups == 2

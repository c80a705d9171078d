"""Writing a dataset: what is added is what is opened, and a build that dies leaves nothing that looks finished."""

import multiprocessing
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trm.errors import UserError
from trm_lab.puzzles.categories import by_value
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


def write(output: Path, value: int = 3, overwrite: bool = False, death: signal.Signals | None = None) -> None:
    """Two groups: one with puzzles of 2 and 1 examples, one with a puzzle of 1."""
    with new_dataset(output, ABOUT, overwrite) as folder:
        writer = SplitWriter(folder / "train", 5)
        tokens = np.arange(15, dtype=np.uint8).reshape(3, 5)
        writer.add_group(tokens, tokens + 1, [1, 2], [2, 1])
        writer.add_group(np.full((1, 5), value, np.uint8), np.full((1, 5), value, np.uint8), [3], [1])
        writer.finish(vocab_size=40, num_puzzle_identifiers=4)
        write_identifiers(folder, [BLANK, "a", "b", "c"])
        if death is not None:  # in all but the end
            os.kill(os.getpid(), death)


def test_groups_are_opened_as_they_were_added(tmp_path: Path) -> None:
    write(tmp_path / "set")
    split = open_split(tmp_path / "set", "train")
    arrays = split.sets["all"]
    np.testing.assert_array_equal(arrays.inputs[:].ravel(), [*range(15), *[3] * 5])
    np.testing.assert_array_equal(arrays.labels[:].ravel(), [*range(1, 16), *[3] * 5])
    indices = {"puzzle_identifiers": [1, 2, 3], "puzzle_indices": [0, 2, 3, 4], "group_indices": [0, 2, 3]}
    for name, expected in indices.items():
        assert getattr(arrays, name).tolist() == expected
        assert getattr(arrays, name).dtype == np.int32
    assert split.metadata.mean_puzzle_examples == 4 / 3
    assert (split.metadata.total_groups, split.metadata.total_puzzles, split.metadata.seq_len) == (2, 3, 5)


def test_an_existing_dataset_is_replaced_on_request_only_and_by_a_whole_one_only(tmp_path: Path) -> None:
    write(tmp_path / "set")
    with pytest.raises(UserError, match="already holds a dataset") as error:
        write(tmp_path / "set")
    assert "--overwrite" in error.value.remedy
    with pytest.raises(RuntimeError, match="half way"), new_dataset(tmp_path / "set", ABOUT, overwrite=True):
        raise RuntimeError("half way")
    for value in (3, 9):
        assert open_split(tmp_path / "set", "train").sets["all"].inputs[3, 0] == value
        write(tmp_path / "set", 9, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def exit_code(output: Path, death: signal.Signals) -> int | None:
    """Of a process that gets a signal while it builds."""
    process = multiprocessing.get_context("fork").Process(target=write, args=(output, 3, False, death))
    process.start()
    process.join(60)
    return process.exitcode


def test_a_killed_build_leaves_nothing_that_looks_finished_and_the_next_one_clears_it(tmp_path: Path) -> None:
    assert exit_code(tmp_path / "set", signal.SIGTERM) == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []
    assert exit_code(tmp_path / "set", signal.SIGKILL) == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert left.name.startswith("set.partial-")
    with pytest.raises(UserError, match="no dataset at"):
        open_split(tmp_path / "set", "train")
    with pytest.raises(UserError, match="a builder was stopped while it wrote this"):
        open_split(left, "train")
    living = tmp_path / left.name.replace(left.name.rpartition("-")[2], "1")
    living.mkdir()  # process 1 always runs
    write(tmp_path / "set")
    assert open_split(tmp_path / "set", "train").metadata.total_puzzles == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set", living.name]


def rows(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 9, (count, 12), np.uint8)


def splits(train: np.ndarray, test: np.ndarray) -> dict[str, Examples]:
    sizes = np.array([3, 1, len(train) - 4])
    return {"train": Examples(train, train[::-1].copy(), sizes), "test": Examples(test, test)}


def test_what_is_written_is_loaded_group_by_group(tmp_path: Path) -> None:
    train, test = rows(10, 0), rows(5, 1)
    written = write_plain_dataset(tmp_path / "set", ABOUT, splits(train, test), vocab_size=9)
    arrays = open_split(tmp_path / "set", "train").sets["all"]
    np.testing.assert_array_equal(arrays.group_indices, [0, 3, 4, 10])
    np.testing.assert_array_equal(arrays.puzzle_indices, np.arange(11))
    np.testing.assert_array_equal(arrays.puzzle_identifiers, np.zeros(10))
    inputs, labels = arrays.tokens(np.arange(10), np.arange(10))
    np.testing.assert_array_equal(inputs, train)
    np.testing.assert_array_equal(labels, train[::-1])
    assert (written["test"].total_groups, written["test"].mean_puzzle_examples) == (5, 1.0)
    assert "train: 3 groups, 10 examples of 12 tokens" in summary(tmp_path / "set", written)


def test_a_question_in_both_splits_and_an_empty_split_are_refused(tmp_path: Path) -> None:
    train, test = rows(10, 0), rows(5, 1)
    test[3] = train[7]
    train[8] = test[3]
    shared = r"1 questions of .* the first is test example 3 and training example 7"
    for problem, asked in ((shared, test), ("the test split has no example", test[:0])):
        with pytest.raises(UserError, match=problem):
            write_plain_dataset(tmp_path / "set", ABOUT, splits(train, asked), vocab_size=9)
        assert list(tmp_path.iterdir()) == []
    write_plain_dataset(tmp_path / "set", ABOUT, splits(train, test), vocab_size=9, allow_overlap=True)


def test_shared_questions_are_found_exactly() -> None:
    train = rows(20_000, 2)
    test = np.concatenate([train[::4_000], rows(100, 3), train[:1]])
    test[0, 0] = 0
    assert shared_questions(train, test) == [(1, 4_000), (2, 8_000), (3, 12_000), (4, 16_000), (105, 0)]
    assert shared_questions(train, test[5:105]) == []


@pytest.mark.parametrize("kind", [np.int64, np.uint32, np.int8, list])
def test_whole_numbers_of_any_kind_are_stored_as_bytes(kind: Any, tmp_path: Path) -> None:
    train, test = rows(10, 0), rows(5, 1)
    given = [Examples(*([a.tolist()] * 2 if kind is list else [a.astype(kind)] * 2)) for a in (train, test)]
    write_plain_dataset(tmp_path / "set", ABOUT, {"train": given[0], "test": given[1]}, vocab_size=9)
    stored = open_split(tmp_path / "set", "train").sets["all"].inputs
    assert stored.dtype == np.uint8
    np.testing.assert_array_equal(stored[:], train)


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"inputs": np.ones((5, 12))}, "inputs of test of type float64"),
        ({"labels": np.ones((5, 12), bool)}, "labels of test of type bool"),
        ({"inputs": np.full((5, 12), -1)}, "inputs of test: -1 in example 0, token 0"),
        ({"labels": np.eye(5, 12, 3, int) * 9}, "labels of test: 9 in example 0, token 3"),
        ({"inputs": np.full((5, 12), 257)}, "257 in example 0"),
        ({"inputs": np.ones((5, 3, 4), int)}, r"inputs of test of shape \(5, 3, 4\)"),
        ({"inputs": np.ones((4, 12), int)}, r"other shapes: .*inputs of test \(4, 12\)"),
        ({"inputs": np.ones((5, 4), int), "labels": np.ones((5, 4), int)}, "other shapes"),
        ({"inputs": [[1, 2], [3]]}, "rows of other lengths"),
        ({"group_sizes": np.array([2, 2])}, "4 examples in its groups, 5 examples"),
        ({"vocab_size": 257}, "vocab_size=257"),
        ({"name": "validation"}, "the splits train, validation"),
        ({"categories": by_value("level", {"train": range(10), "test": range(4)})}, "4 categories, 5 examples"),
    ],
)
def test_arrays_that_cannot_be_stored_are_refused_in_words(wrong: dict[str, Any], problem: str, tmp_path: Path) -> None:
    arrays = {name: wrong.pop(name) for name in ("inputs", "labels", "group_sizes") if name in wrong}
    test = replace(Examples(rows(5, 1), rows(5, 1)), **arrays)
    given = {"train": Examples(rows(10, 0), rows(10, 0)), wrong.pop("name", "test"): test}
    with pytest.raises(UserError, match=problem):
        write_plain_dataset(tmp_path / "set", ABOUT, given, **{"vocab_size": 9, **wrong})
    assert list(tmp_path.iterdir()) == []

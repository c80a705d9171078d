"""Datasets whose puzzles share one embedding: what is written is what is loaded, and a shared question is refused."""

from pathlib import Path

import numpy as np
import pytest

from trm.errors import UserError
from trm_lab.puzzles.loading import EvaluationData, TrainingData
from trm_lab.puzzles.manifest import About
from trm_lab.puzzles.splits import open_split
from trm_lab.puzzles.writer import Examples, shared_questions, summary, write_plain_dataset

ABOUT = About("mine", 1, "clean")


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
    batch = TrainingData([tmp_path / "set"], seed=0, global_batch_size=3).next_batch()
    assert batch is not None
    assert EvaluationData([tmp_path / "set"], global_batch_size=4).total_examples == 5


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
    train = rows(200_000, 2)
    test = np.concatenate([train[::40_000], rows(100, 3), train[:1]])
    test[0, 0] = 0
    assert shared_questions(train, test) == [(1, 40_000), (2, 80_000), (3, 120_000), (4, 160_000), (105, 0)]
    assert shared_questions(train, test[5:105]) == []


def test_an_empty_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the test split has no example"):
        write_plain_dataset(tmp_path / "set", ABOUT, splits(rows(10, 0), rows(0, 1)), vocab_size=9)

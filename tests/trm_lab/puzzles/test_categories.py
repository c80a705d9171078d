"""Categories of examples: what a builder knows is what the tokens show, and it changes neither data nor fingerprint."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.trm_lab.puzzles.builders import about, arrays, build
from trm.errors import UserError
from trm_lab.files.checksums import sealed
from trm_lab.puzzles.categories import by_range
from trm_lab.puzzles.loading import EvaluationData, TrainingData
from trm_lab.puzzles.manifest import MANIFEST_FILE, CategoryNames, fingerprint, read_category_names, write_manifest
from trm_lab.puzzles.maze import builder as maze_builder
from trm_lab.puzzles.maze.tokens import MAZE_PATH
from trm_lab.puzzles.queens import builder as queens_builder
from trm_lab.puzzles.queens.tokens import QUEENS_QUEEN
from trm_lab.puzzles.selection import Selection
from trm_lab.puzzles.sudoku import builder_4x4
from trm_lab.puzzles.sudoku.tokens import SUDOKU_BLANK
from trm_lab.puzzles.text import qa_builder
from trm_lab.puzzles.text.tokens import TextTokens

Tokens = NDArray[np.uint8]


@pytest.fixture(scope="module")
def sudoku(tmp_path_factory: pytest.TempPathFactory) -> Path:
    flags = ("--train-size", 30, "--test-size", 20, "--num-aug", 2)
    return build(builder_4x4, tmp_path_factory.mktemp("data") / "sudoku", *flags)


def names_of(dataset: Path, split: str) -> list[str]:
    names = read_category_names(dataset)
    assert names is not None
    return [names.names[number] for number in np.load(dataset / split / "all__categories.npy")]


@pytest.mark.parametrize(
    ("builder", "flags", "by", "count"),
    [
        (builder_4x4, "--num-aug 2", "givens", lambda inputs, labels: (inputs > SUDOKU_BLANK).sum(1)),
        (queens_builder, "--size 7", "queens given", lambda inputs, labels: (inputs == QUEENS_QUEEN).sum(1)),
        (
            maze_builder,
            "--generate --size 7 --min-length 8 --aug",
            "steps from start to goal",
            lambda inputs, labels: (labels == MAZE_PATH).sum(1) + 1,
        ),
    ],
)
def test_each_example_has_the_category_that_its_tokens_show(
    builder: ModuleType, flags: str, by: str, count: Callable[[Tokens, Tokens], Tokens], tmp_path: Path
) -> None:
    dataset = build(builder, tmp_path / "data", "--train-size", 30, "--test-size", 20, *flags.split())
    names = read_category_names(dataset)
    assert names is not None
    assert names.by == by
    for split in ("train", "test"):
        inputs, labels, _ = arrays(dataset, split)
        bounds = [name.split("–") for name in names_of(dataset, split)]
        counts = count(inputs, labels).tolist()
        assert [int(low) <= number <= int(high) for (low, *_, high), number in zip(
            [(each[0], each[-1]) for each in bounds], counts, strict=True)] == [True] * len(counts)  # fmt: skip


def test_questions_have_the_family_that_asks_so(tmp_path: Path) -> None:
    dataset = build(qa_builder, tmp_path / "data", "--train-size", 60, "--test-size", 40)
    facts = about(dataset).facts
    tokens, length = TextTokens.from_facts(facts), facts["question_length"]
    words = {"clock": "time", "rounding": "nearest", "divisibility": "divisible", "digit_sum": "digits"}
    for split in ("train", "test"):
        questions = [tokens.decode(row[:length]) for row in arrays(dataset, split)[0]]
        for question, family in zip(questions, names_of(dataset, split), strict=True):
            assert [name for name, word in words.items() if word in question.split()] == [family] * (family in words)


def test_a_dataset_has_the_same_fingerprint_with_and_without_them_and_opens_without(
    sudoku: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "older"
    copy.mkdir()
    for file in sudoku.rglob("*"):
        if file.is_file() and not file.name.endswith("categories.npy"):
            (copy / file.relative_to(sudoku)).parent.mkdir(exist_ok=True)
            (copy / file.relative_to(sudoku)).write_bytes(file.read_bytes())
    (copy / MANIFEST_FILE).unlink()
    write_manifest(copy, about(sudoku))
    assert fingerprint(copy) == fingerprint(sudoku)
    (older,) = EvaluationData([copy], global_batch_size=4).sets
    assert older.categories is None
    TrainingData([copy], seed=0, global_batch_size=8)


def test_categories_of_chosen_examples_come_in_the_order_of_these(sudoku: Path) -> None:
    data = EvaluationData([sudoku], global_batch_size=4, selection=Selection(sampled=7))
    categories = data.categories("all")
    assert categories is not None
    names, numbers = categories
    givens = np.concatenate([(b.batch.inputs[: len(b.examples)] > SUDOKU_BLANK).sum(1) for b in data])
    assert [names.names[number] for number in numbers] == [str(count) for count in givens.tolist()]


def test_ranges_are_round_equal_and_at_most_ten() -> None:
    categories = by_range("steps", {"test": np.array([111, 137, 290]), "train": np.array([112])})
    names = categories.names.names
    assert names == [f"{low}–{low + 19}" for low in range(100, 300, 20)]
    assert [names[number] for number in categories.numbers["test"]] == ["100–119", "120–139", "280–299"]
    assert by_range("steps", {"test": np.array([3, 5])}).names.names == ["3", "5"]


def test_broken_categories_are_named(sudoku: Path, tmp_path: Path) -> None:
    (chosen,) = EvaluationData([sudoku], global_batch_size=4).sets
    file = tmp_path / "all__categories.npy"
    for numbers in (np.zeros(3, np.uint8), np.full(20, 200, np.uint8)):
        np.save(file, numbers)
        with pytest.raises(UserError, match=r"of 20 puzzles and \d categories"):
            _ = replace(chosen, prefix=tmp_path / "all").categories
    manifest = json.loads((sudoku / MANIFEST_FILE).read_text())
    del manifest["sha256"]
    for names in (CategoryNames("by\n", []), CategoryNames("by", ["x" * 201]), CategoryNames("by", "abc")):  # type: ignore[arg-type]
        theirs = sealed(manifest | {"categories": {"by": names.by, "names": names.names}})
        (tmp_path / MANIFEST_FILE).write_text(json.dumps(theirs))
        with pytest.raises(UserError, match="not a manifest"):
            read_category_names(tmp_path)

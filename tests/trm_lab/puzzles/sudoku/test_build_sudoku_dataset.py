"""Sudoku-Extreme is built as published from CSV files of its form, and a broken file is refused with its line."""

import json
import sys
from collections import Counter
from pathlib import Path
from unittest.mock import Mock, call

import huggingface_hub
import numpy as np
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError
from numpy.typing import NDArray

from tests.trm_lab.puzzles.builders import about, build, check_same_bytes_twice
from tests.trm_lab.puzzles.sudoku import sudoku_reference as reference
from trm.errors import UserError
from trm_lab.puzzles import published_csv
from trm_lab.puzzles.sudoku import extreme_builder as build_sudoku_dataset
from trm_lab.puzzles.sudoku.geometry import GEOMETRIES
from trm_lab.puzzles.sudoku.symmetries import fingerprints

HEADER = "source,question,answer,rating"


def full_grid(shift: int) -> list[int]:
    """A grid by the rules: row 0 is 1..9 turned by `shift`, the others are turned further."""
    return [(3 * (row % 3) + row // 3 + column + shift) % 9 + 1 for row in range(9) for column in range(9)]


def record(number: int, blank: str = ".") -> str:
    """A line of CSV; its rating is its number, and no two numbers below 1000 give the same question.

    Those below 12 and 100..110 have one solution.
    """
    kept = np.random.default_rng(number).random(81) < 0.75
    answer = full_grid(number)
    question = "".join(str(digit) if keep else blank for digit, keep in zip(answer, kept.tolist(), strict=True))
    return f"made,{question},{''.join(map(str, answer))},{number}"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with 10 training records, rated 0..9, and 6 test records, rated 100..105."""
    folder = tmp_path / "source"
    write(folder, "train", [record(number) for number in range(10)])
    write(folder, "test", [record(number, blank="0") for number in range(100, 106)])
    return folder


def write(folder: Path, split: str, records: list[str]) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{split}.csv").write_text("\n".join([HEADER, *records, ""]))


def arrays(dataset: Path, split: str) -> dict[str, NDArray[np.integer]]:
    names = ("inputs", "labels", "puzzle_identifiers", "puzzle_indices", "group_indices")
    return {name: np.load(dataset / split / f"all__{name}.npy") for name in names}


def questions(dataset: Path, split: str) -> set[bytes]:
    return {question.tobytes() for question in arrays(dataset, split)["inputs"]}


def test_layout_is_the_published_one(source: Path, tmp_path: Path) -> None:
    dataset = build(build_sudoku_dataset, tmp_path / "set", "--source", source, "--num_aug", 3)
    metadata: dict[str, object] = {
        "pad_id": 0,
        "ignore_label_id": 0,
        "blank_identifier_id": 0,
        "num_puzzle_identifiers": 1,
    }
    metadata |= {"vocab_size": 11, "seq_len": 81, "mean_puzzle_examples": 1, "sets": ["all"]}
    for split, groups, puzzles in (("train", 10, 40), ("test", 6, 6)):
        found = json.loads((dataset / split / "dataset.json").read_text())
        assert found == metadata | {"total_groups": groups, "total_puzzles": puzzles}
        parts = arrays(dataset, split)
        assert parts["inputs"].dtype == parts["labels"].dtype == np.uint8
        assert parts["inputs"].shape == parts["labels"].shape == (puzzles, 81)
        assert parts["puzzle_identifiers"].tolist() == [0] * puzzles
        assert parts["puzzle_indices"].tolist() == list(range(puzzles + 1))
        assert parts["group_indices"].tolist() == list(range(0, puzzles + 1, puzzles // groups))
    assert json.loads((dataset / "identifiers.json").read_text()) == ["<blank>"]


def test_images_are_sudokus_and_their_question_s_symmetric_images(source: Path, tmp_path: Path) -> None:
    dataset = build(build_sudoku_dataset, tmp_path / "set", "--source", source, "--num-aug", 20)
    parts = arrays(dataset, "train")
    questions, answers = parts["inputs"].astype(np.uint8) - 1, parts["labels"].astype(np.uint8) - 1
    assert len(np.unique(questions, axis=0)) == 210
    for question, grid in zip(questions.tolist(), answers.tolist(), strict=True):
        assert reference.is_solution(question, grid, 3, 3)
    prints = fingerprints(GEOMETRIES[9], questions, answers).reshape(10, 21)
    assert (prints == prints[:, :1]).all()
    assert len(np.unique(prints)) == 10


def test_a_sample_is_drawn_without_repetition_and_uniformly(source: Path, tmp_path: Path) -> None:
    drawn: Counter[bytes] = Counter()
    for seed in range(100):
        sample = build_sudoku_dataset._selected(source / "train.csv", None, 3, seed)
        assert len(sample) == 3
        drawn.update(question.tobytes() for question in sample.questions)
    assert len(drawn) == 10
    assert all(10 <= count <= 50 for count in drawn.values())  # 30 expected, deviation 4.6
    flags = ("--source", source, "--subsample-size", 3)
    dataset = build(build_sudoku_dataset, tmp_path / "set", *flags)
    assert [len(questions(dataset, split)) for split in ("train", "test")] == [3, 6]  # all test questions
    assert "test_size" not in about(dataset).facts


def test_test_size_keeps_some_test_questions_by_the_seed_and_the_same_training_questions(
    source: Path, tmp_path: Path
) -> None:
    flags = ("--source", source, "--subsample-size", 3)
    whole = build(build_sudoku_dataset, tmp_path / "whole", *flags)
    part, again, other = (
        build(build_sudoku_dataset, tmp_path / name, *flags, "--test-size", 2, *more)
        for name, more in (("part", ()), ("again", ()), ("other", ("--seed", 1)))
    )
    assert questions(part, "train") == questions(whole, "train")
    assert len(questions(part, "test")) == 2
    assert set(questions(part, "test")) < set(questions(whole, "test"))
    assert questions(again, "test") == questions(part, "test") != questions(other, "test")
    assert about(part).facts["test_size"] == 2


def test_blocks_of_a_long_file_are_read_as_one(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = build(build_sudoku_dataset, tmp_path / "whole", "--source", source)
    monkeypatch.setattr(published_csv, "_BLOCK", 400)  # bytes: two or three records
    assert questions(build(build_sudoku_dataset, tmp_path / "parts", "--source", source), "train") == (
        questions(whole, "train")
    )
    write(source, "train", [*(record(number) for number in range(8)), record(8)[:-1] + "x"])
    with pytest.raises(UserError, match=r"train\.csv, line 10: rating 'x'"):
        build(build_sudoku_dataset, tmp_path / "broken", "--source", source)


def test_a_rating_written_as_a_float_is_the_whole_number_that_it_is(source: Path, tmp_path: Path) -> None:
    write(source, "train", [record(number) + ".0" for number in range(10)])
    write(source, "test", [record(number) + "." for number in (102, 103)])
    dataset = build(build_sudoku_dataset, tmp_path / "set", "--source", source, "--min-difficulty", 6)
    assert len(questions(dataset, "train")) == 4
    for broken_rating in ("3.5", "1e3", "nan", "-1", "9" * 30):
        write(source, "test", [record(102), ",".join([*record(103).split(",")[:3], broken_rating])])
        with pytest.raises(UserError, match=r"test\.csv, line 3: rating "):
            build(build_sudoku_dataset, tmp_path / "other", "--source", source)


def test_questions_in_both_splits_are_refused_with_their_places_or_counted(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(source, "test", [record(number) for number in (100, 3, 101, 4)])
    with pytest.raises(UserError) as refused:
        build(build_sudoku_dataset, tmp_path / "set", "--source", source, "--num-aug", 2)
    places = f"{source / 'test.csv'}, line 3: the question stands in training too, {source / 'train.csv'}, line 5;"
    assert refused.value.given == f"{places} 2 of 4 test questions do"
    assert not (tmp_path / "set").exists()
    dataset = build(build_sudoku_dataset, tmp_path / "set", "--source", source, "--allow-overlap")
    assert (about(dataset).protocol, about(dataset).facts["shared_questions"]) == ("published", 2)
    assert "in training: of 4 test questions 2 (50.0 %), of their answers 4 (100.0 %)" in capsys.readouterr().out


def test_a_test_question_that_is_a_drawn_image_of_a_training_question_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "source"
    write(folder, "train", [record(0), record(1)])
    write(folder, "test", [record(2)])
    flags = ("--source", folder, "--num-aug", 1)
    parts = arrays(build(build_sudoku_dataset, tmp_path / "set", *flags), "train")
    question, answer = ("".join(str(cell - 1) for cell in parts[name][3]) for name in ("inputs", "labels"))
    write(folder, "test", [record(2), f"image,{question},{answer},1"])
    with pytest.raises(UserError, match=r"test\.csv, line 3: .* too, as an image of .*train\.csv, line 3;"):
        build(build_sudoku_dataset, tmp_path / "other", *flags)


def changed(field: int, text: str, at: slice) -> str:
    """A record with `text` in place of part of its question (1), answer (2) or rating (3)."""
    fields = record(5).split(",")
    fields[field] = fields[field][: at.start] + text + fields[field][at.stop :]
    return ",".join(fields)


DIGIT = record(5).split(",")[2][0]
OTHER_DIGIT = "1" if DIGIT != "1" else "2"
FIRST, ALL = slice(0, 1), slice(0, 81)


BROKEN = {
    "3 columns instead of 4": record(5).rpartition(",")[0],
    "question of 80 characters instead of 81": changed(1, "", FIRST),
    "answer of 82 characters instead of 81": changed(2, "1", slice(81, 81)),
    "question with another character than 1..9, . and 0": changed(1, "x", slice(7, 8)),
    "answer with another character than 1..9": changed(2, "0", slice(80, 81)),
    "answer with a digit twice in a row, column or box": changed(2, OTHER_DIGIT, FIRST),
    "answer that changes a digit of its question": changed(1, OTHER_DIGIT, FIRST),
    "rating 'hard'": changed(3, "hard", ALL),
}


def test_a_broken_record_is_refused_with_file_line_and_reason(source: Path, tmp_path: Path) -> None:
    for reason, line in BROKEN.items():
        write(source, "test", [record(100), line, record(101)])
        with pytest.raises(UserError) as refused:
            build(build_sudoku_dataset, tmp_path / "set", "--source", source)
        assert refused.value.given == f"{source / 'test.csv'}, line 3: {reason}"
        assert not (tmp_path / "set").exists()


def test_a_file_that_was_cut_off_is_refused_wherever(source: Path, tmp_path: Path) -> None:
    file = source / "test.csv"
    whole = file.read_bytes()
    last = whole[:-1].rindex(b"\n") + 1
    for end in (last + 1, last + 90, len(whole) - 2, len(whole) - 1):
        file.write_bytes(whole[:end])
        with pytest.raises(UserError, match=r"test\.csv, line 7: the last line does not end"):
            build(build_sudoku_dataset, tmp_path / "set", "--source", source)


def test_several_solutions_are_refused_unless_nothing_is_solved(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = "".join(map(str, full_grid(0)))
    write(source, "test", [record(100), record(101), f"made,{'.' * 81},{answer},1"])
    flags = ("--source", source, "--overwrite")
    for more in ((), ("--check-unique",)):
        with pytest.raises(UserError, match=r"test\.csv, line 4: the question has several solutions"):
            build(build_sudoku_dataset, tmp_path / "set", *flags, *more)
    unchecked = build(build_sudoku_dataset, tmp_path / "set", *flags, "--no-check-unique")
    assert about(unchecked).facts["unique_checked"] == {"train": 0, "test": 0}
    write(source, "test", [record(100)])
    write(source, "train", [record(0), f"made,{'.' * 81},{answer},1", record(1)])
    with pytest.raises(UserError, match=r"train\.csv, line 3: the question has several solutions"):
        build(build_sudoku_dataset, tmp_path / "set", *flags)


def test_of_many_questions_a_sample_drawn_by_the_seed_is_solved(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    solved: list[list[int]] = []
    monkeypatch.setattr(build_sudoku_dataset, "UNIQUE_SAMPLE", {"train": 4, "test": 3})
    monkeypatch.setattr(build_sudoku_dataset, "check_unique", lambda _, records: solved.append(records.lines.tolist()))
    flags = ("--source", source, "--overwrite")
    for seed in (1, 1, 2):
        dataset = build(build_sudoku_dataset, tmp_path / "set", *flags, "--seed", seed)
    assert [len(lines) for lines in solved] == [4, 3] * 3
    assert solved[:2] == solved[2:4] != solved[4:]
    assert "4 of 10 training questions, 3 of 6 test questions" in capsys.readouterr().out
    assert about(dataset).facts["unique_checked"] == {"train": 4, "test": 3}
    build(build_sudoku_dataset, tmp_path / "set", *flags, "--check-unique")
    assert [len(lines) for lines in solved[-2:]] == [10, 6]


def test_flags_that_cannot_be_met_are_refused(source: Path, tmp_path: Path) -> None:
    for flags, message in (
        (("--subsample-size", 11), "has 10 records\n  allowed: at least 11\n  to do:   lower --subsample-size"),
        (("--test-size", 7), "has 6 records\n  allowed: at least 7\n  to do:   lower --test-size"),
        (("--min-difficulty", 5, "--subsample-size", 6), "has 5 records of rating 5 or more"),
        (("--min-difficulty", 10, "--subsample-size", 2), "to do:   lower --min-difficulty"),
        (("--check-unique", "--no-check-unique"), "not allowed with argument --check-unique"),
        (("--source-repo", "a/b"), "both --source"),
    ):
        with pytest.raises(UserError) as refused:
            build(build_sudoku_dataset, tmp_path / "set", "--source", source, *flags)
        assert message in str(refused.value)


def test_without_source_the_files_come_from_the_hub_or_the_error_names_source(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    download = Mock(side_effect=lambda repo, name, repo_type: str(source / name))
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    dataset = build(build_sudoku_dataset, tmp_path / "set")
    repo = "sapientinc/sudoku-extreme"
    assert download.mock_calls == [call(repo, f"{name}.csv", repo_type="dataset") for name in ("train", "test")]
    assert len(questions(dataset, "train")) == 10
    download.side_effect = LocalEntryNotFoundError("offline, and nothing in the cache")
    with pytest.raises(UserError, match="someone/other cannot be fetched: offline") as refused:
        build(build_sudoku_dataset, tmp_path / "other", "--source-repo", "someone/other")
    assert "--source" in refused.value.remedy
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)  # not installed
    with pytest.raises(UserError, match=r"pip install huggingface_hub[\s\S]*--source"):
        build(build_sudoku_dataset, tmp_path / "other")


def test_same_flags_give_the_same_bytes(source: Path, tmp_path: Path) -> None:
    flags = ("--source", source, "--subsample-size", 5, "--num-aug", 4)
    check_same_bytes_twice(build_sudoku_dataset, tmp_path, *flags)

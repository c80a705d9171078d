"""Scores read from evaluation folders: what evaluations write, what is missing, and what strangers may write."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.security.attempts import Traitor, little_room
from trm.errors import UserError
from trm_lab.files.checksums import write_manifest
from trm_lab.runs.arc_outputs import OutputRecord, VotingResult
from trm_lab.runs.scored_items import METRICS, read_items


def output(task: str, index: int, rank: int | None, known: bool = True) -> OutputRecord:
    return OutputRecord(task, index, known, rank, 4, 2, 3, 0.5)


def write_arc(folder: Path, *outputs: OutputRecord) -> Path:
    folder.mkdir(exist_ok=True)
    VotingResult({}, {}, {}, list(outputs)).write(folder)
    return folder


def write_examples(folder: Path, **arrays: Any) -> Path:
    folder.mkdir(exist_ok=True)
    np.savez_compressed(folder / "examples.npz", allow_pickle=False, **arrays)
    return folder


KEYS = np.array(["set/0", "set/1", "set/2"])
RIGHT = np.array([True, False, True])


def refused(folder: Path, problem: str) -> UserError:
    with little_room(), pytest.raises(UserError, match=problem) as caught:
        read_items(folder)
    assert len(caught.value.given) < 800
    assert "\x1b" not in str(caught.value)
    return caught.value


def test_an_arc_task_scores_the_share_of_its_known_outputs_right_in_two_attempts(tmp_path: Path) -> None:
    written = write_arc(
        tmp_path / "e",
        output("b", 0, 1), output("b", 1, 3), output("a", 0, 2), output("b", 2, None), output("b", 3, 2),
        output("c", 0, None), output("hidden", 0, None, known=False), output("half", 0, 1),
        output("half", 1, None, known=False),
    )  # fmt: skip
    found = read_items(written)
    assert found.scores == {"b": 0.5, "a": 1.0, "c": 0.0, "half": 1.0}
    assert found.metric == METRICS["task"]
    assert found.title == str(written)


def test_examples_are_scored_right_or_by_their_datasets_scorer(tmp_path: Path) -> None:
    found = read_items(write_examples(tmp_path / "plain", key=KEYS, right=RIGHT))
    assert found.scores == {"set/0": 1, "set/1": 0, "set/2": 1}
    assert found.metric == METRICS["right"]
    judged = read_items(write_examples(tmp_path / "judged", key=KEYS, right=RIGHT, solved=~RIGHT))
    assert judged.scores == {"set/0": 0, "set/1": 1, "set/2": 0}
    assert judged.metric == METRICS["solved"]
    assert read_items(tmp_path / "judged", exact=True).scores == found.scores


def test_the_examples_whose_question_stands_in_training_are_told_where_they_are_known(tmp_path: Path) -> None:
    standing = np.array([False, True, False])
    known = read_items(write_examples(tmp_path / "known", key=KEYS, right=RIGHT, question_in_training=standing))
    assert known.in_training == {"set/1"}
    assert read_items(write_examples(tmp_path / "older", key=KEYS, right=RIGHT)).in_training is None
    refused(write_examples(tmp_path / "e", key=KEYS, right=RIGHT, question_in_training=standing[:2]), "want one each")


def test_a_folder_with_neither_file_is_refused(tmp_path: Path) -> None:
    error = refused(tmp_path, "holds neither outputs.jsonl nor examples.npz")
    assert "evaluate.py" in error.remedy
    refused(tmp_path / "not there", "is no folder")
    os.mkfifo(tmp_path / "outputs.jsonl")
    refused(tmp_path, "holds neither")
    hidden = write_arc(tmp_path / "hidden", output("a", 0, None, known=False))
    refused(hidden, "no test output whose answer is known")


def test_a_file_that_differs_from_its_checksum_is_refused_and_one_without_is_taken(tmp_path: Path) -> None:
    write_arc(tmp_path, output("a", 0, 1))
    write_manifest(tmp_path)
    assert read_items(tmp_path).scores == {"a": 1}
    file = tmp_path / "outputs.jsonl"
    file.write_text(file.read_text().replace('"rank": 1', '"rank": 9'))
    refused(tmp_path, "outputs.jsonl: it differs from its checksum")
    (tmp_path / "manifest.json").write_text('{"files": [1]}')
    refused(tmp_path, "it is no list of files")
    (tmp_path / "manifest.json").write_text("{")
    refused(tmp_path, "it is no list of files")


RECORD = json.loads(json.dumps(output("a", 0, 1).__dict__))


def test_lines_that_are_no_records_are_refused(tmp_path: Path) -> None:
    record = json.dumps(RECORD)
    for text, problem in (
        ("[" * 200_000 + "\n" + record, "nested too deeply"),
        ("[1]", "line 1 of .*outputs.jsonl is no record"),
        ('{"task": "a"}', "has no key 'test_index'"),
        ("", "no test output whose answer is known"),
        (json.dumps({**RECORD, "task": ["\x1b[2J"]}), "no text"),
        (record + "\n" + json.dumps({**RECORD, "rank": "first"}), "line 2 of .* no whole number"),
        (json.dumps({**RECORD, "rank": 0}), "has rank=0"),
        (json.dumps({**RECORD, "known": "yes"}), "neither true nor false"),
        (f'{{"task": {"1" * 9999}}}', "is not JSON"),
    ):
        (tmp_path / "outputs.jsonl").write_text(text)
        refused(tmp_path, problem)


def test_files_larger_than_evaluations_write_are_refused_unread(tmp_path: Path) -> None:
    for name in ("examples.npz", "outputs.jsonl"):
        (tmp_path / name).touch()
        os.truncate(tmp_path / name, 1 << 40)
        refused(tmp_path, "bytes, more than")


def test_arrays_that_are_not_of_their_form_are_refused(tmp_path: Path) -> None:
    cases: list[tuple[dict[str, NDArray[Any]], str]] = [
        ({"key": KEYS[:2]}, "want one each"),
        ({"key": KEYS[:0], "right": RIGHT[:0]}, "want one each"),
        ({"question": np.zeros(2, np.uint64)}, "want one each"),
        ({"key": np.array(["a", "b", "a"])}, "1 of its keys are given twice"),
        ({"key": np.arange(3)}, "an array of int64"),
        ({"right": np.array([0, 1, 2], np.uint8).view(bool)}, "neither true nor false"),
        ({"key": np.zeros(3 << 20, "<U1"), "right": np.zeros(3 << 20, bool)}, "want one each for 1 to"),
    ]
    for arrays, problem in cases:
        refused(write_examples(tmp_path, **{"key": KEYS, "right": RIGHT, **arrays}), problem)


def test_a_missing_array_is_named_and_a_pickle_among_the_arrays_is_not_run(tmp_path: Path) -> None:
    refused(write_examples(tmp_path, key=KEYS), "it has no array right")
    traitors = np.array([Traitor(tmp_path / "harm")] * 3, dtype=object)
    np.savez(tmp_path / "examples.npz", key=KEYS, right=traitors, allow_pickle=True)
    refused(tmp_path, "neither numbers nor texts")
    assert not (tmp_path / "harm").exists()

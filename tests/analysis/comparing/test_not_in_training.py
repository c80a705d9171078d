"""Comparisons say what of the test split is in training, and what each method scores without it."""

import json
from pathlib import Path
from typing import Any

import pytest

from analysis.comparing.ablation import ablation
from analysis.comparing.ablation_tables import tables
from analysis.comparing.not_in_training import not_in_training
from analysis.methods import Method, group
from analysis.metrics import CELL, SOLVED
from analysis.scores import scores_table
from tests.analysis.synthetic_run import write_run
from trm.errors import UserError
from trm_lab.runs.in_training_scores import read_in_training
from trm_lab.runs.many_runs import read_runs


def counts(solved: int) -> dict[str, Any]:
    """Of 30 examples 10 questions and all answers are in training; so many of the other 20 are solved."""
    without = {"without_questions": {"exact": 1, "solved": solved}, "without_answers": {"exact": 0, "solved": 0}}
    copied = {"without_questions": {"exact": 0, "solved": 2}, "without_answers": {"exact": 0, "solved": 0}}
    sizes = {"examples": 30, "questions": 10, "answers": 30, "predictions": 7}
    return {**sizes, **without, "baselines": {"copy": copied}, "compared": "token by token"}


def write(folder: Path, method: str, seed: int, in_training: dict[str, Any] | None) -> Path:
    run = write_run(folder / f"{method}-{seed}", method, arc=False, seed=seed, puzzles=["queens"])
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for record in records:
        if record["kind"] == "evaluation" and in_training is not None:
            record["scores"]["tasks"][0]["in_training"] = in_training
    (run / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return run


def methods(tmp_path: Path, of_trm: dict[str, Any] | None) -> list[Method]:
    runs = [write(tmp_path, "dis", seed, counts(10 + 4 * seed)) for seed in (0, 1)]
    runs.append(write(tmp_path, "trm", 0, of_trm))
    return group(read_runs(runs).runs)[0]


def test_methods_are_compared_on_what_is_not_in_training_too(tmp_path: Path) -> None:
    both = methods(tmp_path, counts(5))
    first, question, answer = not_in_training(both, SOLVED).splitlines()
    assert first == "in training: of 30 test questions 10, of their answers 30"
    assert question.strip().startswith("solved, the 20 of 30 whose question is not in training: ")
    assert {part.rsplit(" ", 2)[1] for part in question.split(": ")[1].split(", ")} == {"60.0", "25.0"}
    assert answer.count("–") == len(both)  # none is left
    assert not_in_training(both, CELL) == first


def test_a_method_that_does_not_say_what_is_in_training_has_no_share_of_it(tmp_path: Path) -> None:
    _, question, _ = not_in_training(methods(tmp_path, None), SOLVED).splitlines()
    assert question.count("–") == 1
    old = write(tmp_path / "old", "dis", 0, None)
    assert not_in_training(group(read_runs([old]).runs)[0], SOLVED) == ""


def test_a_method_of_other_test_questions_has_no_share_of_these(tmp_path: Path) -> None:
    _, question, _ = not_in_training(methods(tmp_path, counts(5) | {"examples": 40}), SOLVED).splitlines()
    assert "20 of 30" in question
    assert question.count("–") == 1
    assert question.endswith(" –") or " –, " in question


def test_the_tables_of_a_run_and_of_the_efficiency_study_say_it(tmp_path: Path) -> None:
    run = write(tmp_path, "dis", 0, counts(10))
    (read,) = read_runs([run]).runs
    table = scores_table(read.evaluations[-1], [])
    (row,) = [row for row in table.rows if "whose question" in row[0]]
    assert row[1:4] == ["50.0 % (10 of 20)", "[29.9, 70.1] %", "10.0 %"]
    (none,) = [row for row in table.rows if "whose answer" in row[0]]
    assert set(none[1:]) == {"–"}
    assert any("7 of the model's 30 answers" in note for note in table.notes)
    study = ablation([read], "queens", None, 0.9)
    assert any(note.startswith("in training: of 30") for note in tables(study)[0].notes)


@pytest.mark.parametrize(
    "broken",
    [
        {"questions": 31},
        {"without_answers": {"exact": 0}},
        {"without_questions": {}, "without_answers": {}},
        {"baselines": {"copy": {}}},
    ],
)
def test_a_record_that_does_not_say_what_is_right_without_training_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="in_training"):
        read_in_training({"in_training": counts(10) | broken})


def test_of_questions_without_a_known_answer_nothing_is_said() -> None:
    nothing = {"exact": 0, "solved": 0}
    none = {"examples": 0, "questions": 0, "answers": 0, "without_questions": nothing, "without_answers": nothing}
    assert read_in_training({"in_training": none | {"predictions": 0}}) == []

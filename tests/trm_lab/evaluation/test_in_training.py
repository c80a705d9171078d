"""Scores say how much of the test split stands in training, and what is right without it."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.trm_lab.evaluation.test_baselines import ANSWER, QUESTION, TOKENS, evaluator
from tests.trm_lab.puzzles.arc.small_arc import build as build_arc
from tests.trm_lab.puzzles.arc.small_arc import tasks, write_sources
from trm.batch import IGNORE_LABEL
from trm_lab.evaluation.details_table import details_table
from trm_lab.evaluation.evaluator import Rules, Scoring
from trm_lab.evaluation.in_training import InTraining
from trm_lab.evaluation.scores_table import scores_table
from trm_lab.puzzles.loading import EvaluationData
from trm_lab.puzzles.manifest import About
from trm_lab.puzzles.writer import Examples, write_plain_dataset
from trm_lab.runs.answers import Answers
from trm_lab.runs.evaluation_folder import EvaluationResults

TRAIN = {"10?": "7", "11?": "7", "12?": "12"}
TEST = {
    "10?": "7",
    "21?": "7",
    "22?": "12",
    "23?": "95",
    "24?": "8",
}  # question in training, answer twice, neither twice
PREDICTED = ["7", "7", "13", "95", "12"]  # right, right, wrong, right, wrong but a training answer


def write_texts(folder: Path, test: dict[str, str], train: dict[str, str] = TRAIN) -> Path:
    splits = {
        name: Examples(*TOKENS.encode_pairs(list(pairs), list(pairs.values()), QUESTION, ANSWER))
        for name, pairs in (("train", train), ("test", test))
    }
    about = About("texts", 1, "clean", "answer", TOKENS.facts(QUESTION, ANSWER))
    write_plain_dataset(folder, about, splits, vocab_size=TOKENS.vocab_size, allow_overlap=True)
    return folder


def scored(
    dataset: Path, test: dict[str, str], predicted: list[str], parts: int = 1, trained_on: Sequence[Path] | None = None
) -> EvaluationResults:
    """The scores of these predictions, which come in so many parts."""
    data = EvaluationData([dataset], global_batch_size=8)
    rules = Rules("token_log_probability", arc=False)  # as in training
    scoring = Scoring(data, rules, in_training=InTraining(data, trained_on))
    inputs, labels = TOKENS.encode_pairs(list(test), list(test.values()), QUESTION, ANSWER)
    _, said = TOKENS.encode_pairs(list(test), predicted, QUESTION, ANSWER)
    labels = np.where(labels == 0, IGNORE_LABEL, labels.astype(np.int16))
    for rows in np.array_split(np.arange(len(test)), parts):
        one = np.zeros((len(rows), 1))
        scoring.add(
            Answers(
                "all",
                int(rows[0]),
                inputs[rows],
                labels[rows],
                np.zeros(len(rows), np.int32),
                said[rows][:, None],
                one.astype(np.float32),
                one,
                one[:, 0],
                [1],
            )
        )
    return scoring.result()


def rows_of(scores: dict[str, Any]) -> dict[str, list[str]]:
    """The lines of the table on what is not in training: the shares of the model and of the baselines."""
    lines = [line for line in scores_table(scores | {"step": 1}).splitlines() if "is not in training" in line]
    return dict(
        zip((line.split("is not in training")[0].strip() for line in lines), map(str.split, lines), strict=True)
    )


@pytest.mark.parametrize("parts", [1, 3])
def test_scores_are_also_of_the_examples_whose_question_or_answer_is_not_in_training(
    tmp_path: Path, parts: int
) -> None:
    results = scored(write_texts(tmp_path / "texts", TEST), TEST, PREDICTED, parts)
    (task,) = results.scores["tasks"]
    overlap = task["in_training"]
    assert {name: overlap[name] for name in ("examples", "questions", "answers", "predictions")} == {
        "examples": 5,
        "questions": 1,
        "answers": 3,
        "predictions": 3,
    }
    assert overlap["without_questions"] == {"exact": 2, "solved": 2}
    assert overlap["without_answers"] == {"exact": 1, "solved": 1}
    common = overlap["baselines"]["most_common_answer"]  # "7"
    assert (common["without_questions"]["exact"], common["without_answers"]["exact"]) == (1, 0)
    assert results.examples["question_in_training"].tolist() == [True, False, False, False, False]
    assert results.examples["answer_in_training"].tolist() == [True, True, True, False, False]


def test_questions_are_looked_for_in_what_the_network_was_trained_on_and_nowhere_else(tmp_path: Path) -> None:
    tested = write_texts(tmp_path / "tested", TEST)
    others = [
        write_texts(tmp_path / str(number), TEST, train)
        for number, train in enumerate(({"23?": "95", "33?": "1"}, {"24?": "8"}))
    ]
    results = scored(tested, TEST, PREDICTED, trained_on=others)
    assert results.examples["question_in_training"].tolist() == [False, False, False, True, True]
    assert results.scores["tasks"][0]["in_training"]["without_questions"]["exact"] == 2
    assert "in_training" not in scored(tested, TEST, PREDICTED, trained_on=[]).scores["tasks"][0]


def test_the_table_has_a_line_for_questions_and_one_for_answers_that_are_not_in_training(tmp_path: Path) -> None:
    scores = scored(write_texts(tmp_path / "texts", TEST), TEST, PREDICTED).scores
    questions, answers = rows_of(scores).items()
    assert questions[0] == "solved, the 4 of 5 whose question"
    assert "2 of 4, 50.0 %" in " ".join(questions[1])
    assert questions[1][-6:] == ["0.0", "%", "25.0", "%", "25.0", "%"]
    assert answers[0] == "solved, the 2 of 5 whose answer"
    assert "3 of 5, 60.0 %" in details_table(scores)


def test_where_none_is_left_there_is_no_share(tmp_path: Path) -> None:
    known = {"10?": "7", "21?": "7"}
    (questions, answers) = rows_of(scored(write_texts(tmp_path / "texts", known), known, ["7", "7"]).scores).items()
    assert "1 of 1" in " ".join(questions[1])
    assert answers[0] == "solved, the 0 of 2 whose answer"
    assert answers[1][-4:] == ["–"] * 4


def test_where_nothing_is_in_training_one_line_says_so(tmp_path: Path) -> None:
    new = {"21?": "8", "22?": "95"}
    scores = scored(write_texts(tmp_path / "texts", new), new, ["8", "8"]).scores | {"step": 1}
    assert rows_of(scores) == {}
    assert "none of the 2 test questions is in training, and none of their answers" in scores_table(scores)


def test_without_a_training_split_nothing_is_said_of_it(tmp_path: Path) -> None:
    dataset = write_texts(tmp_path / "texts", TEST)
    (dataset / "manifest.json").unlink()
    shutil.rmtree(dataset / "train")
    results = scored(dataset, TEST, PREDICTED)
    assert "in_training" not in results.scores["tasks"][0]
    assert "question_in_training" not in results.examples
    assert "in training" not in scores_table(results.scores | {"step": 1})


def test_arc_counts_the_test_outputs_that_are_right_and_not_in_training(tmp_path: Path) -> None:
    subsets = tasks()
    shown = subsets["training"]["striped"]["train"][0]
    first, second = subsets["evaluation"]["mixed"]["test"]
    first["input"], second["output"] = shown["input"], [row[::-1] for row in shown["output"]]
    dataset, _ = build_arc(tmp_path, write_sources(tmp_path, subsets))
    results = evaluator(dataset, arc=True).run()
    assert results.voting is not None
    marks = [(output.question_in_training, output.answer_in_training) for output in results.voting.outputs]
    assert sorted(marks) == [(False, False), (False, True), (True, False)]
    scores = results.scores
    overlap = scores["in_training"]
    assert [overlap[name] for name in ("examples", "questions", "answers")] == [3, 1, 1]
    assert overlap["without_questions"] == {"outputs_correct@1": 0, "outputs_correct@2": 0}
    assert overlap["baselines"]["copy"]["without_answers"] == {"outputs_correct@1": 0, "outputs_correct@2": 0}
    assert "mirror images" in overlap["compared"]
    assert list(rows_of(scores)) == [
        f"outputs right, 2 attempts, the 2 of 3 whose {what}" for what in ("question", "answer")
    ]
    assert all("in_training" not in task for task in scores["tasks"])

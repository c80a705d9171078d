"""ARC voting: equal to the golden numbers, and right in the corners that they do not visit."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.golden.cases import GOLDEN_DIR
from tests.trm_lab.evaluation.small_votes import (
    CANVAS,
    NAMES,
    OTHER_QUESTION,
    QUESTION,
    A,
    B,
    C,
    Grid,
    task,
    tokens,
    vote,
)
from trm.act import halting_probability
from trm.errors import UserError
from trm_lab.evaluation.arc_questions import Questions
from trm_lab.evaluation.voting import ArcVoting
from trm_lab.runs.arc_outputs import FALLBACK_GRID, read_outputs

VOTE = GOLDEN_DIR / "vote"


def golden(name: str) -> Any:
    return json.loads((VOTE / name).read_text())


def test_scores_and_submission_equal_the_published_evaluator() -> None:
    voting = ArcVoting(Questions(golden("identifiers.json"), golden("test_puzzles.json")))
    with np.load(VOTE / "predictions.npz") as arrays:
        confidence = halting_probability(torch.from_numpy(arrays["q_halt_logits"])).numpy()
        voting.add(arrays["puzzle_identifiers"], arrays["inputs"], arrays["preds"], confidence)
    result = voting.result()
    expected = golden("result.json")
    assert {name: result.scores[name] for name in expected} == expected
    assert result.submission == golden("submission.json")
    assert result.counts["outputs"] == 7
    assert result.scores["ARC/prize_score"] == result.counts["outputs_correct@2"] / 7


def test_an_answer_counts_in_the_frame_of_the_task_whatever_its_augmentation() -> None:
    result = vote({"x": task((QUESTION, A))}, [(1, QUESTION, A, 0.5), (2, QUESTION, A, 0.5)])
    assert result.outputs[0].rank == 1
    assert result.outputs[0].votes_of_best == 2
    assert result.submission == {"x": [{"attempt_1": A, "attempt_2": A}]}


def test_more_votes_go_before_more_confidence_and_confidence_breaks_ties() -> None:
    votes = [(1, QUESTION, A, 0.9), (1, QUESTION, B, 0.1), (2, QUESTION, B, 0.1), (1, QUESTION, C, 0.95)]
    result = vote({"x": task((QUESTION, A))}, votes)
    assert result.submission["x"] == [{"attempt_1": B, "attempt_2": C}]
    assert result.outputs[0].rank == 3
    assert result.scores["ARC/pass@2"] == 0
    assert result.scores["ARC/pass@5"] == 1


def test_an_empty_prediction_goes_behind_its_equals() -> None:
    for grid in (A, B, C):
        votes = [(1, QUESTION, [], 0.5), (1, QUESTION, grid, 0.5)]
        (attempts,) = vote({"x": task((QUESTION, A))}, votes).submission["x"]
        assert attempts == {"attempt_1": grid, "attempt_2": FALLBACK_GRID}


def test_an_empty_prediction_has_its_vote_but_is_never_submitted_as_an_empty_grid() -> None:
    voting = ArcVoting(Questions(NAMES, {"x": task((QUESTION, A))}, CANVAS))
    asked = np.stack([tokens(1, QUESTION)] * 3)
    answered = np.stack([np.zeros_like(asked[0]), np.zeros_like(asked[0]), tokens(1, A)])
    voting.add(np.array([1, 1, 1]), asked, answered, np.full(3, 0.5))
    result = voting.result()
    assert result.outputs[0].rank == 2
    assert result.submission["x"] == [{"attempt_1": FALLBACK_GRID, "attempt_2": A}]


@pytest.mark.parametrize(
    ("identifier", "question", "named"), [(1, OTHER_QUESTION, "'x' has a 1x3"), (3, QUESTION, "'y'")]
)
def test_a_prediction_for_no_known_test_input_is_an_error_that_names_it(
    identifier: int, question: Grid, named: str
) -> None:
    with pytest.raises(UserError, match=named):
        vote({"x": task((QUESTION, A))}, [(identifier, question, A, 0.5)])


def test_a_test_input_of_another_task_is_none_of_this_one() -> None:
    tests = {"x": task((QUESTION, A)), "y": task((OTHER_QUESTION, A), (QUESTION, A))}
    with pytest.raises(UserError, match=r"'x' has a 1x3 input.* none of the task's 1 test"):
        vote(tests, [(3, QUESTION, A, 0.5), (1, OTHER_QUESTION, A, 0.5)])


def test_halting_probability_is_the_sigmoid_in_float64() -> None:
    probability = halting_probability(torch.tensor([-800.0, 0.0, 20.0])).numpy()
    assert probability.dtype == np.float64
    np.testing.assert_allclose(probability, [0, 0.5, 1 / (1 + np.exp(-20.0))], rtol=1e-15)


def test_an_input_counts_by_the_grid_that_it_shows_whatever_is_around_it() -> None:
    voting = ArcVoting(Questions(NAMES, {"x": task((QUESTION, A))}, CANVAS))
    asked = tokens(2, QUESTION)
    asked[-1] = 7
    voting.add(np.array([2]), asked[None], tokens(2, A)[None], np.full(1, 0.5))
    assert voting.result().outputs[0].rank == 1


def test_a_name_that_is_no_augmentation_is_an_error_that_shows_it() -> None:
    voting = ArcVoting(Questions(["<blank>", "x|||t9|||0123456789"], {"x": task((QUESTION, A))}, CANVAS))
    with pytest.raises(UserError, match=r"t9\|\|\|"):
        voting.add(np.array([1]), tokens(1, QUESTION)[None], tokens(1, A)[None], np.full(1, 0.5))


def test_an_answer_or_question_larger_than_the_canvas_is_known_but_never_reached() -> None:
    large = [[1] * (CANVAS + 1)]
    result = vote({"x": task((QUESTION, large), (large, A))}, [(1, QUESTION, A, 0.5)])
    assert [(output.known, output.rank, output.votes) for output in result.outputs] == [
        (True, None, 1),
        (True, None, 0),
    ]


def test_no_task_is_an_empty_result_and_any_prediction_an_error() -> None:
    voting = ArcVoting(Questions(NAMES, {}, CANVAS))
    assert (voting.result().outputs, voting.result().submission) == ([], {})
    with pytest.raises(UserError, match="none of the task's 0 test inputs"):
        voting.add(np.array([1]), tokens(1, QUESTION)[None], tokens(1, A)[None], np.full(1, 0.5))


def test_written_records_are_read_back_and_the_submission_is_json(tmp_path: Path) -> None:
    tests = {"x": task((QUESTION, A)), "y": task((QUESTION, None))}
    result = vote(tests, [(1, QUESTION, B, 0.9), (1, QUESTION, A, 0.5)])
    result.write(tmp_path)
    assert read_outputs(tmp_path / "outputs.jsonl") == result.outputs
    assert json.loads((tmp_path / "submission.json").read_text()) == result.submission
    first = json.loads((tmp_path / "outputs.jsonl").read_text().splitlines()[0])
    assert (first["correct@1"], first["correct@2"]) == (False, True)

"""Scores, rankings, records and the table: each definition on a case worked out by hand."""

import json
import math
from pathlib import Path

import pytest

from tests.trm_lab.evaluation.small_votes import OTHER_QUESTION, QUESTION, A, B, C, Vote, task, vote
from trm.errors import UserError
from trm_lab.commands.choices import DEFAULT_RANKING, RANKINGS
from trm_lab.commands.tables import table
from trm_lab.configuration.train_config import ARC_SCORES
from trm_lab.runs.arc_outputs import FALLBACK_GRID, OutputRecord, outputs_table, read_outputs

D = [[7, 7]]


def votes_for(identifier: int, question: list[list[int]], *grids: list[list[int]]) -> list[Vote]:
    return [(identifier, question, grid, 0.5) for grid in grids]


def test_macro_and_official_differ_where_tasks_have_several_outputs() -> None:
    """x has two outputs, one of them right at the first attempt; y has one, right at the second."""
    tests = {"x": task((QUESTION, A), (OTHER_QUESTION, C)), "y": task((QUESTION, B))}
    votes = votes_for(1, QUESTION, A) + votes_for(1, OTHER_QUESTION, B) + votes_for(3, QUESTION, D, D, B)
    scores = vote(tests, votes).scores
    assert scores["ARC/pass@1"] == (1 / 2 + 0) / 2
    assert scores["ARC/pass@2"] == (1 / 2 + 1) / 2
    assert scores["ARC/prize_score"] == 2 / 3


def test_pass_at_k_counts_the_first_k_and_the_prize_score_two() -> None:
    """The right answer has place 3, 6 and 11 of candidates with falling votes."""
    grids = [[[c, c, c]] for c in range(10)] + [[[c], [c]] for c in range(10)]
    for place, first_k in ((3, 5), (6, 10), (11, 100)):
        votes = [vote for n, grid in enumerate(grids) for vote in votes_for(1, QUESTION, *[grid] * (30 - n))]
        scores = vote({"x": task((QUESTION, grids[place - 1]))}, votes).scores
        assert tuple(scores) == ARC_SCORES
        for k in (1, 2, 5, 10, 100, 1000):
            assert scores[f"ARC/pass@{k}"] == (1 if k >= first_k else 0)
        assert scores["ARC/prize_score"] == 0


def test_missing_predictions_are_wrong_in_both_scores() -> None:
    tests = {"x": task((QUESTION, A), (OTHER_QUESTION, C)), "y": task((QUESTION, B))}
    result = vote(tests, votes_for(1, QUESTION, A))
    assert result.scores["ARC/pass@1000"] == (1 / 2 + 0) / 2
    assert result.scores["ARC/prize_score"] == 1 / 3
    assert result.counts["outputs_without_votes"] == 2
    assert result.submission["y"] == [{"attempt_1": FALLBACK_GRID, "attempt_2": FALLBACK_GRID}]


def test_equal_test_inputs_are_two_outputs_in_both_scores() -> None:
    """Two attempts for one input cannot be told apart, so that each answer is right within two."""
    tests = {"x": task((QUESTION, A), (QUESTION, B)), "y": task((QUESTION, D))}
    result = vote(tests, votes_for(1, QUESTION, A, A, B) + votes_for(3, QUESTION, C))
    assert result.scores["ARC/pass@1"] == (1 / 2 + 0) / 2
    assert result.scores["ARC/pass@2"] == (1 + 0) / 2
    assert result.scores["ARC/prize_score"] == 2 / 3
    first, second, _ = result.outputs
    assert (first.votes, second.votes) == (3, 3)
    assert (first.votes_of_right, second.votes_of_right) == (2, 1)


def test_hidden_outputs_are_submitted_and_leave_both_scores_to_the_others() -> None:
    tests = {"x": task((QUESTION, A), (OTHER_QUESTION, None)), "y": task((QUESTION, None))}
    votes = votes_for(1, QUESTION, A) + votes_for(1, OTHER_QUESTION, B) + votes_for(3, QUESTION, C)
    result = vote(tests, votes)
    assert (result.scores["ARC/pass@1"], result.scores["ARC/prize_score"]) == (1, 1)
    assert result.submission["x"][1]["attempt_1"] == B
    assert result.submission["y"][0]["attempt_1"] == C
    no_answer = vote({"x": task((QUESTION, None))}, votes_for(1, QUESTION, A))
    assert (no_answer.scores, no_answer.counts["outputs"]) == ({}, 0)


RANKED: list[tuple[str, list[list[int]], list[list[int]]]] = [
    ("count_confidence", A, C),
    ("count", A, C),
    ("confidence_sum", C, A),
    ("mean_confidence", B, C),
]


@pytest.mark.parametrize(("ranked_by", "first", "second"), RANKED, ids=[name for name, *_ in RANKED])
def test_each_ranking_looks_at_what_it_says(ranked_by: str, first: list[list[int]], second: list[list[int]]) -> None:
    """A: three votes of 0.375. B: one of 1. C: two of 0.75."""
    confidence = [(A, 0.375)] * 3 + [(B, 1.0)] + [(C, 0.75)] * 2
    votes: list[Vote] = [(1, QUESTION, grid, one) for grid, one in confidence]
    result = vote({"x": task((QUESTION, A))}, votes, ranked_by=ranked_by)
    assert result.submission["x"] == [{"attempt_1": first, "attempt_2": second}]


def test_counting_and_mean_confidence_is_the_default_and_every_ranking_is_explained() -> None:
    assert DEFAULT_RANKING == "count_confidence"
    assert {name for name, *_ in RANKED} == set(RANKINGS)
    assert all(meaning and "\n" not in meaning for meaning in RANKINGS.values())


def test_sums_of_log_probabilities_are_sums_of_probabilities() -> None:
    """B's two likely votes outweigh A's three unlikely ones; sums of the logarithms themselves would favour C."""
    confidence = [(A, -3.0)] * 3 + [(B, -0.5)] * 2 + [(C, -0.4)]
    votes: list[Vote] = [(1, QUESTION, grid, one) for grid, one in confidence]
    result = vote(
        {"x": task((QUESTION, A))}, votes, ranked_by="confidence_sum", confidence_kind="token_log_probability"
    )
    assert result.submission["x"] == [{"attempt_1": B, "attempt_2": C}]
    assert result.outputs[0].confidence_of_best == pytest.approx(math.exp(-0.5), rel=1e-15)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"ranked_by": "votes"}, "ranked_by='votes'"),
        ({"confidence_kind": "logits"}, "confidence_kind='logits'"),
        ({"ranked_by": "confidence_sum"}, "halting_probability of -3"),
    ],
)
def test_a_ranking_that_makes_no_sense_is_an_error(settings: dict[str, str], named: str) -> None:
    with pytest.raises(UserError, match=named):
        vote({"x": task((QUESTION, A))}, [(1, QUESTION, A, -3.0)], **settings)


@pytest.mark.parametrize("ranked_by", RANKINGS)
def test_a_diverged_models_confidence_ranks_last_and_stops_nothing(ranked_by: str) -> None:
    votes: list[Vote] = [(1, QUESTION, B, math.nan), (1, QUESTION, A, 0.25)]
    output = vote({"x": task((QUESTION, A))}, votes, ranked_by=ranked_by).outputs[0]
    assert output.rank == 1 or ranked_by == "count"
    assert output.votes == 2


def test_a_record_tells_agreement_and_the_votes_of_the_right_answer() -> None:
    tests = {"x": task((QUESTION, A), (OTHER_QUESTION, A)), "y": task((QUESTION, None))}
    votes = votes_for(1, QUESTION, B, B, B, A) + votes_for(3, QUESTION, C)
    first, without_votes, unknown = vote(tests, votes).outputs
    assert (first.agreement, first.rank, first.votes_of_right) == (3 / 4, 2, 1)
    assert (without_votes.agreement, without_votes.rank, without_votes.votes_of_right) == (0, None, 0)
    assert (unknown.agreement, unknown.rank, unknown.votes_of_right) == (1, None, 0)


def test_records_of_older_files_are_read(tmp_path: Path) -> None:
    result = vote({"x": task((QUESTION, A))}, votes_for(1, QUESTION, B, B, A))
    result.write(tmp_path)
    file = tmp_path / "outputs.jsonl"
    (row,) = map(json.loads, file.read_text().splitlines())
    assert (row["agreement"], row["votes_of_right"]) == (2 / 3, 1)
    for new in ("agreement", "votes_of_right"):
        del row[new]
    file.write_text(json.dumps(row) + "\n")
    (old,) = read_outputs(file)
    assert old.votes_of_right == 0
    assert (old.rank, old.agreement) == (2, 2 / 3)


def test_the_table_has_a_row_for_each_output() -> None:
    outputs = [
        OutputRecord("x", 0, True, 2, 8, 3, 6, 0.5, votes_of_right=1),
        OutputRecord("x", 1, True, None, 0, 0, 0, 0.0),
        OutputRecord("y", 0, False, None, 4, 1, 4, 0.5),
    ]
    assert outputs_table(outputs) == [
        ["task", "output", "votes", "candidates", "agreement", "rank of right", "right in 1", "right in 2"],
        ["x", "1", "8", "3", "75.0 %", "2", "no", "yes"],
        ["x", "2", "0", "0", "0.0 %", "–", "no", "no"],
        ["y", "1", "4", "1", "100.0 %", "?", "?", "?"],
    ]
    assert len(table(outputs_table(outputs)).splitlines()) == 4

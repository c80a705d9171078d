"""Votes come to the same however they arrive, and to what counting them one by one comes to."""

from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trm_lab.evaluation.small_votes import (
    CANVAS,
    NAMES,
    OTHER_QUESTION,
    QUESTION,
    A,
    Arrays,
    B,
    C,
    Grid,
    Vote,
    arrays,
    task,
    vote,
)
from trm_lab.commands.choices import RANKINGS
from trm_lab.evaluation.arc_questions import Questions
from trm_lab.evaluation.voting import ArcVoting
from trm_lab.runs.arc_outputs import VotingResult

TESTS = {"x": task((QUESTION, A), (OTHER_QUESTION, C), (QUESTION, B)), "y": task((QUESTION, None))}
ASKED = {1: [QUESTION, OTHER_QUESTION], 2: [QUESTION, OTHER_QUESTION], 3: [QUESTION], 0: [QUESTION]}
GRIDS = [A, B, C, [], [[0]], [[0, 0]], [[0], [0]], [[1, 1], [2, 0]], [[9] * CANVAS] * CANVAS]
CONFIDENCE = st.one_of(st.sampled_from([0.0, 0.5, 0.75]), st.floats(0, 1), st.just(1 - 2**-53))


@st.composite
def votes_drawn(draw: st.DrawFn, confidence: st.SearchStrategy[float] = CONFIDENCE) -> list[Vote]:
    count = draw(st.integers(0, 40))
    who = [draw(st.sampled_from([0, 1, 1, 2, 2, 3])) for _ in range(count)]
    return [(one, draw(st.sampled_from(ASKED[one])), draw(st.sampled_from(GRIDS)), draw(confidence)) for one in who]


def counted(parts: Sequence[Arrays], ranked_by: str = "count_confidence") -> VotingResult:
    voting = ArcVoting(Questions(NAMES, TESTS, CANVAS), ranked_by)
    for part in parts:
        voting.add(*part)
    return voting.result()


def taken(given_arrays: Arrays, rows: Sequence[int] | slice) -> Arrays:
    identifiers, inputs, preds, confidence = given_arrays
    return identifiers[rows], inputs[rows], preds[rows], confidence[rows]


@settings(max_examples=50)
@given(votes_drawn(), st.data(), st.sampled_from(list(RANKINGS)))
def test_neither_the_order_of_votes_nor_their_split_over_calls_changes_anything(
    votes: list[Vote], data: st.DataObject, ranked_by: str
) -> None:
    whole = arrays(votes)
    mixed = taken(whole, data.draw(st.permutations(range(len(votes)))))
    cut = data.draw(st.integers(0, len(votes)))
    parts = [taken(mixed, slice(0, cut)), taken(mixed, slice(cut, None))]
    assert counted(parts, ranked_by) == counted([whole], ranked_by)


def standing(ranked_by: str, confidence: list[float]) -> tuple[Fraction, ...]:
    number, total = Fraction(len(confidence)), sum(map(Fraction, confidence), Fraction(0))
    return {
        "count_confidence": (number, total / number),
        "count": (number,),
        "confidence_sum": (total, number),
        "mean_confidence": (total / number, number),
    }[ranked_by]


def one_by_one(votes: list[Vote]) -> dict[tuple[str, str], dict[str, list[float]]]:
    """Confidences of each candidate of each question."""
    confidences: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for identifier, question, answer, confidence in votes:
        if identifier:
            confidences["y" if identifier == 3 else "x", str(question)][str(answer)].append(confidence)
    return confidences


@settings(max_examples=50)
@given(votes_drawn(st.sampled_from([0.0, 0.25, 0.5, 0.875])), st.sampled_from(list(RANKINGS)))
def test_ranks_are_those_of_counting_one_by_one(votes: list[Vote], ranked_by: str) -> None:
    result, slow = vote(TESTS, votes, ranked_by=ranked_by), one_by_one(votes)
    for output in result.outputs:
        pair = TESTS[output.task]["test"][output.test_index]
        candidates = slow[output.task, str(pair["input"])]
        standings = {grid: standing(ranked_by, of_grid) for grid, of_grid in candidates.items()}
        ordered = sorted(standings.values(), reverse=True)
        assert output.votes == sum(map(len, candidates.values()))
        assert output.candidates == len(candidates)
        right = standings.get(str(pair.get("output")))
        if right is None or not output.known:
            assert (output.rank, output.votes_of_right) == (None, 0)
        else:
            assert output.rank is not None
            assert ordered[output.rank - 1] == right
            assert output.votes_of_right == len(candidates[str(pair["output"])])
        submitted = result.submission[output.task][output.test_index]
        for grid, expected in zip(submitted.values(), ordered, strict=False):
            assert standings[str(seen(grid, candidates))] == expected
        if ordered:
            best = candidates[str(seen(submitted["attempt_1"], candidates))]
            assert output.votes_of_best == len(best)
            assert output.confidence_of_best == sum(best) / len(best)


def seen(grid: Grid, candidates: dict[str, list[float]]) -> Grid:
    """The candidate that a submitted grid stands for; the fallback is no candidate here."""
    return grid if str(grid) in candidates else []


@settings(max_examples=50)
@given(st.lists(st.floats(-50, 0), min_size=1, max_size=30))
def test_mean_log_probability_is_exact_in_any_order(confidence: list[float]) -> None:
    exact = float(sum(map(Fraction, confidence), Fraction(0)) / len(confidence))
    votes: list[Vote] = [(1, QUESTION, A, one) for one in confidence]
    output = vote(TESTS, votes).outputs[0]
    assert output.confidence_of_best == pytest.approx(exact, rel=1e-15, abs=2**-60)
    assert vote(TESTS, votes[::-1]).outputs[0] == output

"""Two evaluations side by side: what is compared, what is refused, and what the numbers are."""

import json
from collections.abc import Sequence

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from trm.errors import UserError
from trm_lab.evaluation.comparison import Comparison, compare, comparison_table
from trm_lab.intervals import bootstrap_interval, paired_bootstrap
from trm_lab.runs.scored_items import ScoredItems

METRIC = "exact match"


def items(title: str, scores: Sequence[float], metric: str = METRIC, first: int = 0) -> ScoredItems:
    return ScoredItems(title, metric, {f"t{place + first:03}": score for place, score in enumerate(scores)})


def compared(first: ScoredItems, second: ScoredItems, common: bool = False) -> Comparison:
    return compare(first, second, np.random.default_rng(0), common, resamples=2000)


A, B = items("A", [1, 1, 0, 0.5, 1, 0.5, 1, 1]), items("B", [0, 1, 0.5, 0.5, 0, 0, 0, 0.5])


def test_a_comparison_by_hand() -> None:
    found = compared(A, B)
    assert (found.first.mean, found.second.mean) == (0.75, 0.3125)
    assert found.difference.mean == 0.4375
    assert (found.wins, found.losses, found.ties, found.tasks) == (5, 1, 2, 8)
    assert found.p_sign_test == pytest.approx(2 * (1 + 6) / 2**6)
    assert found.metric == METRIC


def test_the_intervals_are_the_bootstraps_of_the_same_seed() -> None:
    rng = np.random.default_rng(0)
    a, b = list(A.scores.values()), list(B.scores.values())
    found = compared(A, B)
    assert (found.first.low, found.first.high) == bootstrap_interval(a, rng, 2000)
    assert (found.second.low, found.second.high) == bootstrap_interval(b, rng, 2000)
    assert found.difference == paired_bootstrap(a, b, rng, 2000)


@settings(max_examples=10)
@given(st.permutations(range(8)))
def test_the_order_of_the_tasks_changes_nothing(order: list[int]) -> None:
    keys = list(A.scores)
    turned = ScoredItems("A", METRIC, {keys[place]: A.scores[keys[place]] for place in order})
    assert compared(turned, B) == compared(A, B)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_wins_and_losses_of_right_and_wrong_are_mcnemars(pairs: list[tuple[bool, bool]]) -> None:
    found = compared(items("A", [a for a, _ in pairs]), items("B", [b for _, b in pairs]))
    wins, losses = pairs.count((True, False)), pairs.count((False, True))
    assert (found.wins, found.losses, found.ties) == (wins, losses, len(pairs) - wins - losses)
    expected = scipy.stats.binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    assert found.p_sign_test == pytest.approx(expected)


def test_an_evaluation_beside_itself_differs_by_nothing() -> None:
    found = compared(A, A)
    assert (found.difference.mean, found.difference.p_two_sided, found.p_sign_test) == (0, 1, 1)
    assert found.ties == 8


def test_other_tasks_are_refused_counted_and_named() -> None:
    longer = items("A", [1.0] * 13)
    with pytest.raises(UserError) as caught:
        compared(longer, B)
    assert caught.value.given == "only A has 5 tasks: t008, t009, t010, …"
    assert "only the tasks that both have" in caught.value.remedy
    with pytest.raises(UserError) as caught:
        compared(items("A", [1.0] * 4), items("B", [1.0] * 4, first=2))
    assert caught.value.given == "only A has 2 tasks: t000, t001; only B has 2 tasks: t004, t005"


def test_common_tasks_are_compared_when_asked_for_and_those_left_out_are_counted() -> None:
    longer = items("A", [*A.scores.values(), 0, 0, 0])
    found = compared(longer, B, common=True)
    assert (found.first.left_out, found.second.left_out) == (3, 0)
    assert found.first.mean == 0.75
    assert found.difference == compared(A, B).difference
    assert "left out, as the other has not: 3 tasks of A" in comparison_table(found)


@pytest.mark.parametrize("common", [True, False])
def test_no_shared_task_and_no_task_at_all_are_refused(common: bool) -> None:
    for second in (items("B", [1.0], first=50), items("B", [])):
        with pytest.raises(UserError, match="share no task"):
            compared(A, second, common)


def test_scores_of_different_kinds_are_not_compared() -> None:
    with pytest.raises(UserError, match="A has scores of 'exact match', B of 'solved'") as caught:
        compared(A, items("B", [1.0] * 8, metric="solved"))
    assert "mean the same" in caught.value.allowed


def test_a_stranger_s_keys_move_no_cursor() -> None:
    with pytest.raises(UserError) as caught:
        compared(ScoredItems("A", METRIC, {"x": 1, "\x1b]0;owned\x07" + "y" * 999: 1}), items("B", [1]), True)
    assert "\x1b" not in str(caught.value)
    with pytest.raises(UserError) as caught:
        compared(ScoredItems("A", METRIC, {"t000": 1, "\x1b]0;owned\x07" + "y" * 999: 1}), items("B", [1]))
    assert "\x1b" not in str(caught.value)
    assert len(caught.value.given) < 200


def test_the_table_shows_all_that_was_found() -> None:
    found = compared(A, B)
    lines = comparison_table(found).splitlines()
    assert lines[0] == "exact match, 8 tasks; differences in percentage points"
    assert lines[2].split()[:3] == ["A", "75.0", "%"]
    assert lines[3].split()[:3] == ["B", "31.2", "%"]
    assert lines[4].split()[:4] == ["first", "−", "second", "+43.8"]
    assert f"{100 * found.difference.low:+.1f}".replace("-", "−") in lines[4]
    assert lines[5].endswith(f"{found.difference.p_two_sided:.3f}")
    assert lines[6].strip() == "first better on 5 tasks, second on 1, equal on 2; p (exact sign test): 0.219"


def test_where_all_tasks_score_the_same_no_interval_is_claimed() -> None:
    found = compared(items("A", [1.0] * 8), B)
    assert found.first.low is None
    assert comparison_table(found).splitlines()[2].endswith("100.0 %  [not estimable]")


def test_where_all_differences_are_the_same_no_interval_is_claimed() -> None:
    for second in ([1.0] * 8, [0.5] * 8):
        found = compared(items("A", [1.0] * 8), items("B", second))
        assert (found.difference.low, found.difference.high) == (None, None)
        assert comparison_table(found).count("[not estimable]") == 3


def test_json_takes_a_comparison() -> None:
    found = compared(A, B).as_dict()
    assert json.loads(json.dumps(found)) == found


def test_scores_are_within_0_and_1() -> None:
    for score in (1.5, -0.1, float("nan")):
        with pytest.raises(ValueError, match="not within"):
            items("A", [0.5, score])

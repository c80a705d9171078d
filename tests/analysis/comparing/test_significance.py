"""Tests over seeds against scipy.stats, and what cannot be told."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.claims.verdicts import UNDECIDED, judged
from analysis.comparing import pairwise_tests
from analysis.comparing.significance import MeanDifference, contrast, holm, one_sided, welch

SHARE = st.integers(0, 1000).map(lambda thousandths: thousandths / 1000)
PAIRS = st.lists(st.tuples(SHARE, SHARE), min_size=3, max_size=6)


@pytest.mark.filterwarnings("ignore:Precision loss")
@settings(max_examples=30)
@given(PAIRS, SHARE)
def test_the_tests_over_seeds_are_scipy_s(pairs: list[tuple[float, float]], claim: float) -> None:
    first, second = map(list, zip(*pairs, strict=True))
    no_spread = len(set(first)) == len(set(second)) == 1
    test, expected = welch(first, second), stats.ttest_ind(first, second, equal_var=False)
    if no_spread:
        assert test.p_two_sided == (1.0 if test.mean == 0 else None)
    else:
        assert test.p_two_sided == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-12)
        interval = expected.confidence_interval(0.95)
        assert (test.low, test.high) == pytest.approx((interval.low, interval.high), rel=1e-6, abs=1e-9)
    if len(set(first)) > 1:
        low = stats.ttest_1samp(first, claim, alternative="less").pvalue
        assert one_sided(first, claim) == pytest.approx((low, 1 - low), rel=1e-6, abs=1e-12)


def test_an_uncertain_claim_makes_a_distance_less_surprising() -> None:
    values = [0.70, 0.72, 0.71]
    sure, unsure = one_sided(values, 0.8), one_sided(values, 0.8, claim_error=0.05)
    assert sure[0] < unsure[0] < 0.5
    own = np.var(values, ddof=1) / 3
    freedom = 2 * ((own + 0.05**2) / own) ** 2  # Satterthwaite's, with none for the claim's error
    distance = np.mean(values) - 0.8
    assert unsure[0] == pytest.approx(stats.t.cdf(distance / math.sqrt(own + 0.05**2), freedom))


@pytest.mark.filterwarnings("ignore:Precision loss")
def test_two_seeds_or_three_against_more_have_the_degrees_of_freedom_of_the_smaller() -> None:
    few, many = [0.4, 0.5], [0.61, 0.62, 0.63, 0.65, 0.6]
    error = math.sqrt(np.var(few, ddof=1) / 2 + np.var(many, ddof=1) / 5)
    expected = 2 * stats.t.sf(abs(np.mean(few) - np.mean(many)) / error, 1)
    assert welch(few, many).p_two_sided == pytest.approx(expected)
    three = many[:3]
    error = math.sqrt(np.var(three, ddof=1) / 3 + np.var(many, ddof=1) / 5)
    assert welch(three, many).p_two_sided == pytest.approx(2 * stats.t.cdf((np.mean(three) - np.mean(many)) / error, 2))


def test_one_seed_and_runs_without_spread_tell_nothing() -> None:
    for test in (welch([0.5], [0.7]), welch([0.5], [0.5]), welch([0.5], [0.6, 0.7])):
        assert (test.low, test.high, test.p_two_sided) == (None, None, None)
    assert welch([0.5], [0.7]).mean == pytest.approx(-0.2)
    assert welch([0.5, 0.5], [0.7, 0.7]).p_two_sided is None
    assert welch([0.5, 0.5], [0.5, 0.5]).p_two_sided == 1.0
    assert one_sided([0.5], 0.5) is None
    assert one_sided([0.5, 0.5], 0.5) is None


@pytest.mark.parametrize("share", [207 / 300, 1 / 3])
def test_rounding_is_no_spread(share: float) -> None:
    """numpy's variance of such equal values is about 1e-32, by which any difference would be beyond all doubt."""
    result = welch([share] * 3, [0.7] * 3)
    assert (result.low, result.high, result.p_two_sided) == (None, None, None)
    assert result.mean == pytest.approx(share - 0.7)
    assert welch([share] * 3, [share] * 4).p_two_sided == 1.0
    for error in (0, 0.01):
        assert one_sided([share] * 3, 0.98, error) is None
        verdict = judged([share] * 3, 300, 0.98, error=error)
        assert (verdict.word, verdict.level, verdict.p) == (UNDECIDED, None, None)
        assert (verdict.low, verdict.high) == (None, None)


ANSWERS = np.array([[1, 1, 0, 1, 0, 1, 1, 0], [1, 0, 0, 1, 1, 1, 1, 0], [1, 1, 0, 1, 0, 0, 0, 1.0]])  # [n, Q]
OTHERS = np.array([[0, 1, 0, 1, 0, 0, 1, 0], [0, 0, 0, 1, 1, 0, 0, 0], [0, 1, 0, 0, 0, 0, 1, 0.0]])


def components(answers: np.ndarray) -> tuple[float, float]:
    """Variances of the mean over seeds, and of its part that is chance, from sums of squares of a two-way layout."""
    n, questions = answers.shape
    centred = answers - answers.mean()
    of_seeds = questions * (answers.mean(1) - answers.mean()) ** 2
    of_questions = n * (answers.mean(0) - answers.mean()) ** 2
    chance = ((centred**2).sum() - of_seeds.sum() - of_questions.sum()) / ((n - 1) * (questions - 1))
    return of_seeds.sum() / (n - 1) / answers.size, chance / answers.size


def test_the_error_of_a_difference_is_that_of_seeds_and_what_questions_add_to_it() -> None:
    (seeds_a, chance_a), (seeds_b, chance_b) = components(ANSWERS), components(OTHERS)
    between = np.var(ANSWERS.mean(0) - OTHERS.mean(0), ddof=1) / 8
    seeds, added = seeds_a + seeds_b, between - chance_a - chance_b
    assert added > 0
    test = contrast([ANSWERS, OTHERS], (1, -1))
    assert test.error == pytest.approx(math.sqrt(seeds + added))
    freedom = (seeds + added) ** 2 / ((seeds_a**2 + seeds_b**2) / 2 + added**2 / 7)
    assert test.freedom == pytest.approx(freedom)
    assert test.p_two_sided == pytest.approx(2 * stats.t.sf(test.mean / test.error, freedom))
    assert contrast([OTHERS, ANSWERS], (1, -1)).p_two_sided == pytest.approx(test.p_two_sided)


def test_a_question_that_is_hard_for_both_is_no_difference() -> None:
    hard = np.array([0, 0, 1, 0, 1, 0, 0, 1]) / 2
    shifted, test = contrast([ANSWERS - hard, OTHERS - hard], (1, -1)), contrast([ANSWERS, OTHERS], (1, -1))
    assert (shifted.mean, shifted.error) == pytest.approx((test.mean, test.error))


def test_one_seed_of_each_is_student_s_test_over_questions_and_of_one_alone_there_is_none() -> None:
    expected = stats.ttest_rel(ANSWERS[0], OTHERS[0])
    test = contrast([ANSWERS[:1], OTHERS[:1]], (1, -1))
    assert (test.p_two_sided, test.freedom) == (pytest.approx(expected.pvalue), 7)
    assert contrast([ANSWERS[:1], OTHERS], (1, -1)).p_two_sided is None
    assert contrast([ANSWERS[:1], ANSWERS[:1]], (1, -1)).p_two_sided == 1.0


def test_equal_scores_of_seeds_that_answered_differently_have_the_spread_of_their_answers() -> None:
    rolled = np.stack([np.roll(ANSWERS[0], shift) for shift in (0, 1, 2)])
    _, chance = components(rolled)
    test = contrast([rolled, np.zeros((3, 8))], (1, -1))
    between = np.var(rolled.mean(0), ddof=1) / 8
    assert test.error == pytest.approx(math.sqrt(chance + max(0, between - chance)))


def test_methods_on_other_numbers_of_questions_are_an_error() -> None:
    with pytest.raises(ValueError, match="want the same questions"):
        contrast([ANSWERS, OTHERS[:, :1]], (1, -1))


def test_what_is_detectable_is_found_in_80_of_100() -> None:
    for freedom in (2, 7.5, 1000):
        difference = MeanDifference(0.0, error=0.02, freedom=freedom).detectable(0.01)
        assert difference is not None
        critical = stats.t.ppf(0.995, freedom)
        assert stats.nct.sf(critical, freedom, difference / 0.02) == pytest.approx(0.8, abs=1e-4)
    assert MeanDifference(0.1).detectable(0.01) is None


def test_holm_s_adjustment_worked_out_by_hand() -> None:
    assert holm([0.01, None, 0.04, 0.03]) == pytest.approx([0.03, None, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([None]) == [None]


def test_a_table_says_of_how_many_seeds_what_it_could_have_seen_is() -> None:
    """A row without a test could have seen nothing; a table of such rows says nothing of it."""
    draws = np.random.default_rng(0)
    several, one = draws.random((3, 20)).round(), draws.random((1, 20)).round()
    parts, weights = [[several, 1 - several], [several, one]], [(1, -1)] * 2
    assert (
        "that 3 seeds of each and 20 questions show"
        in pairwise_tests.tests_table(pairwise_tests.tested(["a", "b"], parts, weights), "").notes[1]
    )
    assert len(pairwise_tests.tests_table(pairwise_tests.tested(["b"], parts[1:], weights[1:]), "").notes) == 1

"""Tests over seeds against scipy.stats, and what cannot be told."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.claims.verdicts import UNDECIDED, judged
from analysis.comparing.significance import holm, one_sided, paired, welch

SHARE = st.integers(0, 1000).map(lambda thousandths: thousandths / 1000)
PAIRS = st.lists(st.tuples(SHARE, SHARE), min_size=2, max_size=6)


@pytest.mark.filterwarnings("ignore:Precision loss")
@settings(max_examples=30)
@given(PAIRS, SHARE)
def test_the_tests_over_seeds_are_scipy_s(pairs: list[tuple[float, float]], claim: float) -> None:
    first, second = map(list, zip(*pairs, strict=True))
    no_spread = len(set(first)) == len(set(second)) == 1
    no_spread_of_differences = np.ptp(np.subtract(first, second)) < 1e-9
    for test, undefined, expected in (
        (welch(first, second), no_spread, stats.ttest_ind(first, second, equal_var=False)),
        (paired(first, second), no_spread_of_differences, stats.ttest_rel(first, second)),
    ):
        if undefined:
            assert test.p_two_sided == (1.0 if test.mean == 0 else None)
            continue
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
    assert welch(few, many, cautious=True).p_two_sided == pytest.approx(expected)
    assert welch(few, many).p_two_sided == pytest.approx(stats.ttest_ind(few, many, equal_var=False).pvalue)
    for seeds, others in ((3, 3), (4, 5), (5, 4)):
        assert welch(many[:seeds], many[:others], cautious=True) == welch(many[:seeds], many[:others])


def test_one_seed_and_runs_without_spread_tell_nothing() -> None:
    for test in (welch([0.5], [0.7]), paired([0.5], [0.7]), welch([0.5], [0.5])):
        assert (test.low, test.high, test.p_two_sided) == (None, None, None)
    assert welch([0.5], [0.7]).mean == pytest.approx(-0.2)
    assert welch([0.5, 0.5], [0.7, 0.7]).p_two_sided is None
    assert welch([0.5, 0.5], [0.5, 0.5]).p_two_sided == 1.0
    assert one_sided([0.5], 0.5) is None
    assert one_sided([0.5, 0.5], 0.5) is None


@pytest.mark.parametrize("share", [207 / 300, 1 / 3])
def test_rounding_is_no_spread(share: float) -> None:
    """numpy's variance of such equal values is about 1e-32, by which any difference would be beyond all doubt."""
    for test in (welch, paired):
        result = test([share] * 3, [0.7] * 3)
        assert (result.low, result.high, result.p_two_sided) == (None, None, None)
        assert result.mean == pytest.approx(share - 0.7)
    assert welch([share] * 3, [share] * 4).p_two_sided == 1.0
    assert paired([share + 0.007, share], [share, share - 0.007]).p_two_sided is None
    for error in (0, 0.01):
        assert one_sided([share] * 3, 0.98, error) is None
        verdict = judged([share] * 3, 300, 0.98, error=error)
        assert (verdict.word, verdict.level, verdict.p) == (UNDECIDED, None, None)
        assert (verdict.low, verdict.high) == (None, None)


def test_holm_s_adjustment_worked_out_by_hand() -> None:
    assert holm([0.01, None, 0.04, 0.03]) == pytest.approx([0.03, None, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([None]) == [None]

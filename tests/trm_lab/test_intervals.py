"""Intervals and tests: equal to scipy's, known values, bounds, coverage."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from trm_lab import intervals
from trm_lab.intervals import (
    SeedSummary,
    bootstrap_interval,
    exact_interval,
    over_seeds,
    paired_bootstrap,
    sign_test,
    wilson_interval,
)


@pytest.mark.parametrize(("right", "of"), [(0, 20), (1, 3), (9, 45), (45, 45), (500, 1000)])
@pytest.mark.parametrize("level", [0.95, 0.8])
def test_wilson_equals_scipys(right: int, of: int, level: float) -> None:
    reference = binomtest(right, of).proportion_ci(level, method="wilson")
    assert wilson_interval(right, of, level) == pytest.approx((reference.low, reference.high), abs=1e-12)


def test_wilson_holds_the_share_and_stays_a_share() -> None:
    for of in range(1, 60):
        for right in range(of + 1):
            low, high = wilson_interval(right, of)
            assert 0 <= low <= right / of <= high <= 1


def test_bootstrap_covers_the_true_mean_about_95_times_in_100() -> None:
    shares = np.array([0.0, 0.5, 1.0])
    likely = np.array([0.6, 0.1, 0.3])
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        low, high = bootstrap_interval(rng.choice(shares, 80, p=likely).tolist(), rng, resamples=500)
        covered += low <= shares @ likely <= high
    assert 0.89 <= covered / 200 <= 0.99


def test_bootstrap_is_the_same_for_the_same_seed_and_not_for_another() -> None:
    shares = [0.0, 1.0, 0.5, 1.0, 0.25, 0.0, 0.75, 0.3]
    first, again, other = (bootstrap_interval(shares, np.random.default_rng(seed), resamples=500) for seed in (3, 3, 4))
    assert first == again
    assert first != other


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0, 0.1 + 0.2])
@pytest.mark.parametrize("tasks", [1, 6, 40, 2000])
def test_a_sample_without_spread_has_no_interval(share: float, tasks: int) -> None:
    assert bootstrap_interval([share] * tasks, np.random.default_rng(0)) is None
    pair = paired_bootstrap([share] * tasks, [share / 2] * tasks, np.random.default_rng(0), 200)
    assert (pair.low, pair.high) == (None, None)
    seeds = over_seeds([share] * tasks)
    assert (seeds.low, seeds.high) == (None, None)


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=12))
def test_no_interval_has_width_0(shares: list[float]) -> None:
    for found in (
        bootstrap_interval(shares, np.random.default_rng(0), 200) or (None, None),
        (over_seeds(shares).low, over_seeds(shares).high),
        wilson_interval(sum(shares), len(shares)),
        exact_interval(sum(shares), len(shares)),
    ):
        low, high = found
        assert low is None or high is None or low < high


@pytest.mark.parametrize(("right", "of"), [(0, 20), (1, 3), (45, 45), (500, 1000), (9, 120)])
def test_the_exact_interval_equals_scipys(right: int, of: int) -> None:
    reference = binomtest(right, of).proportion_ci(0.95, method="exact")
    assert exact_interval(right, of) == pytest.approx((reference.low, reference.high))
    low, high = exact_interval(min(right + 0.5, of), of)
    assert (low, high) == (exact_interval(right, of)[0], exact_interval(min(right + 1, of), of)[1])


def test_bootstrap_equals_scipys_up_to_the_draw() -> None:
    shares = np.random.default_rng(0).random(60)
    found = bootstrap_interval(shares.tolist(), np.random.default_rng(1))
    reference = scipy.stats.bootstrap(
        (shares,), np.mean, n_resamples=10_000, method="percentile", rng=np.random.default_rng(2),
        confidence_level=expanded(60),
    ).confidence_interval  # fmt: skip
    assert found == pytest.approx((reference.low, reference.high), abs=0.004)
    reference = scipy.stats.t.interval(0.95, 59, shares.mean(), scipy.stats.sem(shares))
    assert found == pytest.approx(reference, abs=0.004)


def test_bootstrap_in_parts_draws_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    shares = [0.0, 1.0, 0.5, 1.0, 0.25, 0.2, 0.9, 0.4]
    whole = bootstrap_interval(shares, np.random.default_rng(0), resamples=200)
    monkeypatch.setattr(intervals, "_DRAWS", 37)
    assert bootstrap_interval(shares, np.random.default_rng(0), resamples=200) == pytest.approx(whole)


def test_bootstrap_of_many_equal_scores_is_that_of_a_share_and_needs_no_room_for_each() -> None:
    examples, right = 400_000, 120_000
    scores = np.arange(examples) < right
    low, high = bootstrap_interval(scores.astype(float).tolist(), np.random.default_rng(0))
    assert (low, high) == pytest.approx(wilson_interval(right, examples), abs=1e-4)


@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=12), st.sampled_from([0.8, 0.95, 0.99]))
def test_the_interval_over_seeds_is_scipys_t_interval(millionths: list[int], level: float) -> None:
    values = [one / 10**6 for one in millionths]
    found = over_seeds(values, level)
    assert (found.mean, found.n) == (pytest.approx(np.mean(values)), len(values))
    assert found.sd == pytest.approx(np.std(values, ddof=1), abs=1e-9)
    standard_error = scipy.stats.sem(values)
    if np.ptp(values) <= 1e-9 * max(values):
        assert (found.low, found.high) == (None, None)
        return
    low, high = scipy.stats.t.interval(level, len(values) - 1, found.mean, standard_error)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-12)


def test_one_seed_and_three_by_hand() -> None:
    assert over_seeds([0.4]) == SeedSummary(mean=0.4, sd=None, low=None, high=None, n=1)
    found = over_seeds([0.40, 0.42, 0.47])
    assert found.mean == pytest.approx(0.43)
    assert found.sd == pytest.approx(0.0360555)
    assert found.high == pytest.approx(0.43 + 4.302653 * 0.0360555 / 3**0.5)


def test_few_tasks_are_tested_by_all_exchanges_of_their_two_sides() -> None:
    """Of 7 tasks scipy goes through all 128, with a p of two-sided as twice the smaller."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        a, b = rng.random(7) + 0.2, rng.random(7)
        found = paired_bootstrap(a, b, rng)
        reference = scipy.stats.permutation_test(
            (a, b), lambda x, y, axis: np.mean(x - y, axis), permutation_type="samples", vectorized=True
        )
        assert found.p_two_sided == pytest.approx(reference.pvalue)
        assert found.low is not None
        assert found.high is not None
        assert found.low <= found.mean <= found.high
        assert (found.p_two_sided < 0.05) == (not found.low <= 0 <= found.high)


@pytest.mark.parametrize("tasks", [1, 2, 3, 4, 5])
def test_fewer_than_six_tasks_tell_nothing(tasks: int) -> None:
    found = paired_bootstrap(np.linspace(0.5, 1, tasks), [0.0] * tasks, np.random.default_rng(0))
    assert (found.low, found.high) == (None, None)
    assert found.p_two_sided >= 0.05
    assert bootstrap_interval(np.linspace(0.5, 1, tasks).tolist(), np.random.default_rng(0)) is None


def expanded(tasks: int) -> float:
    """The level of plain percentiles at which they are an interval of 95 % for so few tasks."""
    quantile = np.sqrt(tasks / (tasks - 1)) * scipy.stats.t.ppf(0.975, tasks - 1)
    return float(2 * scipy.stats.norm.cdf(quantile) - 1)


def test_the_paired_bootstrap_equals_scipys_up_to_the_draw() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random(200), rng.random(200)
    found = paired_bootstrap(a, b, np.random.default_rng(1))
    reference = scipy.stats.bootstrap(
        (a - b,), np.mean, n_resamples=10_000, method="percentile", rng=np.random.default_rng(2),
        confidence_level=expanded(200),
    ).confidence_interval  # fmt: skip
    assert (found.low, found.high) == pytest.approx((reference.low, reference.high), abs=0.003)
    assert found.p_two_sided == pytest.approx(scipy.stats.ttest_rel(a, b).pvalue, abs=0.02)


@settings(max_examples=30)
@given(st.integers(0, 1000), st.floats(-0.3, 0.3))
def test_p_is_small_where_the_interval_leaves_out_0_and_turns_with_the_pair(seed: int, shift: float) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.random(30) + shift, rng.random(30)
    found = paired_bootstrap(a, b, np.random.default_rng(seed), resamples=500)
    turned = paired_bootstrap(b, a, np.random.default_rng(seed), resamples=500)
    assert (turned.mean, turned.low, turned.high) == pytest.approx((-found.mean, -found.high, -found.low))
    assert turned.p_two_sided == found.p_two_sided
    assert found.low is not None
    assert found.high is not None
    assert (found.p_two_sided < 0.05) == (not found.low <= 0 <= found.high)


def test_equal_scores_and_rounding_differ_by_nothing_and_p_is_1() -> None:
    rounding = paired_bootstrap([0.1 + 0.2] * 9, [0.3] * 9, np.random.default_rng(0))
    assert (rounding.mean, rounding.p_two_sided) == (0, 1)
    found = paired_bootstrap([1, 0, 0.5], [1, 0, 0.5], np.random.default_rng(0))
    assert (found.mean, found.low, found.high, found.p_two_sided) == (0, None, None, 1)


def test_p_is_never_0_and_pairs_that_are_always_won_give_the_smallest() -> None:
    found = paired_bootstrap([1.0] * 20, [0.0] * 20, np.random.default_rng(0), resamples=999)
    assert found.p_two_sided == pytest.approx(
        2 * scipy.stats.t.cdf(np.sqrt(19 / 20) * scipy.stats.norm.ppf(1 / 1000), 19)
    )
    for tasks in range(1, 8):
        always = paired_bootstrap([1.0] * tasks, [0.0] * tasks, np.random.default_rng(0))
        assert always.p_two_sided == sign_test(tasks, 0)


def test_numbers_that_are_no_sample_are_refused() -> None:
    for right, of in ((-1, 4), (5, 4), (0, 0)):
        for interval in (wilson_interval, exact_interval):
            with pytest.raises(ValueError, match="0 <= right <= of"):
                interval(right, of)
    with pytest.raises(ValueError, match="at least one"):
        bootstrap_interval([], np.random.default_rng(0))
    with pytest.raises(ValueError, match="at least one"):
        over_seeds([])
    with pytest.raises(ValueError, match="not negative"):
        sign_test(-1, 3)


def test_pairs_need_the_same_tasks() -> None:
    for a, b in (([1.0], [1.0, 0.0]), ([], []), ([[1.0]], [[1.0]])):
        with pytest.raises(ValueError, match="the same tasks"):
            paired_bootstrap(a, b, np.random.default_rng(0))


@given(st.integers(0, 3000), st.integers(0, 3000))
def test_the_sign_test_equals_scipys(a_only: int, b_only: int) -> None:
    expected = 1.0 if a_only + b_only == 0 else binomtest(a_only, a_only + b_only).pvalue
    assert sign_test(a_only, b_only) == pytest.approx(expected, rel=1e-9)
    assert sign_test(a_only, b_only) == sign_test(b_only, a_only)

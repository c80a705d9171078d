"""Intervals and tests: equal to scipy's, known values, bounds, coverage."""

from itertools import product

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from trm.evaluation import intervals
from trm.evaluation.intervals import (
    SeedSummary,
    bootstrap_interval,
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


@pytest.mark.parametrize(("right", "of"), [(-1, 4), (5, 4), (0, 0)])
def test_wilson_refuses_counts_that_are_no_share(right: int, of: int) -> None:
    with pytest.raises(ValueError, match="0 <= right <= of"):
        wilson_interval(right, of)


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
    shares = [0.0, 1.0, 0.5, 1.0, 0.25, 0.0, 0.75]
    first, again, other = (
        bootstrap_interval(shares, np.random.default_rng(seed), resamples=50) for seed in (3, 3, 4)
    )
    assert first == again
    assert first != other


def test_bootstrap_of_equal_tasks_has_no_width() -> None:
    assert bootstrap_interval([0.5] * 6, np.random.default_rng(0)) == pytest.approx((0.5, 0.5))


def test_bootstrap_refuses_no_task() -> None:
    with pytest.raises(ValueError, match="at least one"):
        bootstrap_interval([], np.random.default_rng(0))


def test_bootstrap_equals_scipys_up_to_the_draw() -> None:
    shares = np.random.default_rng(0).random(60)
    found = bootstrap_interval(shares.tolist(), np.random.default_rng(1))
    reference = scipy.stats.bootstrap(
        (shares,), np.mean, n_resamples=10_000, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    assert found == pytest.approx((reference.low, reference.high), abs=0.004)


def test_bootstrap_in_parts_draws_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    shares = [0.0, 1.0, 0.5, 1.0, 0.25]
    whole = bootstrap_interval(shares, np.random.default_rng(0), resamples=200)
    monkeypatch.setattr(intervals, "_DRAWS", 37)
    assert bootstrap_interval(shares, np.random.default_rng(0), resamples=200) == pytest.approx(whole)


def test_bootstrap_of_many_equal_scores_is_that_of_a_share_and_needs_no_room_for_each() -> None:
    examples, right = 400_000, 120_000
    scores = np.arange(examples) < right
    low, high = bootstrap_interval(scores.astype(float).tolist(), np.random.default_rng(0))
    assert (low, high) == pytest.approx(wilson_interval(right, examples), abs=1e-4)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=12), st.sampled_from([0.8, 0.95, 0.99]))
def test_the_interval_over_seeds_is_scipys_t_interval(values: list[float], level: float) -> None:
    found = over_seeds(values, level)
    assert (found.mean, found.n) == (pytest.approx(np.mean(values)), len(values))
    assert found.sd == pytest.approx(np.std(values, ddof=1))
    standard_error = scipy.stats.sem(values)
    low, high = found.mean, found.mean
    if standard_error > 0:
        low, high = scipy.stats.t.interval(level, len(values) - 1, found.mean, standard_error)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-12)


def test_one_seed_has_a_mean_and_no_spread() -> None:
    assert over_seeds([0.4]) == SeedSummary(mean=0.4, sd=None, low=None, high=None, n=1)


def test_three_seeds_by_hand() -> None:
    found = over_seeds([0.40, 0.42, 0.47])
    assert found.mean == pytest.approx(0.43)
    assert found.sd == pytest.approx(0.0360555)
    assert found.high == pytest.approx(0.43 + 4.302653 * 0.0360555 / 3**0.5)


def test_no_seed_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        over_seeds([])


def test_the_paired_bootstrap_of_three_tasks_is_what_all_27_resamples_say() -> None:
    a, b = np.array([1.0, 0.5, 0.0]), np.array([0.0, 0.25, 0.5])
    means = np.array([np.mean(drawn) for drawn in product(a - b, repeat=3)])
    found = paired_bootstrap(a, b, np.random.default_rng(0), resamples=50_000)
    assert found.mean == pytest.approx(0.25)
    exact = 2 * min((means <= 0).mean(), (means >= 0).mean())
    assert found.p_two_sided == pytest.approx(exact, abs=0.01)
    low, high = np.quantile(means, [0.025, 0.975], method="inverted_cdf")
    assert (found.low, found.high) == pytest.approx((low, high))


def test_the_paired_bootstrap_equals_scipys_up_to_the_draw() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random(200), rng.random(200)
    found = paired_bootstrap(a, b, np.random.default_rng(1))
    reference = scipy.stats.bootstrap(
        (a - b,), np.mean, n_resamples=10_000, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx((reference.low, reference.high), abs=0.003)
    assert found.p_two_sided == pytest.approx(scipy.stats.ttest_rel(a, b).pvalue, abs=0.02)


@given(st.integers(0, 1000), st.floats(-0.3, 0.3))
def test_p_is_small_where_the_interval_leaves_out_0_and_turns_with_the_pair(seed: int, shift: float) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.random(30) + shift, rng.random(30)
    found = paired_bootstrap(a, b, np.random.default_rng(seed), resamples=500)
    turned = paired_bootstrap(b, a, np.random.default_rng(seed), resamples=500)
    assert (turned.mean, turned.low, turned.high) == pytest.approx((-found.mean, -found.high, -found.low))
    assert turned.p_two_sided == found.p_two_sided
    if not 0.03 < found.p_two_sided < 0.07:
        assert (found.p_two_sided < 0.05) == (not found.low <= 0 <= found.high)


def test_equal_scores_differ_by_nothing_and_p_is_1() -> None:
    found = paired_bootstrap([1, 0, 0.5], [1, 0, 0.5], np.random.default_rng(0))
    assert (found.mean, found.low, found.high, found.p_two_sided) == (0, 0, 0, 1)


def test_p_is_never_0_and_pairs_that_are_always_won_give_the_smallest() -> None:
    found = paired_bootstrap([1.0] * 20, [0.0] * 20, np.random.default_rng(0), resamples=999)
    assert found.p_two_sided == 2 / 1000


def test_rounding_is_no_difference() -> None:
    found = paired_bootstrap([0.1 + 0.2] * 9, [0.3] * 9, np.random.default_rng(0))
    assert (found.mean, found.p_two_sided) == (0, 1)


def test_between_equally_good_models_p_falls_below_5_in_100_about_so_often() -> None:
    rng = np.random.default_rng(0)
    surprising = sum(
        paired_bootstrap(rng.random(100) < 0.4, rng.random(100) < 0.4, rng, 500).p_two_sided < 0.05
        for _ in range(400)
    )
    assert 0.02 <= surprising / 400 <= 0.09


def test_pairs_need_the_same_tasks() -> None:
    for a, b in (([1.0], [1.0, 0.0]), ([], []), ([[1.0]], [[1.0]])):
        with pytest.raises(ValueError, match="the same tasks"):
            paired_bootstrap(a, b, np.random.default_rng(0))


@given(st.integers(0, 3000), st.integers(0, 3000))
def test_the_sign_test_equals_scipys(a_only: int, b_only: int) -> None:
    expected = 1.0 if a_only + b_only == 0 else binomtest(a_only, a_only + b_only).pvalue
    assert sign_test(a_only, b_only) == pytest.approx(expected, rel=1e-9)
    assert sign_test(a_only, b_only) == sign_test(b_only, a_only)


def test_the_sign_test_by_hand() -> None:
    assert sign_test(5, 0) == pytest.approx(2 / 2**5)
    assert sign_test(3, 1) == pytest.approx(2 * (1 + 4) / 2**4)
    assert sign_test(0, 0) == sign_test(4, 4) == 1
    with pytest.raises(ValueError, match="not negative"):
        sign_test(-1, 3)

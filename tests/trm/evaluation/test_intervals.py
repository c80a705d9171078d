"""Intervals: known values, bounds, coverage."""

import numpy as np
import pytest
from scipy.stats import binomtest

from trm.evaluation.intervals import bootstrap_interval, wilson_interval


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

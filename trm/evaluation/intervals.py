"""How far a score could be off: intervals for shares, for means over tasks and over seeds, and paired differences."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr, ndtri, stdtrit  # scipy.stats' functions, a second quicker to import

_SEPARATE = 1024  # tasks up to which each is drawn for itself
_DRAWS = 1 << 22  # numbers drawn at a time: bounds memory, not the result
_NO_DIFFERENCE = 1e-9  # of a difference in scores that is rounding


@dataclass(frozen=True)
class SeedSummary:
    """Runs that differ in their seed alone.

    sd: with n − 1 in the denominator.  low, high: of the interval of the mean.  None where one run cannot tell.
    """

    mean: float
    sd: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class PairedDifference:
    """Mean difference between two scores of the same tasks, its interval, and how surprising it would be by chance."""

    mean: float
    low: float
    high: float
    p_two_sided: float


def wilson_interval(right: int, of: int, level: float = 0.95) -> tuple[float, float]:
    """Return the Wilson score interval of a share of independent trials, within [0, 1].

    Unlike the normal approximation it stays honest for few trials and near 0 and 1: 0 of 20 gives (0, 0.161).
    Source: E. B. Wilson, JASA 22 (1927).

    Raises:
        ValueError: not 0 <= right <= of, or no trial at all.
    """
    if not 0 <= right <= of or of == 0:
        raise ValueError(f"{right} right of {of}: a share needs 0 <= right <= of and of >= 1")
    z = float(ndtri(0.5 + level / 2))
    share = right / of
    centre = (share + z**2 / (2 * of)) / (1 + z**2 / of)
    half_width = z / (1 + z**2 / of) * sqrt(share * (1 - share) / of + z**2 / (4 * of**2))
    # At 0 and at all right the bound is exactly 0 or 1; rounding would miss it by 1e-17.
    low = 0.0 if right == 0 else centre - half_width
    high = 1.0 if right == of else centre + half_width
    return low, high


def bootstrap_interval(
    task_shares: Sequence[float], rng: np.random.Generator, resamples: int = 10_000, level: float = 0.95
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of a mean over tasks, such as pass@k.

    Tasks are drawn with replacement, each with all of its test inputs, because outputs of one task succeed and
    fail together. When every task scores the same, the interval has no width: the sample shows no spread.

    Args:
        task_shares: for each task the share of its test inputs that are right.
        rng: the source of the resamples; seed it to get the same interval again.

    Raises:
        ValueError: there is no task.
    """
    if not len(task_shares):
        raise ValueError("no task to resample: an interval needs at least one")
    means = _resampled_means(np.asarray(task_shares, dtype=np.float64), rng, resamples)
    return _percentiles(means, level)


def over_seeds(values: Sequence[float], level: float = 0.95) -> SeedSummary:
    """Mean, standard deviation and Student's interval mean ± t·sd/√n of the scores of n runs.

    It is of what another seed's score can be expected to be on average, not of one further run.

    Raises:
        ValueError: there is no value.
    """
    if not len(values):
        raise ValueError("no value: a mean over seeds needs at least one")
    scores = np.asarray(values, dtype=np.float64)
    n, mean = len(scores), float(scores.mean())
    if n == 1:
        return SeedSummary(mean, None, None, None, n)
    sd = float(scores.std(ddof=1))
    half_width = float(stdtrit(n - 1, 0.5 + level / 2)) * sd / sqrt(n)
    return SeedSummary(mean, sd, mean - half_width, mean + half_width, n)


def paired_bootstrap(
    a: ArrayLike, b: ArrayLike, rng: np.random.Generator, resamples: int = 10_000, level: float = 0.95
) -> PairedDifference:
    """Mean of a − b over the same tasks, with the percentile interval of resampled tasks.

    p: twice the smaller of the shares of resampled means that are ≤ 0 and ≥ 0, each (1 + how many) / (1 + resamples)
    (Davison and Hinkley, Bootstrap Methods and their Application, 1997, §4.2), at most 1. So p is below 1 − level
    where the interval leaves out 0. Where few tasks differ, `sign_test` is exact and this is not.

    Args:
        a, b: scores of the same tasks in the same order.
        rng: the source of the resamples; seed it to get the same result again.

    Raises:
        ValueError: there is no task, or not as many in a as in b.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1 or not len(first):
        raise ValueError(f"scores {first.shape} and {second.shape}: want the same tasks' twice, at least one")
    differences = first - second
    differences[np.abs(differences) < _NO_DIFFERENCE] = 0.0
    means = _resampled_means(differences, rng, resamples)
    rounding = _NO_DIFFERENCE / len(differences)
    beyond = min(int((means <= rounding).sum()), int((means >= -rounding).sum()))
    p = min(1.0, 2 * (1 + beyond) / (1 + resamples))
    return PairedDifference(float(differences.mean()), *_percentiles(means, level), p)


def sign_test(a_only: int, b_only: int) -> float:
    """Two-sided p of the exact sign test: of the tasks on which two differ, as many go either way by chance.

    For right and wrong it is McNemar's exact test; tasks on which both do equally well tell nothing.

    Raises:
        ValueError: a negative count.
    """
    if min(a_only, b_only) < 0:
        raise ValueError(f"{a_only} and {b_only} tasks: counts are not negative")
    return min(1.0, 2 * float(bdtr(min(a_only, b_only), a_only + b_only, 0.5)))


def _resampled_means(
    values: NDArray[np.float64], rng: np.random.Generator, resamples: int
) -> NDArray[np.float64]:
    """Means of as many values drawn with replacement, `[resamples]`.

    Drawn as counts: how often each value occurs. Of many values, equal ones are drawn together, to the same effect.
    """
    classes, likely = values, np.full(len(values), 1 / len(values))
    if len(values) > _SEPARATE:
        classes, numbers = np.unique(values, return_counts=True)
        likely = numbers / len(values)
    rows = max(1, _DRAWS // len(classes))
    means = [
        rng.multinomial(len(values), likely, size=min(rows, resamples - start)) @ classes / len(values)
        for start in range(0, resamples, rows)
    ]
    return np.concatenate(means)


def _percentiles(means: NDArray[np.float64], level: float) -> tuple[float, float]:
    low, high = np.quantile(means, [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)

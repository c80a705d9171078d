"""How far a score could be off: intervals for shares, for means over tasks and over seeds, and paired differences.

A sample without spread has no interval from its spread: it is None, and written "not estimable", since a width of 0
would claim certainty. Where a difference has a p and an interval, both come from one test: p < 1 − level exactly where
the interval leaves out 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import ceil, floor, sqrt

import numpy as np
import scipy  # loads its parts at their first use; `special` is used here, since `stats` takes a second or more
from numpy.typing import ArrayLike, NDArray

_FEWEST_BOOTSTRAPPED = 8  # tasks; of fewer the bootstrap does not keep its level
_MOST_SEPARATE = 1024  # tasks; of more, equal scores are drawn together
_DRAWS = 1 << 22  # numbers drawn at a time: bounds memory, not the result
NOISE = 1e-9  # relative to the largest value: a smaller spread is rounding ([0.99] * 3 has a variance of 1e-32)
_NO_DIFFERENCE = 1e-9  # a smaller difference between two scores is rounding


@dataclass(frozen=True)
class SeedSummary:
    """Mean and spread of the scores of runs that differ in their seed alone.

    sd: with n − 1 in the denominator; None of one run.  low, high: of the interval of the mean; None of one run, or of
    several without spread.
    """

    mean: float
    sd: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class PairedDifference:
    """Mean difference between two scores of the same tasks, its interval, and how surprising it would be by chance.

    low, high: None where it cannot be estimated: fewer than six tasks, or the same difference on all of them.
    """

    mean: float
    low: float | None
    high: float | None
    p_two_sided: float


def wilson_interval(right: float, of: int, level: float = 0.95) -> tuple[float, float]:
    """Return the Wilson score interval of a share of independent trials, within [0, 1].

    Unlike the normal approximation it stays honest for few trials and near 0 and 1: 0 of 20 gives (0, 0.161).
    Source: E. B. Wilson, JASA 22 (1927).

    right: a sum of scores in [0, 1], such as a mean over tasks times their number, may stand for a count; the interval
      is then too wide rather than too narrow.

    Raises:
        ValueError: not 0 <= right <= of, or no trial at all.
    """
    if not 0 <= right <= of or of == 0:
        raise ValueError(f"{right} right of {of}: a share needs 0 <= right <= of and of >= 1")
    z = float(scipy.special.ndtri(0.5 + level / 2))
    share = right / of
    centre = (share + z**2 / (2 * of)) / (1 + z**2 / of)
    half_width = z / (1 + z**2 / of) * sqrt(share * (1 - share) / of + z**2 / (4 * of**2))
    # At 0 and at all right the bound is exactly 0 or 1; rounding would miss it by 1e-17.
    low = 0.0 if right == 0 else centre - half_width
    high = 1.0 if right == of else centre + half_width
    return low, high


def exact_interval(right: float, of: int, level: float = 0.95) -> tuple[float, float]:
    """Return the exact interval of a share of independent trials: what two exact one-sided tests do not reject.

    It is wider than Wilson's, which covers too seldom where few are right or few are wrong.
    Source: C. J. Clopper and E. S. Pearson, Biometrika 26 (1934).

    right: of a sum that is no whole number the next ones on both sides are taken.

    Raises:
        ValueError: not 0 <= right <= of, or no trial at all.
    """
    if not 0 <= right <= of or of == 0:
        raise ValueError(f"{right} right of {of}: a share needs 0 <= right <= of and of >= 1")
    fewest, most = whole_numbers_around(right)
    tail = (1 - level) / 2
    low = 0.0 if fewest == 0 else float(scipy.special.betaincinv(fewest, of - fewest + 1, tail))
    high = 1.0 if most == of else float(scipy.special.betaincinv(most + 1, of - most, 1 - tail))
    return low, high


def whole_numbers_around(right: float) -> tuple[int, int]:
    """The whole numbers at or below and at or above a sum of scores."""
    return floor(right + _NO_DIFFERENCE), ceil(right - _NO_DIFFERENCE)


def bootstrap_interval(
    task_shares: Sequence[float], rng: np.random.Generator, resamples: int = 10_000, level: float = 0.95
) -> tuple[float, float] | None:
    """Return the bootstrap interval of a mean over tasks, such as pass@k; see `_bounds`.

    Tasks are drawn with replacement, each with all of its test inputs, because outputs of one task succeed and
    fail together. None where it cannot be estimated: fewer than six tasks, or all score the same.

    Args:
        task_shares: for each task the share of its test inputs that are right.
        rng: the source of the resamples; seed it to get the same interval again.

    Raises:
        ValueError: there is no task.
    """
    if not len(task_shares):
        raise ValueError("no task to resample: an interval needs at least one")
    values = np.asarray(task_shares, dtype=np.float64)
    return _bounds(_resampled_means(values, rng, resamples), values, level)


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
    if np.ptp(scores) <= NOISE * np.abs(scores).max():
        return SeedSummary(mean, 0.0, None, None, n)
    sd = float(scores.std(ddof=1))
    half_width = float(scipy.special.stdtrit(n - 1, 0.5 + level / 2)) * sd / sqrt(n)
    return SeedSummary(mean, sd, mean - half_width, mean + half_width, n)


def paired_bootstrap(
    a: ArrayLike, b: ArrayLike, rng: np.random.Generator, resamples: int = 10_000, level: float = 0.95
) -> PairedDifference:
    """Mean of a − b over the same tasks, tested and estimated by resampling tasks.

    p: of the share of resampled means that are ≤ 0 or ≥ 0, whichever is smaller, as `_p_values` corrects it for few
    tasks. It is below 1 − level exactly where the interval leaves out 0.

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
    means[np.abs(means) < _NO_DIFFERENCE / len(differences)] = 0.0
    other_side = min(int((means <= 0).sum()), int((means >= 0).sum()))
    p_values = _p_values(len(differences), len(means))
    p = float(p_values[min(other_side, len(p_values) - 1)])
    low, high = _bounds(means, differences, level) or (None, None)
    return PairedDifference(float(differences.mean()), low, high, p)


def sign_test(a_only: int, b_only: int) -> float:
    """Two-sided p of the exact sign test: of the tasks on which two differ, as many go either way by chance.

    For right and wrong it is McNemar's exact test; tasks on which both do equally well tell nothing.

    Raises:
        ValueError: a negative count.
    """
    if min(a_only, b_only) < 0:
        raise ValueError(f"{a_only} and {b_only} tasks: counts are not negative")
    return min(1.0, 2 * float(scipy.special.bdtr(min(a_only, b_only), a_only + b_only, 0.5)))


def _resampled_means(values: NDArray[np.float64], rng: np.random.Generator, resamples: int) -> NDArray[np.float64]:
    """Means of as many values drawn with replacement, `[resamples]`; of few values the means of all their subsets.

    Drawn as counts: how often each value occurs. Of many values, equal ones are drawn together, to the same effect.
    """
    if len(values) < _FEWEST_BOOTSTRAPPED:
        subsets = np.array(list(product((0, 1), repeat=len(values))))[1:]  # [2^n − 1, n], without the empty one
        return subsets @ values / subsets.sum(1)
    classes, likely = values, np.full(len(values), 1 / len(values))
    if len(values) > _MOST_SEPARATE:
        classes, numbers = np.unique(values, return_counts=True)
        likely = numbers / len(values)
    rows = max(1, _DRAWS // len(classes))
    means = [
        rng.multinomial(len(values), likely, size=min(rows, resamples - start)) @ classes / len(values)
        for start in range(0, resamples, rows)
    ]
    return np.concatenate(means)


def _p_values(tasks: int, resamples: int) -> NDArray[np.float64]:
    """Two-sided p by how many resampled means lie on the other side of 0 than the mean, `[resamples // 2 + 1]`.

    A share q = (1 + how many) / (1 + resamples) of them is p = 2·q. Of subset means that is exact where a difference is
    as likely as its negative (J. Hartigan, JASA 64 (1969), typical values): the test that exchanges the two sides of a
    task at random. Bootstrap means of n tasks spread too little, by √((n−1)/n), and know nothing of Student's t: at 8
    tasks 2·q < 0.05 in 10 % of trials of two that are equally good. So q stands for the quantile √(n/(n−1))·t
    (T. Hesterberg, The American Statistician 69 (2015), expanded percentiles).
    """
    share = np.minimum(0.5, (1 + np.arange(resamples // 2 + 1)) / (1 + resamples))
    if tasks < _FEWEST_BOOTSTRAPPED:
        return 2 * share
    return 2 * scipy.special.stdtr(tasks - 1, sqrt((tasks - 1) / tasks) * scipy.special.ndtri(share))


def _bounds(means: NDArray[np.float64], values: NDArray[np.float64], level: float) -> tuple[float, float] | None:
    """The interval of the mean of `values`: all that a test by `_p_values` would not reject.

    None where that cannot be told: the values are the same but for rounding, or too few for any p below 1 − level.
    """
    rejected = int((_p_values(len(values), len(means)) < 1 - level).sum())
    if not rejected or np.ptp(values) <= NOISE * np.abs(values).max():
        return None
    means = np.partition(means, [rejected - 1, len(means) - rejected])
    return float(means[rejected - 1]), float(means[len(means) - rejected])

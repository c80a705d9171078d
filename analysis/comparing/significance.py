"""Is one method better than another over seeds, or is it chance? t-tests, and Holm's adjustment for several of them.

n seeds of a method. A sample whose values are the same but for rounding has no spread, and no test.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
import scipy
from numpy.typing import NDArray

from trm_lab.intervals import NOISE

FEWEST = 4  # seeds of each method from which on Welch's test keeps its level; at three of each it does, too


@dataclass(frozen=True)
class MeanDifference:
    """mean: of first − second.  low, high: its 95 % interval.  p_two_sided: of so large a difference by chance.

    error, freedom: the mean's standard error and its degrees of freedom.
    None where it cannot be estimated: from one seed, or from runs without any spread.
    """

    mean: float
    low: float | None = None
    high: float | None = None
    p_two_sided: float | None = None
    error: float = 0.0
    freedom: float = 0.0

    def tail_below(self, truth: float) -> float:
        """Probability of so low a mean if the true difference were `truth`."""
        return float(scipy.stats.t.cdf((self.mean - truth) / self.error, self.freedom))


def welch(first: Sequence[float], second: Sequence[float], cautious: bool = False) -> MeanDifference:
    """Welch's t-test: two methods whose seeds have nothing to do with each other, of unlike spread.

    cautious: keep the level where Welch's degrees of freedom do not: with two seeds of a method, or three against more,
      p < 0.05 in up to 10 % of trials between two that are equally good (2 against 10 seeds). There they are those of
      the smaller number, with which it is at most 5 % (H. Scheffé, JASA 65 (1970)).

    Raises:
        ValueError: no value.
    """
    a, b = _values(first), _values(second)
    noise = _rounding(a, b)
    mean, fewest = float(a.mean() - b.mean()), min(len(a), len(b))
    if fewest < 2:
        return _student(mean, 0.0, 0.0, noise)
    parts = _variance(a, noise) / len(a), _variance(b, noise) / len(b)
    error, freedom = sqrt(sum(parts)), float(fewest - 1)
    if error and not (cautious and fewest < FEWEST and (len(a), len(b)) != (3, 3)):
        freedom = error**4 / (parts[0] ** 2 / (len(a) - 1) + parts[1] ** 2 / (len(b) - 1))
    return _student(mean, error, freedom, noise)


def paired(first: Sequence[float], second: Sequence[float]) -> MeanDifference:
    """The paired t-test: runs of the same seeds, in the same order.

    Raises:
        ValueError: no value, or not as many in one as in the other.
    """
    a, b = _values(first), _values(second)
    if len(a) != len(b):
        raise ValueError(f"{len(a)} and {len(b)} runs: a paired test needs as many of each")
    differences, noise = a - b, _rounding(a, b)
    error = sqrt(_variance(differences, noise) / len(a)) if len(a) > 1 else 0.0
    return _student(float(differences.mean()), error, len(a) - 1.0, noise)


def one_sided(values: Sequence[float], claim: float, claim_error: float = 0.0) -> tuple[float, float] | None:
    """(p of a mean so low, p of a mean so high) if the truth were the claim; Student's t over seeds.

    claim_error: standard error of the claim itself, added to that of the mean, whose degrees of freedom rise with its
      part in the sum (Satterthwaite). The p without it is a lower bound, so that no claim is rejected that lies within
      the seeds' own t-interval.
    None where there is one value, or no spread.

    Raises:
        ValueError: no value.
    """
    a = _values(values)
    variance = _variance(a, _rounding(a)) / len(a) if len(a) > 1 else 0.0
    if variance == 0:
        return None
    distance, freedom, both = float(a.mean() - claim), len(a) - 1, variance + claim_error**2
    tails = [
        float(scipy.stats.t.cdf(distance / sqrt(variance), freedom)),
        float(scipy.stats.t.cdf(distance / sqrt(both), freedom * (both / variance) ** 2)),
    ]
    return max(tails), 1 - min(tails)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's adjusted p-values: of several tests, the chance that any such is among them. None stays None.

    Source: S. Holm, Scandinavian Journal of Statistics 6 (1979).
    """
    in_order = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    least = 0.0
    for rank, (p, place) in enumerate(in_order):
        adjusted[place] = least = max(least, min(1.0, (len(in_order) - rank) * p))
    return adjusted


def _student(mean: float, error: float, freedom: float, noise: float) -> MeanDifference:
    mean = 0.0 if abs(mean) <= noise else mean
    if error == 0:  # equal runs have no difference; of others without spread, or of one run, nothing can be said
        return MeanDifference(mean, p_two_sided=1.0 if mean == 0 and freedom > 0 else None)
    half_width = float(scipy.stats.t.ppf(0.975, freedom)) * error
    p = 2 * float(scipy.stats.t.sf(abs(mean) / error, freedom))
    return MeanDifference(mean, mean - half_width, mean + half_width, p, error, freedom)


def _rounding(*groups: NDArray[np.float64]) -> float:
    """The largest difference between these values that rounding alone may make."""
    return NOISE * max(float(np.abs(group).max()) for group in groups)


def _variance(values: NDArray[np.float64], noise: float) -> float:
    """Unbiased; 0 where the values are the same but for rounding."""
    return 0.0 if np.ptp(values) <= noise else float(values.var(ddof=1))


def _values(values: Sequence[float]) -> NDArray[np.float64]:
    if not len(values):
        raise ValueError("no value: a mean over seeds needs at least one")
    return np.asarray(values, dtype=np.float64)

"""Is a method better than another over seeds, or is it chance? t-tests, and their correction for being several.

n seeds of a method. All functions are of plain numbers; tests hold them against scipy.stats.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy.special import stdtr, stdtrit  # of scipy.stats' functions the parts that are quick to import

from trm_lab.intervals import NOISE

FEWEST = 4  # seeds of each method from which on Welch's test keeps its level; at three of each it does, too


@dataclass(frozen=True)
class MeanDifference:
    """mean: of first − second.  low, high: its 95 % interval.  p_two_sided: of so large a one by chance.

    None where it cannot be told: from one seed, or from runs without any spread.
    """

    mean: float
    low: float | None
    high: float | None
    p_two_sided: float | None


def welch(
    first: Sequence[float], second: Sequence[float], level: float = 0.95, cautious: bool = False
) -> MeanDifference:
    """Welch's t-test: two methods whose seeds have nothing to do with each other, of unlike spread.

    cautious: keep the level where Welch's degrees of freedom do not: with two seeds of a method, or three against more,
      p < 0.05 in up to 10 % of trials between two that are equally good (2 against 10 seeds). There they are those of
      the smaller number, with which it is at most 5 % (H. Scheffé, JASA 65 (1970)).

    Raises:
        ValueError: no value.
    """
    a, b = _values(first), _values(second)
    least = _rounding(a, b)
    mean = _beyond(float(a.mean() - b.mean()), least)
    if min(len(a), len(b)) < 2:
        return MeanDifference(mean, None, None, None)
    parts = _variance(a, least) / len(a), _variance(b, least) / len(b)
    error = sqrt(sum(parts))
    if error == 0:
        return MeanDifference(mean, None, None, 1.0 if mean == 0 else None)
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / (len(a) - 1) + parts[1] ** 2 / (len(b) - 1))
    fewest = min(len(a), len(b))
    if cautious and fewest < FEWEST and (len(a), len(b)) != (3, 3):
        freedom = fewest - 1
    return _student(mean, error, float(freedom), level)


def paired(first: Sequence[float], second: Sequence[float], level: float = 0.95) -> MeanDifference:
    """The paired t-test: runs of the same seeds, in the same order.

    Raises:
        ValueError: no value, or not as many in one as in the other.
    """
    a, b = _values(first), _values(second)
    if len(a) != len(b):
        raise ValueError(f"{len(a)} and {len(b)} runs: a paired test needs as many of each")
    differences, least = a - b, _rounding(a, b)
    mean = _beyond(float(differences.mean()), least)
    if len(differences) < 2:
        return MeanDifference(mean, None, None, None)
    error = sqrt(_variance(differences, least) / len(differences))
    if error == 0:
        return MeanDifference(mean, None, None, 1.0 if mean == 0 else None)
    return _student(mean, error, len(differences) - 1, level)


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
    if len(a) < 2:
        return None
    variance = _variance(a, _rounding(a)) / len(a)
    if variance == 0:
        return None
    distance, freedom = float(a.mean() - claim), len(a) - 1
    both = variance + claim_error**2
    tails = [
        float(stdtr(freedom, distance / sqrt(variance))),
        float(stdtr(freedom * (both / variance) ** 2, distance / sqrt(both))),
    ]
    return max(tails), 1 - min(tails)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's adjusted p-values: of several tests, the chance that any such is among them. None stays None.

    Source: S. Holm, Scandinavian Journal of Statistics 6 (1979).
    """
    known = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    least = 0.0
    for rank, (p, place) in enumerate(known):
        least = max(least, min(1.0, (len(known) - rank) * p))
        adjusted[place] = least
    return adjusted


def _student(mean: float, error: float, freedom: float, level: float) -> MeanDifference:
    half_width = float(stdtrit(freedom, 0.5 + level / 2)) * error
    p = 2 * float(stdtr(freedom, -abs(mean) / error))
    return MeanDifference(mean, mean - half_width, mean + half_width, p)


def _rounding(*groups: np.ndarray) -> float:
    """Below it a difference of these values is none."""
    return NOISE * max(float(np.abs(group).max()) for group in groups)


def _beyond(difference: float, least: float) -> float:
    return 0.0 if abs(difference) <= least else difference


def _variance(values: np.ndarray, least: float) -> float:
    """Unbiased; 0 where the values are the same but for rounding."""
    return 0.0 if np.ptp(values) <= least else float(values.var(ddof=1))


def _values(values: Sequence[float]) -> np.ndarray:
    if not len(values):
        raise ValueError("no value: a mean over seeds needs at least one")
    return np.asarray(values, dtype=np.float64)

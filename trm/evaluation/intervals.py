"""How far a score could be off: 95 % intervals for shares and for means over tasks."""

from collections.abc import Sequence
from math import sqrt

import numpy as np
from scipy.special import ndtri  # scipy.stats' norm.ppf, a second quicker to import


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
    shares = np.asarray(task_shares, dtype=np.float64)
    # Tasks are drawn as counts: for each resample, how often each task occurs.
    draws = rng.multinomial(len(shares), np.full(len(shares), 1 / len(shares)), size=resamples)
    low, high = np.quantile(draws @ shares / len(shares), [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)

"""Is a claim reproduced? What runs of ours achieved, its interval, and a two-sided test of the claim; both agree."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
import scipy

from analysis.comparing.significance import one_sided, welch
from trm_lab.intervals import exact_interval, over_seeds, whole_numbers_around, wilson_interval

LEVELS = (0.001, 0.01, 0.05)
WIDEST = 0.05  # half-width of a 95 % interval up to which a claim within it counts as reproduced
FEWEST = 40  # n·p·(1−p) from which on the z-test rejects true claims in 4 to 6 % at 0.05; below it, in up to 16 %
BELOW, ABOVE, REPRODUCED, UNDECIDED = "below", "above", "reproduced", "undecided"
EXPLAINED = (
    "Below, above: a two-sided test rejects the claim, at the level that is given"
    f" ({', '.join(map(str, LEVELS))}); a claim within the 95 % interval is never rejected at {LEVELS[-1]}. Reproduced:"
    f" not rejected at {LEVELS[-1]}, and the interval reaches at most {100 * WIDEST:g} points to either side;"
    " undecided: not rejected, but the interval is wider, or it is not estimable. One seed: z-test and Wilson interval"
    " over test examples (ARC: tasks), or the exact binomial test and interval where few are expected to be right or"
    " wrong; these know nothing of how seeds differ. Several seeds: t-test and t-interval, not estimable from seeds"
    " without spread; of a difference between two models Welch's, which takes two seeds of each. A claim is tested at"
    " the nearest value that would be printed like it; where it has a ±, its own uncertainty is added."
)
_PARTS = 64  # of a claim's own normal distribution


@dataclass(frozen=True)
class Verdict:
    """mean: achieved.  low, high: its 95 % interval.  n: seeds.  p: two-sided, of the claim.

    level: at which the claim is rejected; None where it is not.  test: which.
    """

    mean: float
    low: float | None
    high: float | None
    n: int
    p: float | None
    word: str
    level: float | None
    test: str

    @property
    def text(self) -> str:
        """The word, with the level or the precision."""
        if self.level is not None:
            return f"{self.word} at {self.level:g}"
        if self.word == REPRODUCED and self.low is not None and self.high is not None:
            half = 50 * (self.high - self.low)
            return f"{self.word} to ±{half:{'.1f' if half >= 0.05 else '.1g'}} points"
        return self.word


def judged(shares: Sequence[float], examples: int, claim: float, rounding: float = 0.0, error: float = 0.0) -> Verdict:
    """Hold the shares of one run for each seed against a claimed share.

    examples: independent ones behind each share.  rounding: how far from the claim a share may be and be printed like
    it.  error: standard error of the claim itself.

    Raises:
        ValueError: no share, or none within [0, 1].
    """
    lowest, highest = max(0.0, claim - rounding), min(1.0, claim + rounding)
    if len(shares) == 1:
        return _one_run(shares[0], examples, lowest, highest, error)
    summary, test = over_seeds(shares), "t-test over seeds"
    from_lowest, from_highest = one_sided(shares, lowest, error), one_sided(shares, highest, error)
    if from_lowest is None or from_highest is None or summary.low is None or summary.high is None:
        return _undecided(summary.mean, summary.n, test)
    tails = from_lowest[0], from_highest[1]
    return _verdict(summary.mean, (summary.low, summary.high), summary.n, tails, test)


def judged_difference(first: Sequence[float], second: Sequence[float], claim: float, rounding: float = 0.0) -> Verdict:
    """Hold the difference between two models' mean shares over seeds, first − second, against a claimed one."""
    difference, n, test = welch(first, second), min(len(first), len(second)), "Welch's t-test"
    if difference.low is None or difference.high is None:
        return _undecided(difference.mean, n, test)
    tails = difference.tail_below(claim - rounding), 1 - difference.tail_below(claim + rounding)
    return _verdict(difference.mean, (difference.low, difference.high), n, tails, test)


def _one_run(share: float, examples: int, lowest: float, highest: float, error: float) -> Verdict:
    """Verdict on one run, tested over independent examples."""
    right = share * examples
    if min(examples * p * (1 - p) for p in (lowest, highest)) < FEWEST:
        tails = _exact_tails(right, examples, lowest, highest, error)
        return _verdict(share, exact_interval(right, examples), 1, tails, "exact binomial test")
    below = scipy.stats.norm.cdf((share - lowest) / sqrt(lowest * (1 - lowest) / examples + error**2))
    above = scipy.stats.norm.cdf((highest - share) / sqrt(highest * (1 - highest) / examples + error**2))
    return _verdict(share, wilson_interval(right, examples), 1, (float(below), float(above)), "z-test")


def _exact_tails(right: float, examples: int, lowest: float, highest: float, error: float) -> tuple[float, float]:
    """(p of so few, p of so many).

    A claim with an error stands for all shares that may be behind it, and for itself: the larger p counts.
    """
    fewest, most = whole_numbers_around(right)
    spread = error * scipy.stats.norm.ppf((np.arange(_PARTS) + 0.5) / _PARTS)
    below = [scipy.stats.binom.cdf(most, examples, p).mean() for p in (lowest, np.clip(lowest + spread, 0, 1))]
    above = [scipy.stats.binom.sf(fewest - 1, examples, p).mean() for p in (highest, np.clip(highest + spread, 0, 1))]
    return float(max(below)), float(max(above))


def _undecided(mean: float, n: int, test: str) -> Verdict:
    return Verdict(mean, None, None, n, None, UNDECIDED, None, test)


def _verdict(mean: float, interval: tuple[float, float], n: int, tails: tuple[float, float], test: str) -> Verdict:
    """tails: p of so few if the claim were true, and of so many."""
    (low, high), (below, above) = interval, tails
    p = min(1.0, 2 * min(tails))
    level = next((level for level in LEVELS if p < level), None)
    if level is not None:
        word = BELOW if below < above else ABOVE
    else:
        word = REPRODUCED if high - low <= 2 * WIDEST else UNDECIDED
    return Verdict(mean, low, high, n, p, word, level, test)

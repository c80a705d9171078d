"""Is a claim reproduced? Intervals and one-sided tests of what runs of ours achieved against it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from scipy.special import bdtr, bdtrc, ndtr

from analysis.comparing.seed_tests import one_sided
from trm.evaluation.intervals import over_seeds, wilson_interval

LEVELS = (0.001, 0.01, 0.05)
WIDEST = 0.05  # half-width of a 95 % interval up to which a claim within it counts as reproduced
FEWEST = 10  # n·p·(1−p) below which the normal approximation is not used
SHORT, BEYOND, REPRODUCED, UNDECIDED = "short", "beyond", "reproduced", "undecided"
EXPLAINED = (
    "Short, beyond: a one-sided test rejects the claim, at the level that is given"
    f" ({', '.join(map(str, LEVELS))}). Reproduced: not rejected at {LEVELS[-1]}, and the 95 % interval reaches at most"
    f" {100 * WIDEST:g} points to either side; undecided: not rejected, but the interval is wider, or there is no"
    " spread to test with. One seed: Wilson interval over test examples (ARC: tasks) and z-test, or the exact binomial"
    " test where few are expected to be right or wrong; these know nothing of how seeds differ. Several seeds:"
    " t-interval and t-test. A claim is tested at the nearest value that would be printed like it; where it has a ±,"
    " its own uncertainty is added."
)


@dataclass(frozen=True)
class Verdict:
    """mean: achieved.  low, high: its 95 % interval.  p: of the one-sided test in the direction of the difference.

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
            return f"{self.word} to ±{50 * (self.high - self.low):.1f} points"
        return self.word


def judged(
    shares: Sequence[float], examples: int, claim: float, rounding: float = 0.0, error: float = 0.0
) -> Verdict:
    """Hold the shares of one run for each seed against a claimed share.

    examples: independent ones behind each share.  rounding: how far from the claim a share may be and be printed like
    it.  error: standard error of the claim itself.

    Raises:
        ValueError: no share, or none within [0, 1].
    """
    lowest, highest = max(0.0, claim - rounding), min(1.0, claim + rounding)
    if len(shares) == 1:
        right = round(shares[0] * examples)
        low, high = wilson_interval(right, examples)
        below, above, test = _one_run(shares[0], examples, lowest, highest, error)
        return _verdict(shares[0], low, high, 1, below, above, test)
    summary = over_seeds(shares)
    beneath, over = one_sided(shares, lowest, error), one_sided(shares, highest, error)
    return _verdict(
        summary.mean,
        summary.low,
        summary.high,
        summary.n,
        None if beneath is None else beneath[0],
        None if over is None else over[1],
        "t-test over seeds",
    )


def _one_run(
    share: float, examples: int, lowest: float, highest: float, error: float
) -> tuple[float, float, str]:
    """(p of so few, p of so many, the test)."""
    right = round(share * examples)
    if min(examples * p * (1 - p) for p in (lowest, highest)) < FEWEST:
        below = float(bdtr(right, examples, lowest))
        above = 1.0 if right == 0 else float(bdtrc(right - 1, examples, highest))
        return below, above, "exact binomial test"
    below = float(ndtr((share - lowest) / sqrt(lowest * (1 - lowest) / examples + error**2)))
    above = float(ndtr((highest - share) / sqrt(highest * (1 - highest) / examples + error**2)))
    return below, above, "z-test"


def _verdict(
    mean: float,
    low: float | None,
    high: float | None,
    n: int,
    below: float | None,
    above: float | None,
    test: str,
) -> Verdict:
    if below is None or above is None or low is None or high is None:
        return Verdict(mean, low, high, n, None, UNDECIDED, None, test)
    p, word = min((below, SHORT), (above, BEYOND))
    level = next((level for level in LEVELS if p < level), None)
    if level is None:
        word = REPRODUCED if high - low <= 2 * WIDEST else UNDECIDED
    return Verdict(mean, low, high, n, p, word, level, test)

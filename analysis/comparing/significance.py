"""Is one method better than another, or is it chance? Tests over seeds and questions; Holm's adjustment for several.

n seeds of a method, Q questions. A sample whose values are the same but for rounding has no spread, and no test.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
import scipy
from numpy.typing import NDArray

from trm_lab.intervals import NOISE

Scores = NDArray[np.float64]  # of a method: a row for each seed, a column for each question `[n, Q]`
FEWEST = 4  # seeds of each method from which on Welch's test keeps its level; at three of each it does, too
POWER = 0.8  # with which a difference that is said to be detectable would have been found


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

    def detectable(self, level: float) -> float | None:
        """The true difference that a test at this level would find with the probability POWER; None: no test.

        By the noncentral t-distribution, with this difference's own standard error.
        """
        if self.error == 0:
            return None
        critical = float(scipy.special.stdtrit(self.freedom, 1 - level / 2))
        return self.error * float(scipy.special.nctdtrinc(self.freedom, 1 - POWER, critical))


def contrast(scores: Sequence[Scores], weights: Sequence[float]) -> MeanDifference:
    """A weighted sum of methods' means, such as first − second, as it would be for other seeds and other questions.

    Its squared standard error is the variance of the means over seeds (as Welch's) plus what questions add to it: the
    variance of the weighted sum over questions, less what of it answers of the same method to the same question show
    to be chance. Student's t has Satterthwaite's degrees of freedom, n − 1 for seeds and Q − 1 for questions, so that
    few seeds count as few where seeds are what differs. It is the test of readers and cases in radiology (S. L. Hillis,
    Statistics in Medicine 26 (2007)) with seeds as readers, each of one method, and a variance for each method.

    Assumed: seeds and questions are drawn at random; the mean is about normal. All methods answered the same questions
    in the same order, so a hard question is hard for all of them and is no difference. Seeds of equal number in two
    methods are not paired: they share the order of the data, not the network. With one column, the test is Welch's over
    seeds, of these very questions; with one seed of each, it is Student's over questions, of these very networks; with
    one seed of some only there is none.

    Measured on 3,000 draws a case as in tests/analysis/test_calibration.py: p < 0.05 between two that are equally good,
    on 200 questions of which 56 or 98 % are right, seeds that spread by 0 to 8 points, in both or in one: 3 seeds of
    each 2 to 7 %, 5 of each 3 to 6 %, 3 against 5 1 to 7 %, one of each 4 to 5 %, two of one below 1 %.

    Raises:
        ValueError: methods of different numbers of questions, or none.
    """
    if len({one.shape[1] for one in scores}) != 1:
        raise ValueError(f"scores {[one.shape for one in scores]}: want the same questions of each method")
    noise = NOISE * max(float(np.abs(one).max(initial=0)) for one in scores)
    by_question = np.sum([w * one.mean(0) for w, one in zip(weights, scores, strict=True)], axis=0)  # [Q]
    mean, questions = float(by_question.mean()), len(by_question)
    chance = [w**2 * _residual(one, noise) for w, one in zip(weights, scores, strict=True)]
    seeds = [w**2 * _of_seeds(one, noise) or rest for w, one, rest in zip(weights, scores, chance, strict=True)]
    counts = [len(one) for one in scores]
    if min(counts) < 2 and max(counts) > 1:
        return MeanDifference(mean)
    of_questions = max(0.0, _variance(by_question, noise) / questions - sum(chance))
    variance = sum(seeds) + of_questions
    if variance == 0:
        return _student(mean, 0.0, questions * min(counts) - 1.0, noise)
    freedom = _freedom(seeds, counts) if sum(seeds) else 0.0
    if min(counts) != 2 or not freedom:  # two seeds know so little that no part beside theirs makes it more
        unsure = sum(seeds) ** 2 / freedom if freedom else 0.0
        freedom = variance**2 / (unsure + of_questions**2 / max(1, questions - 1))
    return _student(mean, sqrt(variance), freedom, noise)


def welch(first: Sequence[float], second: Sequence[float]) -> MeanDifference:
    """`contrast` of two methods' scores as a whole: Welch's t-test over seeds, with the caution of `_freedom`.

    Raises:
        ValueError: no value.
    """
    return contrast([_values(first)[:, None], _values(second)[:, None]], (1, -1))


def _of_seeds(scores: Scores, noise: float) -> float:
    """Variance of the mean over seeds; 0 of one seed."""
    return _variance(scores.mean(1), noise) / len(scores) if len(scores) > 1 else 0.0


def _residual(scores: Scores, noise: float) -> float:
    """The part of the mean's variance that is chance of each seed with each question: interaction of the two."""
    n, questions = scores.shape
    if n < 2 or questions < 2:
        return 0.0
    left = scores - scores.mean(1, keepdims=True) - scores.mean(0) + scores.mean()
    return 0.0 if np.ptp(left) <= noise else float((left**2).sum()) / ((n - 1) * (questions - 1) * n * questions)


def _freedom(parts: Sequence[float], counts: Sequence[int]) -> float:
    """Degrees of freedom of a sum of variances over seeds, Satterthwaite's.

    With two seeds of one of two methods, or three against more, these reject too often: up to 10 % between two that are
    equally good (2 against 10 seeds). There they are those of the smaller number, with which it is at most 5 %
    (H. Scheffé, JASA 65 (1970)).
    """
    if len(counts) == 2 and min(counts) < FEWEST and tuple(counts) != (3, 3):
        return min(counts) - 1.0
    return sum(parts) ** 2 / sum(part**2 / (n - 1) for part, n in zip(parts, counts, strict=True))


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
    half_width = float(scipy.special.stdtrit(freedom, 0.975)) * error
    p = 2 * float(scipy.special.stdtr(freedom, -abs(mean) / error))
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

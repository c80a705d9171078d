"""Every test that prints a p keeps its level: a true null hypothesis is rejected at 0.05 in 5 ± 1 % of the draws.

Tests of few discrete values, and Welch's of few seeds, may reject it less often. Sizes that can be summed up instead of
drawn are.
"""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.random import Generator
from scipy.stats import binom

from analysis.claims.verdicts import judged
from analysis.comparing.significance import contrast, holm, welch
from trm_lab.intervals import over_seeds, paired_bootstrap, sign_test


def judged_p(shares: list[float], examples: int, claim: float, rounding: float = 0, error: float = 0) -> float:
    """The verdict's p, which agrees with what is printed: rejected exactly where p < 0.05."""
    verdict = judged(shares, examples, claim, rounding, error)
    assert (verdict.level is not None) == (verdict.p < 0.05)
    return verdict.p


def one_run(rng: Generator) -> float:
    return judged_p([rng.binomial(400, 0.44) / 400], 400, 0.44)


def rounded_claim(rng: Generator) -> float:
    return judged_p([rng.binomial(1000, 0.7464) / 1000], 1000, 0.746, rounding=0.0005)


def several_seeds(rng: Generator) -> float:
    return judged_p(list(rng.normal(0.6, 0.02, 3)), 400, 0.6)


def several_seeds_against_an_uncertain_claim(rng: Generator) -> float:
    return judged_p(list(rng.normal(0.6, 0.02, 3)), 400, float(rng.normal(0.6, 0.01)), error=0.01)


def one_run_against_a_claim_of_one_run(rng: Generator, examples: int = 1000, truth: float = 0.75) -> float:
    error = float(np.sqrt(truth * (1 - truth) / examples))
    share, claim = (rng.binomial(examples, truth) / examples for _ in range(2))
    return judged_p([share], examples, claim, error=error)


def few_successes_against_a_claim_of_one_run(rng: Generator) -> float:
    return one_run_against_a_claim_of_one_run(rng, 120, 0.08)


def welch_of_five_seeds(rng: Generator) -> float:
    first, second = rng.normal(0, 1, (2, 5)).tolist()
    return welch(first, second).p_two_sided or 0.0


def welch_of_two_seeds_against_ten(rng: Generator) -> float:
    """Far below 5 %; with scipy's degrees of freedom it would be 10 %."""
    first, second = rng.normal(0, 1, 2), rng.normal(0, 0.1, 10)
    return welch(first.tolist(), second.tolist()).p_two_sided or 0.0


def equally_good(
    rng: Generator, seeds: tuple[int, int], spread: tuple[float, float], easy: float = 0.3
) -> list[np.ndarray]:
    """Answers `[n, 200]` of two methods: right where a question's ease, a seed's skill and chance add up to above 0.

    Each method also has questions that it alone finds hard. spread: of the skill of each method's seeds.
    """
    questions = rng.normal(easy, 1.5, 200)
    return [
        (questions + rng.normal(0, 0.7, 200) + rng.normal(0, sd, (n, 1)) + rng.normal(0, 1, (n, 200)) > 0).astype(
            np.float64
        )
        for n, sd in zip(seeds, spread, strict=True)
    ]


def two_levels(rng: Generator, seeds: tuple[int, int], spread: tuple[float, float], easy: float = 0.3) -> float:
    """The interval leaves out 0 exactly where p < 0.05."""
    test = contrast(equally_good(rng, seeds, spread, easy), (1, -1))
    if test.low is not None and test.high is not None and test.p_two_sided is not None:
        assert (test.p_two_sided < 0.05) == (not test.low <= 0 <= test.high)
    return 1.0 if test.p_two_sided is None else test.p_two_sided


def three_seeds_of_equal_skill(rng: Generator) -> float:
    """Welch's test over seeds alone, as if other questions were as these, has 7 %, and of five seeds 15 %."""
    return two_levels(rng, (3, 3), (0, 0))


def three_seeds(rng: Generator) -> float:
    return two_levels(rng, (3, 3), (0.15, 0.15))


def five_seeds(rng: Generator) -> float:
    return two_levels(rng, (5, 5), (0.15, 0.15))


def five_seeds_of_one_unsteady_method(rng: Generator) -> float:
    return two_levels(rng, (5, 5), (0.4, 0))


def five_seeds_that_are_nearly_always_right(rng: Generator) -> float:
    return two_levels(rng, (5, 5), (0.15, 0.15), easy=4)


def two_seeds_against_ten(rng: Generator) -> float:
    return two_levels(rng, (2, 10), (0.4, 0))


def one_seed_of_each(rng: Generator) -> float:
    return two_levels(rng, (1, 1), (0, 0))


def holm_over_six_pairs(rng: Generator) -> float:
    methods = rng.normal(0, 1, (4, 5)).tolist()
    pairs = [welch(methods[i], methods[j]).p_two_sided for i in range(4) for j in range(i)]
    return min(p for p in holm(pairs) if p is not None)


def bootstrap_p(first: np.ndarray, second: np.ndarray, rng: Generator) -> float:
    """The interval leaves out 0 exactly where p < 0.05."""
    test = paired_bootstrap(first, second, rng, resamples=399)
    if test.low is not None and test.high is not None:
        assert (test.p_two_sided < 0.05) == (not test.low <= 0 <= test.high)
    return test.p_two_sided


def bootstrap_of_continuous_scores(rng: Generator) -> float:
    return bootstrap_p(rng.random(12), rng.random(12), rng)


def bootstrap_of_task_shares(rng: Generator) -> float:
    """ARC tasks with one or two test outputs: 0, 0.5 or 1."""
    shares = rng.choice([0.0, 0.5, 1.0], (2, 7), p=[0.55, 0.1, 0.35])
    return bootstrap_p(*shares, rng)


def interval_over_seeds(rng: Generator) -> float:
    """0 where the interval misses the true mean."""
    interval = over_seeds(rng.normal(0.6, 0.02, 3).tolist())
    return float(interval.low is not None and interval.high is not None and interval.low <= 0.6 <= interval.high)


@pytest.mark.parametrize(
    ("p_of", "draws", "least", "most"),
    [
        (one_run, 2000, 0.04, 0.06),
        (rounded_claim, 2000, 0, 0.06),
        (several_seeds, 2000, 0.04, 0.06),
        (several_seeds_against_an_uncertain_claim, 2000, 0.04, 0.06),
        (one_run_against_a_claim_of_one_run, 1000, 0.04, 0.06),
        (few_successes_against_a_claim_of_one_run, 1000, 0, 0.06),
        (welch_of_five_seeds, 2000, 0.04, 0.06),
        (welch_of_two_seeds_against_ten, 2000, 0, 0.06),
        (three_seeds_of_equal_skill, 1000, 0.03, 0.07),
        (three_seeds, 1000, 0.03, 0.07),
        (five_seeds, 1000, 0.03, 0.07),
        (five_seeds_of_one_unsteady_method, 1000, 0.03, 0.07),
        (five_seeds_that_are_nearly_always_right, 1000, 0.02, 0.06),
        (two_seeds_against_ten, 300, 0, 0.02),
        (one_seed_of_each, 1000, 0.03, 0.06),
        (holm_over_six_pairs, 1000, 0, 0.05),
        (bootstrap_of_continuous_scores, 1000, 0.04, 0.06),
        (bootstrap_of_task_shares, 1000, 0, 0.06),
        (interval_over_seeds, 2000, 0.04, 0.06),
    ],
)
def test_a_true_null_hypothesis_is_rejected_in_5_in_100(
    p_of: Callable[[Generator], float], draws: int, least: float, most: float
) -> None:
    rng = np.random.default_rng(11)
    assert least <= sum(p_of(rng) < 0.05 for _ in range(draws)) / draws <= most


@pytest.mark.parametrize("examples", [7, 161])
def test_from_one_run_of_any_size_it_is_rejected_in_6_in_100_at_most(examples: int) -> None:
    """Not drawn but summed over all that can come out."""
    every = np.arange(examples + 1)
    for truth in np.linspace(0.005, 0.995, 12):
        likely = binom.pmf(every, examples, truth)
        chosen = every[likely > 1e-6]
        rejected = [judged([n / examples], examples, float(truth)).level is not None for n in chosen]
        assert likely[chosen][rejected].sum() <= 0.06


def test_the_sign_test_between_equal_models() -> None:
    """Summed over all that can come out; it is exact, so below 5 % where few tasks differ."""
    for differing, least in ((6, 0), (100, 0), (2000, 0.04)):
        every = np.arange(differing + 1)
        rejected = [sign_test(int(n), differing - int(n)) < 0.05 for n in every]
        assert least <= binom.pmf(every, differing, 0.5)[rejected].sum() <= 0.05

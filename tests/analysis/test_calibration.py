"""Every test that prints a p keeps its level: a true null hypothesis is rejected at 0.05 in 5 ± 1 % of 2,000 draws.

Tests of few discrete values, and Welch's of few seeds, may reject it less often. Sizes that can be summed up instead of
drawn are.
"""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import binom

from analysis.claims.verdicts import Verdict, judged
from analysis.comparing.significance import holm, paired, welch
from trm_lab.intervals import bootstrap_interval, over_seeds, paired_bootstrap, sign_test

DRAWS = 2000
Draw = Callable[[np.random.Generator], float]


def share_below(p_of: Draw, draws: int = DRAWS) -> float:
    """The share of p-values below 0.05."""
    rng = np.random.default_rng(11)
    return sum(p_of(rng) < 0.05 for _ in range(draws)) / draws


def p_of(found: Verdict) -> float:
    """Its p, held against what is printed: rejected where p < 0.05, then with the claim outside of the interval."""
    assert found.p is not None
    assert (found.level is not None) == (found.p < 0.05)
    return found.p


@pytest.mark.parametrize(("examples", "truth"), [(400, 0.44), (422_786, 0.8)])
def test_a_true_claim_is_rejected_from_one_run_in_5_in_100(examples: int, truth: float) -> None:
    found = share_below(lambda rng: p_of(judged([rng.binomial(examples, truth) / examples], examples, truth)))
    assert 0.04 <= found <= 0.06


@pytest.mark.parametrize("examples", [7, 57, 161, 400])
def test_from_one_run_of_any_size_it_is_rejected_in_6_in_100_at_most(examples: int) -> None:
    """Not drawn but summed over all that can come out."""
    every = np.arange(examples + 1)
    for truth in np.linspace(0.005, 0.995, 12):
        likely = binom.pmf(every, examples, truth)
        chosen = every[likely > 1e-6]
        rejected = [judged([n / examples], examples, float(truth)).level is not None for n in chosen]
        assert likely[chosen][rejected].sum() <= 0.06


def test_a_rounded_claim_is_not_rejected_more_often() -> None:
    truth = 0.7464  # printed as 74.6
    assert (
        share_below(lambda rng: p_of(judged([rng.binomial(1000, truth) / 1000], 1000, 0.746, 0.0005))) <= 0.06
    )


@pytest.mark.parametrize("seeds", [2, 5])
def test_a_true_claim_is_rejected_from_several_seeds_in_5_in_100(seeds: int) -> None:
    found = share_below(lambda rng: p_of(judged(list(rng.normal(0.6, 0.02, seeds)), 400, 0.6)))
    assert 0.04 <= found <= 0.06


@pytest.mark.parametrize("seeds", [3, 10])
@pytest.mark.parametrize("error", [0.01])
def test_a_claim_with_an_error_of_its_own_is_rejected_in_5_in_100(seeds: int, error: float) -> None:
    """The claim is drawn as well, around the truth."""
    found = share_below(
        lambda rng: p_of(
            judged(list(rng.normal(0.6, 0.02, seeds)), 400, float(rng.normal(0.6, error)), error=error)
        )
    )
    assert 0.04 <= found <= 0.06


@pytest.mark.parametrize(("examples", "truth", "low"), [(1000, 0.75, 0.04), (120, 0.08, 0.0)])
def test_so_it_is_from_one_run(examples: int, truth: float, low: float) -> None:
    error = float(np.sqrt(truth * (1 - truth) / examples))

    def p(rng: np.random.Generator) -> float:
        claim = rng.binomial(examples, truth) / examples
        return p_of(judged([rng.binomial(examples, truth) / examples], examples, claim, error=error))

    assert low <= share_below(p) <= 0.06


@pytest.mark.parametrize(("seeds", "spread"), [((2, 10), 0.1), ((3, 3), 1), ((3, 10), 0.1), ((5, 5), 1)])
def test_welch_s_test_between_equal_methods(seeds: tuple[int, int], spread: float) -> None:
    """Of few seeds it is below 5 %, as it is known to be; with scipy's degrees of freedom (2, 10) reaches 10 %."""

    def p(rng: np.random.Generator) -> float:
        a, b = rng.normal(0, 1, seeds[0]), rng.normal(0, spread, seeds[1])
        return welch(a.tolist(), b.tolist(), cautious=True).p_two_sided or 0.0

    assert (0.04 if seeds == (5, 5) else 0.0) <= share_below(p) <= 0.06


@pytest.mark.parametrize("seeds", [2, 6])
def test_the_test_paired_by_seed_between_equal_methods(seeds: int) -> None:
    def p(rng: np.random.Generator) -> float:
        common = rng.normal(0, 3, seeds)
        a, b = (common + rng.normal(0, 1, seeds) for _ in range(2))
        return paired(a.tolist(), b.tolist()).p_two_sided or 0.0

    assert 0.04 <= share_below(p) <= 0.06


def test_holm_s_adjustment_of_six_pairs_finds_a_difference_in_5_in_100_tables_at_most() -> None:
    def least(rng: np.random.Generator) -> float:
        a = rng.normal(0, 1, (4, 5)).tolist()
        pairs = [welch(a[i], a[j]).p_two_sided for i in range(4) for j in range(i)]
        return min(p for p in holm(pairs) if p is not None)

    assert share_below(least, 1000) <= 0.05


def _shares(rng: np.random.Generator, tasks: int) -> np.ndarray:
    """Of ARC tasks with one or two test outputs: 0, 0.5 or 1."""
    return rng.choice([0.0, 0.5, 1.0], tasks, p=[0.55, 0.1, 0.35])


KINDS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "continuous": lambda rng, tasks: rng.random(tasks),
    "right or wrong": lambda rng, tasks: (rng.random(tasks) < 0.4).astype(float),
    "macro over tasks": _shares,
}


@pytest.mark.parametrize("tasks", [7, 12])
@pytest.mark.parametrize("kind", ["continuous", "macro over tasks"])
def test_the_paired_bootstrap_between_equal_models(kind: str, tasks: int) -> None:
    """Exchanging a pair changes nothing. The interval leaves out 0 exactly where p < 0.05."""

    def p(rng: np.random.Generator) -> float:
        found = paired_bootstrap(KINDS[kind](rng, tasks), KINDS[kind](rng, tasks), rng, resamples=399)
        if found.low is not None and found.high is not None:
            assert (found.p_two_sided < 0.05) == (not found.low <= 0 <= found.high)
        return found.p_two_sided

    least = 0.04 if kind == "continuous" and tasks > 4 else 0.025 if tasks == 12 else 0.0
    assert least <= share_below(p) <= 0.06


@pytest.mark.parametrize("differing", [6, 100, 2000])
def test_the_sign_test_between_equal_models(differing: int) -> None:
    """Summed over all that can come out; it is exact, so below 5 % where few tasks differ."""
    every = np.arange(differing + 1)
    rejected = [sign_test(int(n), differing - int(n)) < 0.05 for n in every]
    size = binom.pmf(every, differing, 0.5)[rejected].sum()
    assert (0.04 if differing == 2000 else 0.0) <= size <= 0.05


@pytest.mark.parametrize("tasks", [8])
def test_the_bootstrap_interval_holds_the_true_mean_in_95_in_100(tasks: int) -> None:
    def missed(rng: np.random.Generator) -> float:
        found = bootstrap_interval(_shares(rng, tasks).tolist(), rng, resamples=199)
        return float(found is None or found[0] <= 0.4 <= found[1])

    assert share_below(missed, 1000) <= 0.07


def test_the_interval_over_seeds_holds_the_true_mean_in_95_in_100() -> None:
    def missed(rng: np.random.Generator) -> float:
        found = over_seeds(rng.normal(0.6, 0.02, 3).tolist())
        return float(found.low is not None and found.high is not None and found.low <= 0.6 <= found.high)

    assert 0.04 <= share_below(missed) <= 0.06

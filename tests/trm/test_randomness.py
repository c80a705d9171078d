"""Draws that depend on what they are for, and on nothing else."""

import torch
from scipy.stats import kstest

from trm.randomness import counter_normal, seed_for


def test_counted_numbers_are_standard_normal_and_the_same_beside_any_other_rows() -> None:
    rows = torch.arange(40)
    drawn = counter_normal(seed_for(0, "noise", 1), rows, (30, 50))
    assert kstest(drawn.numpy().ravel(), "norm").pvalue > 0.01
    assert abs(torch.corrcoef(drawn.flatten(1)).fill_diagonal_(0)).max() < 0.12  # 1,500 numbers: deviation 0.026
    assert torch.equal(counter_normal(seed_for(0, "noise", 1), rows[[7, 3]], (30, 50)), drawn[[7, 3]])
    other = counter_normal(seed_for(0, "noise", 2), rows, (30, 50))
    assert abs(torch.corrcoef(torch.stack((drawn.flatten(), other.flatten())))[0, 1]) < 0.02

"""Draws that depend on what they are for, and on nothing else."""

import pytest
import torch
from scipy.stats import kstest

from trm.randomness import SeededStepRandom, counter_normal, seed_for, torch_generator


def test_counted_numbers_are_standard_normal_and_the_same_beside_any_other_rows() -> None:
    rows = torch.arange(40)
    drawn = counter_normal(seed_for(0, "noise", 1), rows, (30, 50))
    assert kstest(drawn.numpy().ravel(), "norm").pvalue > 0.01
    assert abs(torch.corrcoef(drawn.flatten(1)).fill_diagonal_(0)).max() < 0.12  # 1,500 numbers: deviation 0.026
    assert torch.equal(counter_normal(seed_for(0, "noise", 1), rows[[7, 3]], (30, 50)), drawn[[7, 3]])
    other = counter_normal(seed_for(0, "noise", 2), rows, (30, 50))
    assert abs(torch.corrcoef(torch.stack((drawn.flatten(), other.flatten())))[0, 1]) < 0.02


def of_slots_3_and_4() -> torch.Tensor:
    return SeededStepRandom(7, 2, 2, first=3, global_slots=6).uniform("places", 5)


def test_a_step_s_draws_are_the_generator_s_numbers_cut_to_the_slots() -> None:
    whole = torch.rand(6, 5, generator=torch_generator(7, "places", 2))
    assert torch.equal(of_slots_3_and_4(), whole[3:5])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="only a GPU copies by itself, from pinned memory")
def test_where_a_gpu_is_in_use_draws_are_the_same_numbers_in_pinned_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.cuda.init()
    drawn = of_slots_3_and_4()
    assert drawn.is_pinned()
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    assert torch.equal(drawn, of_slots_3_and_4())

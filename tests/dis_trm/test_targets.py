"""Step targets: what every kernel and schedule promises."""

import pytest
import torch
from torch import Tensor

from dis_trm.targets import SCHEDULES, Corruption, clean_shares
from trm.batch import IGNORE_LABEL
from trm.randomness import SeededStepRandom

SLOTS, TOKENS, STEPS, VOCABULARY = 64, 50, 6, 12
KERNELS = ("reveal", "mask", "replace")


def example(seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randint(0, VOCABULARY, (SLOTS, TOKENS), generator=generator, dtype=torch.int32)
    labels = torch.randint(1, VOCABULARY, (SLOTS, TOKENS), generator=generator, dtype=torch.int32)
    same = torch.rand(SLOTS, TOKENS, generator=generator) < 0.4
    unscored = torch.rand(SLOTS, TOKENS, generator=generator) < 0.2
    labels = torch.where(same, inputs, labels)
    return inputs, torch.where(unscored, IGNORE_LABEL, labels)


def path(kernel: str, schedule: str, pad_cells: str, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    inputs, labels = example(seed)
    corruption = Corruption(kernel, schedule, pad_cells, STEPS, VOCABULARY, mask_token=0)
    return inputs, labels, corruption.path(inputs, labels, SeededStepRandom(seed, 1, SLOTS))


@pytest.mark.parametrize("pad_cells", ["release", "ignore"])
@pytest.mark.parametrize("schedule", sorted(SCHEDULES))
@pytest.mark.parametrize("kernel", KERNELS)
def test_a_path_nears_the_answer_and_ends_at_it(kernel: str, schedule: str, pad_cells: str) -> None:
    distances = torch.zeros(STEPS + 1)
    for seed in range(5):
        _, labels, frames = path(kernel, schedule, pad_cells, seed)
        assert torch.equal(frames[:, -1], labels)
        right = frames == labels[:, None]
        assert not bool((right[:, :-1] & ~right[:, 1:]).any())  # a cell once right stays right
        distances += (~right).float().mean((0, 2))
        unscored = (labels == IGNORE_LABEL)[:, None].expand_as(frames)
        ever_trained = bool((frames[unscored] != IGNORE_LABEL).any())
        assert ever_trained == (pad_cells == "release")
    assert bool((distances.diff() < 0).all())


def test_reveal_starts_at_the_question_and_shows_its_share_of_the_differing_cells() -> None:
    inputs, labels, frames = path("reveal", "linear", "release", 3)
    differing = (inputs != labels).sum(-1)
    assert torch.equal(frames[:, 0], inputs)
    for step in range(STEPS + 1):
        shown = ((frames[:, step] == labels) & (inputs != labels)).sum(-1)
        assert torch.equal(shown, step * differing // STEPS)
    agree = (inputs == labels)[:, None].expand_as(frames)
    assert torch.equal(frames[agree], inputs[:, None].expand_as(frames)[agree])


def test_mask_and_replace_corrupt_the_share_that_the_schedule_says() -> None:
    for kernel in ("mask", "replace"):
        corrupted = torch.zeros(STEPS + 1)
        for seed in range(30):
            _, labels, frames = path(kernel, "linear", "ignore", seed)
            scored = (labels != IGNORE_LABEL)[:, None]
            corrupted += ((frames != labels[:, None]) & scored).sum((0, 2)) / scored.sum()
        pad = 0.4 / VOCABULARY  # share of answers that are the PAD token (`example`)
        chance = (1 - pad) / (VOCABULARY - 1) if kernel == "replace" else pad  # hits the answer itself
        expected = (1 - clean_shares("linear", STEPS)).float() * (1 - chance)
        torch.testing.assert_close(corrupted / 30, expected, atol=0.02, rtol=0)
        if kernel == "replace":  # never with PAD
            replaced = frames[:, 0][labels != IGNORE_LABEL]
            assert (int(replaced.min()), int(replaced.max())) == (1, VOCABULARY - 1)


def test_schedules_rise_from_nothing_to_everything() -> None:
    for schedule in SCHEDULES:
        shares = clean_shares(schedule, STEPS)
        assert (shares[0], shares[-1]) == (0, 1)
        assert bool((shares.diff() > 0).all())

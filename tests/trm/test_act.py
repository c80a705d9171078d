"""Adaptive halting: slots, exploration, and the cap."""

from dataclasses import replace

import torch

from tests.models import act, batch, draws
from trm.act import ACTConfig
from trm.randomness import SeededStepRandom


def test_running_slots_keep_their_data_and_halted_ones_take_the_new_row() -> None:
    supervision = act()
    supervision.model.train()
    old, new = batch(seed=1), batch(seed=2)
    output = supervision.step(supervision.initial_carry(old), old, draws())
    halted = torch.tensor([True, False, True, False])
    carry = replace(output.carry, halted=halted)
    after = supervision.step(carry, new, draws(2)).carry
    assert torch.equal(after.inputs, torch.where(halted[:, None], new.inputs, old.inputs))
    assert after.steps.tolist() == [1, 2, 1, 2]


def test_evaluation_runs_every_slot_to_the_cap() -> None:
    supervision = act()
    assert supervision.model.q_head.bias is not None
    with torch.no_grad():
        supervision.model.q_head.bias.fill_(50.0)  # wants to halt at once
    supervision.model.eval()
    carry = supervision.initial_carry(batch())
    for step in range(1, 5):
        carry = supervision.step(carry, batch(), draws()).carry
        assert bool(carry.halted.all()) == (step == 4)


def test_exploration_makes_its_share_of_slots_run_on() -> None:
    supervision = act(ACTConfig(halt_max_steps=4, halt_exploration_prob=0.5))
    assert supervision.model.q_head.bias is not None
    with torch.no_grad():
        supervision.model.q_head.bias.fill_(50.0)
    supervision.model.train()
    many = batch(1000)
    carry = supervision.initial_carry(many)
    rng = SeededStepRandom(0, 1, 1000)
    halted = supervision.step(carry, many, rng).carry.halted.float().mean().item()
    assert 0.45 < halted < 0.55  # u ≥ 2, so an exploring slot never halts at step 1


def test_a_step_depends_only_on_seed_step_and_slot_not_on_the_number_of_ranks() -> None:
    whole = SeededStepRandom(7, 3, 8).uniform("halt exploration")
    halves = [SeededStepRandom(7, 3, 4, first=first, global_slots=8).uniform("halt exploration") for first in (0, 4)]
    assert torch.equal(whole, torch.cat(halves))

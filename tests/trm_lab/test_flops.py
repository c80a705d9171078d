"""Floating-point operations and trained weights of a configuration, counted without allocating its model."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks.configurations import named
from dis_trm.supervision import DISConfig
from tests import models
from trm.act import ACTConfig
from trm_lab.configuration.architecture import Architecture
from trm_lab.flops import FlopCounter, answer_flops, step_flops, trained_weights

ARCHITECTURES = [
    Architecture("dis", models.network(), DISConfig(halt_max_steps=3)),
    Architecture("act", models.network(mlp_t=True, pos_encodings="none"), ACTConfig(no_ACT_continue=False)),
]


def test_compact_dis_takes_21_8_gflop_an_example() -> None:
    (configuration,) = named("dis-compact-arc-b16-float32", "cpu", "float32")
    _, arch = configuration.composed()
    flops = step_flops(arch, configuration.shape)
    assert flops is not None
    assert flops / 1e9 == pytest.approx(21.8, abs=0.05)


@pytest.mark.parametrize("arch", ARCHITECTURES, ids=["dis", "act"])
def test_an_answer_costs_what_a_real_step_of_it_computes(arch: Architecture) -> None:
    supervision, batch = arch.build(models.SHAPE), models.batch(1)
    supervision.model.eval()
    carry = supervision.initial_carry(batch)
    plain = sdpa_kernel(SDPBackend.MATH)
    with torch.no_grad(), plain, FlopCounter() as counter:
        supervision.step(carry, batch, models.draws(slots=1))
    assert answer_flops(arch, models.SHAPE) == counter.total > 0


@pytest.mark.parametrize("settings", [{"targets": "stored"}, {"target_order": "solver"}, {"targets": "on_policy"}])
def test_steps_towards_other_targets_cost_the_same(settings: dict[str, Any]) -> None:
    dis = ARCHITECTURES[0]
    other = replace(dis, settings=replace(dis.settings, **settings))
    assert (step_flops(other, models.SHAPE), answer_flops(other, models.SHAPE)) == (
        step_flops(dis, models.SHAPE),
        answer_flops(dis, models.SHAPE),
    )


@pytest.mark.parametrize("arch", ARCHITECTURES, ids=["dis", "act"])
def test_trained_weights_are_those_of_the_model(arch: Architecture) -> None:
    model = arch.build(models.SHAPE).model
    assert trained_weights(arch, models.SHAPE) == sum(p.numel() for p in model.parameters() if p.requires_grad)


def test_a_configuration_of_very_many_calls_is_not_counted() -> None:
    arch = replace(ARCHITECTURES[0], network=models.network(H_cycles=1024, L_cycles=1024))
    assert step_flops(arch, models.SHAPE) is None
    assert answer_flops(arch, models.SHAPE) is None

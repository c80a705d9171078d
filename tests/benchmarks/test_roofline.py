"""The cost model of the roofline: operations by formula are those that are counted; bytes are written out by hand."""

from typing import Any

import pytest
import torch

from benchmarks.roofline import step_cost
from dis_trm.supervision import DISConfig
from tests import models
from trm.act import ACTConfig
from trm_lab.configuration.architecture import Architecture
from trm_lab.flops import step_flops, trained_weights

NETWORKS: dict[str, dict[str, Any]] = {
    "attention": {},
    "mlp_t": {"mlp_t": True, "pos_encodings": "none"},
    "no-puzzles": {"puzzle_emb_ndim": 0, "puzzle_emb_len": 0},
    "learned": {"mlp_t": True, "puzzle_emb_ndim": 0, "puzzle_emb_len": 0, "pos_encodings": "learned"},
    "wide": {"L_layers": 2, "H_cycles": 1, "hidden_size": 32},
}
SETTINGS = {
    "dis": DISConfig(halt_max_steps=3),
    "dis-dual": DISConfig(halt_max_steps=3, loss_terms="dual", step_index="none"),
    "act": ACTConfig(halt_max_steps=4),
    "act-continue": ACTConfig(halt_max_steps=4, no_ACT_continue=False),
}


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("network", NETWORKS)
def test_the_formula_gives_what_torch_counts(network: str, settings: str) -> None:
    arch = Architecture(settings[:3], models.network(**NETWORKS[network]), SETTINGS[settings])
    cost = step_cost(arch.network, models.SHAPE, arch.settings, arch.step_rows)
    assert cost.operations_per_example == step_flops(arch, models.SHAPE)
    assert cost.weights == trained_weights(arch, models.SHAPE)


def test_bytes_are_operands_and_results_once_and_the_update() -> None:
    """One layer, one pass forward and back, no puzzle tokens: written out by hand."""
    changes = {"puzzle_emb_ndim": 0, "puzzle_emb_len": 0, "H_cycles": 1, "L_cycles": 1}
    network, settings = models.network(**changes), DISConfig(halt_max_steps=3, step_index="none")
    S, D, I, V, B = 16, 16, 256, 12, 4  # noqa: E741
    weights = 3 * D * D + D * D + 3 * I * D
    activations = 4 * S * D + 2 * S * D + 4 * S * D + S * (D + 2 * I) + S * (I + D)
    one_pass, head = B * activations + weights, B * S * (D + V) + D * V
    halting = B * (D + 2) + 2 * D
    moved = 4 * (2 * 3 * one_pass + 3 * head + halting) + 4 * 7 * (weights + 2 * D * V)
    assert step_cost(network, models.SHAPE, settings).bytes(B) == moved


def test_an_example_costs_the_same_whatever_the_batch_and_the_weights_are_read_once() -> None:
    network = models.network()
    cost = step_cost(network, models.SHAPE, ACTConfig())
    assert cost.operations(8) == 2 * cost.operations(4)
    assert cost.bytes(8) < 2 * cost.bytes(4)
    assert cost.intensity(8) > cost.intensity(4)
    assert torch.float32.itemsize == cost.width

"""Every recursion: which calls it makes, which of them carry gradient, and what it refuses."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch

from dis_trm.supervision import DISConfig
from tests.models import SHAPE, act, batch, dis, draws, network
from trm.act import ACTConfig
from trm.errors import UserError
from trm.model import TinyRecursiveModel, TRMConfig
from trm.recursion import RECURSIONS
from trm.supervision import Supervision
from trm_lab.methods import METHODS

CALLS = {"trm": 8, "single_z": 8, "six_z": 8, "hrm": 8, "none": 2}  # of T=2 n=3
WITH_GRADIENT = {  # the last calls, by module
    "trm": ["L_level"] * 4,
    "single_z": ["L_level"] * 4,
    "six_z": ["L_level"] * 4,
    "hrm": ["L_level", "H_level"],
    "none": ["H_level"],
}


def passes(model: TinyRecursiveModel) -> list[tuple[str, bool]]:
    """What a module's every pass appends to: its name, and whether the pass carries gradient."""
    recorded: list[tuple[str, bool]] = []
    for name in model.config.modules:
        module = model.get_submodule(name)
        module.register_forward_hook(lambda _, __, out, name=name: recorded.append((name, out.requires_grad)))
    return recorded


@pytest.mark.parametrize("recursion", RECURSIONS)
@pytest.mark.parametrize("build", [act, dis])
def test_the_calls_that_are_counted_are_those_that_happen_and_the_last_carry_gradient(
    build: Any, recursion: str
) -> None:
    supervision = build(recursion=recursion)
    recorded = passes(supervision.model)
    supervision.model.train()
    output = supervision.step(supervision.initial_carry(batch()), batch(), draws())
    config = supervision.model.config
    assert len(recorded) == output.network_calls == config.network_calls == CALLS[recursion]
    expected = WITH_GRADIENT[recursion]
    assert config.gradient_calls == len(expected)
    assert [gradient for _, gradient in recorded] == [False] * (len(recorded) - len(expected)) + [True] * len(expected)
    assert [name for name, gradient in recorded if gradient] == expected


@pytest.mark.parametrize("recursion", RECURSIONS)
def test_every_weight_is_trained(recursion: str) -> None:
    supervision = dis(recursion=recursion)
    supervision.model.train()
    with torch.no_grad():
        supervision.model.q_head.weight.fill_(0.1)
    supervision.step(supervision.initial_carry(batch()), batch(), draws()).loss.backward()
    without = [name for name, weight in supervision.model.named_parameters() if weight.grad is None]
    assert [name for name in without if not name.startswith("q_head")] == []  # DIS does not halt


@pytest.mark.parametrize("recursion", RECURSIONS)
def test_what_is_carried_are_the_latents_by_their_published_names_without_history(recursion: str) -> None:
    supervision = act(recursion=recursion)
    supervision.model.train()
    carry = supervision.step(supervision.initial_carry(batch()), batch(), draws()).carry
    assert list(carry.latents) == list(RECURSIONS[recursion].starts)
    assert not any(latent.requires_grad for latent in carry.latents.values())
    buffers = {name for name, _ in supervision.model.named_buffers() if name.endswith("_init")}
    assert buffers == set(RECURSIONS[recursion].starts.values())


@pytest.mark.parametrize("recursion", RECURSIONS)
def test_the_q_continue_loss_of_every_recursion_costs_a_second_forward_pass(recursion: str) -> None:
    supervision = act(ACTConfig(halt_max_steps=3, no_ACT_continue=False), recursion=recursion)
    recorded = passes(supervision.model)
    supervision.model.train()
    with torch.no_grad():
        supervision.model.q_head.weight.copy_(torch.linspace(-1, 1, 32).view(2, 16))
    output = supervision.step(supervision.initial_carry(batch()), batch(), draws())
    assert output.network_calls == len(recorded) == 2 * CALLS[recursion]
    assert sum(gradient for _, gradient in recorded) == len(WITH_GRADIENT[recursion])
    output.loss.backward()
    gradient = supervision.model.q_head.weight.grad
    assert gradient is not None
    assert bool((gradient[1] != 0).any())
    assert "q_continue_loss" in output.metrics


def test_an_answer_of_one_step_has_no_q_continue_loss_and_no_second_pass() -> None:
    supervision = act(ACTConfig(halt_max_steps=1, no_ACT_continue=False), recursion="hrm")
    supervision.model.train()
    output = supervision.step(supervision.initial_carry(batch()), batch(), draws())
    assert output.network_calls == CALLS["hrm"]
    assert "q_continue_loss" not in output.metrics
    assert bool(output.carry.halted.all())


def halted_after_a_step(settings: Mapping[str, Any], biases: tuple[float, float]) -> bool:
    supervision: Supervision[Any] = act(ACTConfig(halt_max_steps=4, halt_exploration_prob=0.0, **settings))
    supervision.model.train()
    assert supervision.model.q_head.bias is not None
    with torch.no_grad():
        supervision.model.q_head.bias.copy_(torch.tensor(biases))
    return bool(supervision.step(supervision.initial_carry(batch()), batch(), draws()).carry.halted.all())


@pytest.mark.parametrize(
    ("settings", "biases", "halts"),
    [
        ({}, (1.0, 2.0), True),
        ({}, (-1.0, -2.0), False),
        ({"no_ACT_continue": False}, (1.0, 2.0), False),
        ({"no_ACT_continue": False}, (-1.0, -2.0), True),
        ({"halts_above_continue": True}, (1.0, 2.0), False),
        ({"halts_above_continue": True}, (-1.0, -2.0), True),
        ({"act_enabled": False}, (5.0, -5.0), False),
    ],
)
def test_a_slot_halts_by_the_rule_of_its_settings(
    settings: Mapping[str, Any], biases: tuple[float, float], halts: bool
) -> None:
    assert halted_after_a_step(settings, biases) is halts


@pytest.mark.parametrize("loss_type", ["softmax_cross_entropy", "stablemax_cross_entropy"])
@pytest.mark.parametrize("recursion", RECURSIONS)
def test_every_recursion_trains_with_either_loss(recursion: str, loss_type: str) -> None:
    for supervision in (
        act(ACTConfig(halt_max_steps=3, loss_type=loss_type), recursion=recursion),
        dis(DISConfig(halt_max_steps=3, loss_type=loss_type), recursion=recursion),
    ):
        supervision.model.train()
        loss = supervision.step(supervision.initial_carry(batch()), batch(), draws()).loss
        loss.backward()
        assert bool(loss.isfinite())


@pytest.mark.parametrize(
    ("changes", "says", "allows"),
    [
        ({"recursion": "trn"}, "arch.recursion=trn", "trm | single_z"),
        ({"recursion": "six_z", "L_cycles": 7}, "arch.L_cycles=7 with arch.recursion=six_z", "1 to 6"),
        ({"H_layers": 2}, "arch.H_layers=2 with arch.recursion=trm", "hrm | none"),
        ({"recursion": "none", "mlp_t": True}, "arch.mlp_t=True", "attention with rope or learned"),
        ({"recursion": "none", "pos_encodings": "none"}, "arch.pos_encodings=none", "attention with rope or learned"),
        ({"hidden_size": 30, "num_heads": 4}, "arch.hidden_size=30 over arch.num_heads=4", "even multiple"),
        ({"recursion": "none", "hidden_size": 30, "num_heads": 10}, "over arch.num_heads=10", "heads"),
    ],
)
def test_settings_that_a_recursion_cannot_run_with_are_refused(changes: dict[str, Any], says: str, allows: str) -> None:
    with pytest.raises(UserError) as refusal:
        network(**changes)
    assert says in refusal.value.given
    assert allows in refusal.value.allowed
    assert refusal.value.remedy


def test_heads_of_the_plain_transformer_need_not_fill_the_width() -> None:
    config = TRMConfig(recursion="none", hidden_size=20, num_heads=3, L_layers=1, puzzle_emb_ndim=0)
    model = TinyRecursiveModel(config, SHAPE)
    attention = model.get_submodule("H_level.layers.0.self_attn")
    assert attention.get_parameter("qkv_proj.weight").shape == (3 * 18, 20)
    assert attention.get_parameter("o_proj.weight").shape == (20, 18)


@pytest.mark.parametrize(
    ("method", "arch", "name"),
    [
        ("act", {"H_cycles": 3, "L_cycles": 6}, "TRM T=3 n=6"),
        ("act", {"recursion": "single_z", "L_cycles": 6}, "TRM recursion=single_z T=3 n=6"),
        ("act", {"recursion": "hrm", "H_cycles": 2, "L_cycles": 2, "no_ACT_continue": False}, "HRM T=2 n=2"),
        ("act", {"recursion": "hrm", "H_cycles": 2, "L_cycles": 2}, "TRM recursion=hrm T=2 n=2"),
        ("act", {"recursion": "none", "H_cycles": 1}, "plain transformer"),
        ("act", {"recursion": "none", "H_cycles": 2, "halt_max_steps": 4}, "plain transformer T=2, N_sup=4"),
        ("dis", {"H_cycles": 1, "L_cycles": 2}, "DIS (released code)"),
        ("dis", {"H_cycles": 1, "L_cycles": 2, "recursion": "hrm"}, "DIS (released code), recursion=hrm T=1 n=2"),
        ("dis", {"H_cycles": 1, "recursion": "none"}, "DIS (released code), recursion=none"),
    ],
)
def test_a_figure_names_the_recursion_where_it_is_not_the_method_s_own(
    method: str, arch: dict[str, Any], name: str
) -> None:
    assert METHODS[method].name(arch) == name

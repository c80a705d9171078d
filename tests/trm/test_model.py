"""The recursion: where gradient flows, how often the network is called, what a configuration may say."""

from typing import Any

import pytest
import torch

from dis_trm.supervision import DISConfig, DISSupervision
from tests.models import SHAPE, act, batch, dis, draws, network
from trm.act import ACTConfig, ACTSupervision
from trm.errors import UserError
from trm.layers import truncated_normal_
from trm.model import TinyRecursiveModel, TRMConfig


@pytest.mark.parametrize(
    ("supervision", "expected"),
    [
        (dis(DISConfig(halt_max_steps=6), H_cycles=1, L_cycles=2), 18),
        (act(ACTConfig(halt_max_steps=16), H_cycles=3, L_cycles=6), 336),
        (dis(DISConfig(halt_max_steps=4), H_cycles=2, L_cycles=1), 16),
    ],
    ids=["DIS-18", "TRM-336", "other-16"],
)
def test_network_calls_of_an_answer_are_counted_and_true(supervision: Any, expected: int) -> None:
    passes: list[int] = []
    supervision.model.L_level.register_forward_hook(lambda *_: passes.append(1))
    supervision.model.eval()
    carry, reported, finished = supervision.initial_carry(batch()), 0, False
    while not finished:
        output = supervision.step(carry, batch(), draws())
        carry, reported = output.carry, reported + output.network_calls
        finished = bool(carry.halted.all())
    assert reported == len(passes) == expected


def test_the_q_continue_loss_costs_and_counts_a_second_pass() -> None:
    supervision = act(ACTConfig(halt_max_steps=4, no_ACT_continue=False))
    passes: list[int] = []
    supervision.model.L_level.register_forward_hook(lambda *_: passes.append(1))
    supervision.model.train()
    with torch.no_grad():  # at the start both heads say −5 whatever they see
        supervision.model.q_head.weight.copy_(torch.linspace(-1, 1, 32).view(2, 16))
    output = supervision.step(supervision.initial_carry(batch()), batch(), draws())
    assert output.network_calls == len(passes) == 2 * 8
    output.loss.backward()
    assert supervision.model.q_head.weight.grad is not None
    assert bool((supervision.model.q_head.weight.grad[1] != 0).any())


@pytest.mark.parametrize("supervision", [act(), dis()], ids=["TRM", "DIS"])
def test_no_gradient_crosses_supervision_steps(supervision: Any) -> None:
    supervision.model.train()
    output = supervision.step(supervision.initial_carry(batch()), batch(), draws())
    assert not any(latent.requires_grad for latent in output.carry.latents.values())
    output.loss.backward()
    following = supervision.step(output.carry, batch(seed=1), draws(2))
    following.loss.backward()  # would fail if the first step's graph were needed


def test_only_the_last_cycle_carries_gradient() -> None:
    model = TinyRecursiveModel(network(H_cycles=3), SHAPE)
    recorded: list[bool] = []
    model.L_level.register_forward_hook(lambda _, __, out: recorded.append(out.requires_grad))
    data = batch()
    x = model.embed(data.inputs, model.puzzle_vectors(data.puzzle_identifiers))
    model.recurse(model.initial_latents(4), x)
    assert recorded == [False] * 8 + [True] * 4


def test_parameter_count_of_the_published_compact_model() -> None:
    settings = DISConfig()
    config = TRMConfig(hidden_size=256, L_layers=1, H_cycles=1, L_cycles=2, puzzle_emb_ndim=256)
    model = TinyRecursiveModel(config, SHAPE, DISSupervision.step_rows(settings))
    assert 0.80e6 < sum(p.numel() for p in model.parameters()) < 0.88e6


def test_truncated_normal_has_the_asked_spread_and_no_outliers() -> None:
    drawn = truncated_normal_(torch.empty(200_000), 0.5, torch.Generator().manual_seed(0))
    assert drawn.std().item() == pytest.approx(0.5, rel=0.01)
    assert drawn.abs().max().item() <= 2 * 0.5 / 0.87962 + 1e-3


def test_initial_weights_depend_on_the_seed_and_on_nothing_else() -> None:
    torch.manual_seed(1)
    first = TinyRecursiveModel(network(), SHAPE, seed=3).state_dict()
    torch.manual_seed(2)
    second = TinyRecursiveModel(network(), SHAPE, seed=3).state_dict()
    other = TinyRecursiveModel(network(), SHAPE, seed=4).state_dict()
    assert all(torch.equal(first[k], second[k]) for k in first)
    assert not torch.equal(first["lm_head.weight"], other["lm_head.weight"])


def test_state_dict_keys_are_the_published_ones() -> None:
    keys = set(TinyRecursiveModel(network(pos_encodings="learned"), SHAPE, step_rows=5).state_dict())
    assert keys == {
        "H_init",
        "L_init",
        "embed_tokens.embedding_weight",
        "lm_head.weight",
        "q_head.weight",
        "q_head.bias",
        "puzzle_emb.weights",
        "embed_pos.embedding_weight",
        "timestep_embed.embedding_weight",
        "L_level.layers.0.self_attn.qkv_proj.weight",
        "L_level.layers.0.self_attn.o_proj.weight",
        "L_level.layers.0.mlp.gate_up_proj.weight",
        "L_level.layers.0.mlp.down_proj.weight",
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"pos_encodings": "ropes"},
        {"forward_dtype": "float16"},
        {"hidden_size": 18, "num_heads": 4},
        {"H_cycles": 0},
        {"puzzle_emb_ndim": 100, "puzzle_emb_len": 2},
    ],
)
def test_an_impossible_network_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(UserError) as caught:
        network(**changes)
    assert caught.value.given
    assert caught.value.allowed
    assert caught.value.remedy


def test_bfloat16_keeps_weights_in_float32_and_activations_in_bfloat16() -> None:
    supervision = ACTSupervision(TinyRecursiveModel(network(forward_dtype="bfloat16"), SHAPE), ACTConfig())
    output = supervision.step(supervision.initial_carry(batch()), batch(), draws())
    assert output.logits.dtype == torch.bfloat16
    assert output.carry.latents["z_H"].dtype == torch.bfloat16
    assert output.q_halt_logits.dtype == torch.float32
    assert all(p.dtype == torch.float32 for p in supervision.model.parameters())
    output.loss.backward()
    assert torch.isfinite(output.loss)

"""Optimizers, schedule and averages."""

import pytest
import torch

from tests.models import act, batch, draws
from trm.optim import EMA, AdamAtan2, learning_rate, make_optimizer
from trm.puzzle_embedding import PuzzleEmbedding, SignSGD
from trm_lab.cluster.ranks import Ranks
from trm_lab.training.flat_parameters import FlatParameters


def test_warm_up_is_linear_and_the_default_ratio_keeps_the_rate() -> None:
    assert learning_rate(1e-4, 1, 2000, 10**6, 1.0) == pytest.approx(1e-4 / 2000)
    assert learning_rate(1e-4, 1000, 2000, 10**6, 1.0) == pytest.approx(5e-5)
    assert learning_rate(1e-4, 500_000, 2000, 10**6, 1.0) == pytest.approx(1e-4)


def test_cosine_falls_to_its_floor() -> None:
    assert learning_rate(1.0, 2000, 2000, 10_000, 0.1) == pytest.approx(1.0)
    assert learning_rate(1.0, 6000, 2000, 10_000, 0.1) == pytest.approx(0.55)
    assert learning_rate(1.0, 10_000, 2000, 10_000, 0.1) == pytest.approx(0.1)


def test_adam_atan2_update_does_not_depend_on_the_gradients_scale() -> None:
    moved = []
    for scale in (1.0, 1e-6):
        parameter = torch.nn.Parameter(torch.zeros(5, dtype=torch.float64))
        optimizer = AdamAtan2([parameter], lr=0.1, weight_decay=0.0)
        for _ in range(3):
            parameter.grad = scale * torch.arange(1.0, 6.0, dtype=torch.float64)
            optimizer.step()
        moved.append(parameter.detach().clone())
    torch.testing.assert_close(moved[0], moved[1])


def test_ema_of_constant_weights_is_those_weights_and_swapping_twice_changes_nothing() -> None:
    model = act().model
    flat = FlatParameters(dict(model.named_parameters()))
    before = {k: v.clone() for k, v in model.state_dict().items()}
    ema = EMA(flat.vector, 0.9)
    ema.update(flat.vector)
    ema.swap(flat.vector)
    ema.swap(flat.vector)
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())


def test_ema_moves_by_its_rate_and_swapping_gives_it_to_the_model() -> None:
    model = act().model
    flat = FlatParameters(dict(model.named_parameters()))
    ema = EMA(flat.vector, 0.9)
    before = model.lm_head.weight.detach().clone()
    with torch.no_grad():
        for p in model.parameters():
            p += 1.0
    ema.update(flat.vector)
    ema.swap(flat.vector)
    torch.testing.assert_close(model.lm_head.weight.detach(), before + 0.1)


def test_flat_parameters_are_the_models_own_and_gather_its_gradients() -> None:
    model = act().model
    parameters = dict(model.named_parameters())
    before = {name: p.detach().clone() for name, p in parameters.items()}
    flat = FlatParameters(parameters)
    for name, part in flat.split(flat.vector.detach()).items():
        assert torch.equal(part, before[name])
        assert part.data_ptr() == parameters[name].data_ptr()
    sum(p.square().sum() for p in model.parameters()).backward()  # type: ignore[union-attr]
    torch.testing.assert_close(flat.gradient, 2 * flat.vector.detach())
    assert torch.equal(flat.join(before), flat.vector.detach())


def test_sign_sgd_sums_a_rows_gradients_before_the_sign_and_leaves_other_rows_alone() -> None:
    embedding = PuzzleEmbedding(4, 2, torch.float32)
    embedding.weights.fill_(1.0)
    rows = embedding(torch.tensor([1, 1, 3]))
    rows.backward(torch.tensor([[3.0, -1.0], [-1.0, -1.0], [0.0, 2.0]]))
    SignSGD(embedding, weight_decay=0.5, ranks=Ranks()).step(lr=0.1)
    kept = 1 - 0.1 * 0.5
    expected = [[1, 1], [kept - 0.1, kept + 0.1], [1, 1], [kept, kept - 0.1]]
    torch.testing.assert_close(embedding.weights, torch.tensor(expected))


def test_adamw_by_name_and_adam_atan2_without_the_extension() -> None:
    parameters = list(act().model.parameters())
    cpu = torch.device("cpu")
    assert type(make_optimizer("adamw", parameters, (0.9, 0.95), 0.1, cpu)) is torch.optim.AdamW
    assert type(make_optimizer("adam_atan2", parameters, (0.9, 0.95), 0.1, cpu)) is AdamAtan2


def test_training_lowers_the_loss_of_trm() -> None:
    supervision = act()
    supervision.model.train()
    optimizer = AdamAtan2(supervision.model.parameters(), lr=2e-3, weight_decay=0.0)
    carry, losses = supervision.initial_carry(batch()), []
    for step in range(150):
        output = supervision.step(carry, batch(), draws(step))
        output.loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        carry = output.carry
        losses.append(output.loss.item())
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])

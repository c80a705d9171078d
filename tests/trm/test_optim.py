"""Optimizers, schedule and averages."""

import pytest
import torch

from tests.models import act, batch, draws
from trm.optim import EMA, AdamAtan2, learning_rate
from trm.puzzle_embedding import PuzzleEmbedding, SignSGD
from trm_lab.cluster.ranks import Ranks
from trm_lab.training.flat_parameters import FlatParameters


def test_warm_up_is_linear_and_cosine_falls_to_its_floor() -> None:
    for step, expected in ((1, 1e-4 / 2000), (1000, 5e-5), (500_000, 1e-4)):
        assert learning_rate(1e-4, step, 2000, 10**6, 1.0) == pytest.approx(expected)
    for step, expected in ((2000, 1.0), (6000, 0.55), (10_000, 0.1)):
        assert learning_rate(1.0, step, 2000, 10_000, 0.1) == pytest.approx(expected)


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


def test_ema_moves_by_its_rate_and_swapping_gives_it_to_the_model_and_back() -> None:
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
    ema.swap(flat.vector)
    assert torch.equal(model.lm_head.weight.detach(), before + 1.0)


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


def test_training_lowers_the_loss_of_trm() -> None:
    supervision = act()
    supervision.model.train()
    optimizer = AdamAtan2(supervision.model.parameters(), lr=2e-3, weight_decay=0.0)
    carry, losses = supervision.initial_carry(batch()), []
    for step in range(80):
        output = supervision.step(carry, batch(), draws(step))
        output.loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        carry = output.carry
        losses.append(output.loss.item())
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])

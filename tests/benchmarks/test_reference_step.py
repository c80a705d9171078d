"""The reference step computes what ours computes; only how differs."""

from typing import Any

import pytest
import torch

from benchmarks.configurations import Configuration, named
from benchmarks.reference_step import ReferenceStep
from trm_lab.cluster.ranks import Ranks
from trm_lab.training.learner import Learner

STEPS = 10


def both(name: str, **changes: Any) -> tuple[Learner, ReferenceStep, Configuration]:
    (configuration,) = named(name, "cpu", "float32")
    config, arch = configuration.composed()
    for key, value in {"lr": 1e-2, "lr_warmup_steps": 2, **changes}.items():
        setattr(config, key, value)
    ranks, device = Ranks(), torch.device("cpu")
    ours, theirs = (configuration.supervision(arch, device) for _ in range(2))
    return Learner(config, ours, ranks, 100), ReferenceStep(config, theirs, ranks, 100), configuration


@pytest.mark.parametrize("name", ["dis-tiny-tiny-float64", "trm-tiny-tiny-float64", "dis-tiny-tiny-float32"])
@pytest.mark.parametrize("optimizer", ["adam_atan2", "adamw"])
def test_losses_and_metrics_of_ten_steps_are_ours(name: str, optimizer: str) -> None:
    learner, reference, configuration = both(name, optimizer=optimizer, ema=True)
    batch = configuration.random_batch()
    # weights are kept in float32 in every dtype, so that is what the two may differ by
    losses = []
    for _ in range(STEPS):
        result, other = learner.step(batch), reference.step(batch)
        losses.append(result.loss)
        assert result.loss == pytest.approx(other["loss"], rel=2e-5)
        for metric in other.keys() - {"loss"}:
            assert result.output.metrics[metric].total.tolist() == pytest.approx(other[metric], rel=2e-5), metric
    assert abs(losses[-1] / losses[0] - 1) > 1e-2, "the steps must change something"


def test_the_puzzle_rows_are_ours_where_identifiers_repeat() -> None:
    learner, reference, configuration = both("dis-tiny-tiny-b16-float64")
    batch = configuration.random_batch()
    assert len(batch.puzzle_identifiers.unique()) < len(batch)
    for _ in range(3):
        learner.step(batch)
        reference.step(batch)
    ours, theirs = learner.model.puzzle_emb, reference.model.puzzle_emb
    assert ours is not None
    assert theirs is not None
    assert ours.weights.abs().sum() > 0
    torch.testing.assert_close(ours.weights, theirs.weights)

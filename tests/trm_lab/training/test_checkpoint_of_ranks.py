"""A checkpoint of several ranks is one rank's; of the slots' tensors the others hold no more than their own."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from tests import models
from tests.several_ranks import on_ranks
from trm_lab.cluster.ranks import Ranks
from trm_lab.configuration.train_config import TrainConfig
from trm_lab.runs.training_state import TrainingState, snapshot
from trm_lab.training.learner import Learner

SLOTS, STEPS = 18, 4


def trained(ranks: Ranks) -> Learner:
    config = TrainConfig(data_paths=["unused"], global_batch_size=SLOTS)
    learner = Learner(config, models.dis(), ranks, total_steps=1000)
    first, slots = ranks.local_slots(SLOTS)
    for step in range(STEPS):
        learner.step(models.batch(SLOTS, seed=step).rows(slice(first, first + slots)))
    return learner


def collect(ranks: Ranks) -> dict[str, Any]:
    """The slots' tensors of a rank, those of its checkpoint, and the bytes that arrived here in each message."""
    learner, arrived = trained(ranks), []
    gather, all_gather = dist.gather, dist.all_gather

    def gathered(own: Tensor, others: list[Tensor] | None = None, **options: Any) -> None:
        arrived.append(sum(other.nbytes for other in others or []))
        gather(own, others, **options)

    def gathered_by_all(others: list[Tensor], own: Tensor, **options: Any) -> None:
        arrived.append(sum(other.nbytes for other in others))
        all_gather(others, own, **options)

    dist.gather, dist.all_gather = gathered, gathered_by_all
    parts = learner.tensors()
    dist.gather, dist.all_gather = gather, all_gather
    assert learner.carry is not None
    own = {name: tensor.detach() for name, tensor in learner.carry.tensors().items()}
    return {"own": own, "saved": {k: t.detach() for k, t in parts["carry"].items()}, "arrived": arrived}


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return on_ranks(3, collect, tmp_path_factory.mktemp("ranks"))


def test_the_first_rank_has_the_slots_of_all_in_their_order(collected: list[dict[str, Any]]) -> None:
    saved, alone = collected[0]["saved"], trained(Ranks()).tensors()["carry"]
    assert saved.keys() == alone.keys()
    for name, tensor in alone.items():
        assert torch.equal(saved[name], torch.cat([rank["own"][name] for rank in collected])), name
        torch.testing.assert_close(saved[name], tensor, msg=name)


def test_at_most_one_share_arrives_at_a_time_and_that_on_the_first_rank_alone(collected: list[dict[str, Any]]) -> None:
    largest = max(tensor.nbytes for tensor in collected[0]["own"].values())
    assert 0 < max(collected[0]["arrived"]) <= largest
    for rank in collected[1:]:
        assert sum(rank["arrived"]) == 0
        assert all(len(tensor) == 0 for tensor in rank["saved"].values())


def test_what_was_collected_is_not_copied_again(tmp_path: Path) -> None:
    live, collected = torch.zeros(3), torch.ones(3)
    taken = snapshot(TrainingState({"w": live}, {}, {}, {"z_H": collected}, {}), ("carry",))
    assert taken.carry["z_H"] is collected
    assert taken.model["w"] is not live

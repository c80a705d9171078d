"""While the gradients' sum is under way, what they hold says nothing."""

from typing import Any

import torch

from tests.models import batch, dis
from tests.trm_lab.training.learners import learner


class UnderWay:
    """A sum whose gradients are anything at all until it has arrived."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self._tensor, self._sum = tensor, tensor.clone()
        tensor.fill_(float("nan"))

    def wait(self) -> None:
        self._tensor.copy_(self._sum)


def test_gradients_are_not_judged_while_their_sum_is_under_way() -> None:
    whole = learner(dis(), slots=4)
    other: Any = learner(dis(), slots=4)
    object.__setattr__(other.ranks, "start_sum_", UnderWay)
    for _ in range(3):
        assert whole.step(batch()).finite
        assert other.step(batch()).finite
    assert torch.equal(whole.flat.vector, other.flat.vector)  # type: ignore[union-attr]

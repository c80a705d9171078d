"""A learner around a small model, for tests."""

from typing import Any

import torch

from trm.supervision import Supervision
from trm_lab.cluster.ranks import Ranks
from trm_lab.configuration.train_config import TrainConfig
from trm_lab.training.learner import Learner


def learner(
    supervision: Supervision[Any], device: torch.device | None = None, slots: int = 8, **settings: Any
) -> Learner:
    """A learner of `slots` slots on one rank; no warm-up."""
    ranks = Ranks(device=device or torch.device("cpu"))
    keys = {"data_paths": ["unused"], "global_batch_size": slots, "lr_warmup_steps": 0}
    return Learner(TrainConfig(**{**keys, **settings}), supervision, ranks, total_steps=1000)

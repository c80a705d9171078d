"""Whether every rank still has the same weights; they are updated apart, each from the same sums."""

import torch
from torch import Tensor

from trm.errors import UserError
from trm_lab.cluster.ranks import Ranks
from trm_lab.training.learner import Learner

CHUNK = 1 << 24  # numbers looked at together


class DriftError(UserError):
    """The ranks' weights differ."""


def check_same_weights(learner: Learner, ranks: Ranks) -> None:
    """Compare checksums of the weights' bits over all ranks; every rank calls it.

    Raises:
        DriftError: a rank's differ, so that no checkpoint is written from them.
    """
    parts = [learner.flat.vector.detach()] if learner.flat is not None else []
    embedding = learner.model.puzzle_emb
    if embedding is not None and embedding.owners is None:  # of a shared-out table each rank has other rows
        parts.append(embedding.weights.flatten())
    if parts and not ranks.equal(torch.cat([checksum(part) for part in parts])):
        raise DriftError(
            f"the ranks' weights differ after step {learner.steps_done}: one of them computed something else",
            "the same weights on every rank, bit for bit",
            "give the same command again: it goes on from the last checkpoint, where they agreed; if it comes back, "
            "compare the machines (processor, torch, driver; faulty memory)",
        )


def checksum(vector: Tensor) -> Tensor:
    """`[2]` int64 of a float32 vector's bits: their sum, and their sum weighted by place (both wrap around)."""
    total = torch.zeros(2, dtype=torch.int64, device=vector.device)
    for start in range(0, len(vector), CHUNK):
        bits = vector[start : start + CHUNK].view(torch.int32).long()
        places = torch.arange(start + 1, start + 1 + len(bits), device=bits.device)
        total += torch.stack((bits.sum(), (bits * places).sum()))
    return total

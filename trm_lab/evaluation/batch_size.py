"""How many examples to answer at a time, so that they fit into memory."""

import os
from typing import Any

import torch

from trm.batch import IGNORE_LABEL, Batch
from trm.randomness import SeededStepRandom
from trm.supervision import Supervision
from trm_lab.cluster.memory_needs import Load, check_memory
from trm_lab.cluster.ranks import Ranks
from trm_lab.evaluation.rollout import roll_out

SHARE = 0.6  # of the free memory
PROBED = (4, 12)  # rows of the two trials whose difference tells what a row takes
CPU_VALUES = 24  # values of the size of a latent that are alive at once, a generous count of trm.model's
MOST = 4096
CPU_BATCH = 32  # examples at a time of one task or one file of tasks; more is no faster on a CPU
WITH_GRADIENT = 8  # times the memory that answering takes


def chosen_batch_size(supervision: Supervision[Any], requested: int | None, most: int, ranks: Ranks) -> int:
    """The requested batch size, or as many of `most` examples as fit into memory.

    Raises:
        UserError: the requested one cannot fit into this machine.
    """
    if requested is None:
        return fitting_batch_size(supervision, most, ranks)
    model, load = supervision.model, Load(-(-requested // ranks.world_size))
    weights = sum(parameter.numel() for parameter in model.parameters())
    check_memory(model.config, model.shape, weights, load, ranks.device)
    return requested


def fitting_batch_size(supervision: Supervision[Any], most: int, ranks: Ranks) -> int:
    """At most `most` examples over all ranks, as many as fit into the rank with least room; a multiple of the ranks.

    The model is on the rank's device.
    """
    free = _free_memory(ranks.device)
    row = _measured_row(supervision, ranks) if ranks.device.type == "cuda" else _estimated_row(supervision)
    fitting = torch.tensor([max(1, min(MOST, int(SHARE * free / row)))], device=ranks.device)
    local = min(int(ranks.gather_rows(fitting).min()), -(-most // ranks.world_size))
    return local * ranks.world_size


def _free_memory(device: torch.device) -> float:
    """Free bytes of the device; on a CPU divided by the ranks on this machine."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def _estimated_row(supervision: Supervision[Any]) -> float:
    """Upper bound on the bytes that a row of the batch takes on a CPU."""
    model = supervision.model
    config, shape = model.config, model.shape
    length = config.puzzle_tokens + shape.seq_len
    latents = CPU_VALUES * length * config.hidden_size * config.dtype.itemsize
    logits = 4 * 8 * shape.seq_len * shape.vocab_size  # float64, in the loss
    return latents + logits + supervision.max_steps * shape.seq_len


def _measured_row(supervision: Supervision[Any], ranks: Ranks) -> float:
    """Bytes that a row takes on this GPU, with a tenth to spare."""
    peaks = [_peak(supervision, rows, ranks.device) for rows in PROBED]
    return 1.1 * max(1.0, (peaks[1] - peaks[0]) / (PROBED[1] - PROBED[0]))


def _peak(supervision: Supervision[Any], rows: int, device: torch.device) -> float:
    tokens = torch.zeros(rows, supervision.model.shape.seq_len, dtype=torch.int32, device=device)
    batch = Batch(tokens, torch.full_like(tokens, IGNORE_LABEL), tokens[:, 0].contiguous())
    torch.cuda.reset_peak_memory_stats(device)
    roll_out(supervision, batch, SeededStepRandom(0, 0, rows))
    return torch.cuda.max_memory_allocated(device)

"""How many floating-point operations an answer takes: counted while one is made. L grid tokens."""

from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from trm.batch import IGNORE_LABEL, Batch
from trm.randomness import SeededStepRandom
from trm.supervision import Supervision
from trm_lab.evaluation.rollout import roll_out


def operations_per_answer(supervision: Supervision[Any], device: torch.device) -> int:
    """Of all its supervision steps, in dense products: a multiplication and an addition are two.

    What lies between the products (norms, rotation, softmax, the choice of tokens) is not counted.
    """
    tokens = torch.zeros(1, supervision.model.shape.seq_len, dtype=torch.int32, device=device)
    blank = torch.zeros(1, dtype=torch.int32, device=device)
    batch = Batch(tokens, torch.full_like(tokens, IGNORE_LABEL), blank)
    supervision.model.eval()
    attention = {torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention_operations}
    with FlopCounterMode(
        display=False, custom_mapping=attention
    ) as counter:  # torch counts the GPU's kernels only
        roll_out(supervision, batch, SeededStepRandom(0, 0, 1, 0, 1))
    return counter.get_total_flops()


def _attention_operations(q: torch.Size, k: torch.Size, v: torch.Size, *_: Any, **__: Any) -> int:
    """QKᵀ and AV for shapes `[B, heads, L, D / heads]`."""
    batch, heads, queries, width = q
    return 2 * batch * heads * queries * k[-2] * (width + v[-1])

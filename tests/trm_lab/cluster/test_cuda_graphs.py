"""What recording a CUDA graph takes of a GPU."""

import pytest
import torch
from torch import Tensor

from trm_lab.cluster import cuda_graphs
from trm_lab.cluster.cuda_graphs import WARM_UP, Recorded

MIB = 2**20


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_no_call_takes_the_memory_of_the_recording_and_of_a_plain_call_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_graphs, "agree", lambda *_: True)  # a GPU that computes nothing gives other numbers
    device = torch.device("cuda", 0)
    gradient = torch.zeros(1, device=device)

    def takes_a_gibibyte(x: Tensor) -> Tensor:
        result = x + 1
        gradient.add_(x.expand(256, MIB).contiguous().sum())
        return result

    recorded, x = Recorded(takes_a_gibibyte, gradient), torch.ones(1, MIB, device=device)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    for _ in range(WARM_UP + 3):
        recorded(x)
    assert 1024 * MIB < torch.cuda.max_memory_reserved() < 1.5 * 1024 * MIB

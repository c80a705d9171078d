"""A CPU gives the same bits every time, compiled and on several threads, too."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.runs import train_here
from trm.layers import CastEmbedding
from trm_lab.cluster.determinism import make_deterministic


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)
    make_deterministic(False)


@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler, which torch.compile needs for a CPU")
@pytest.mark.usefixtures("two_threads")
def test_the_compiled_gradient_of_a_lookup_is_the_same_bits_every_time_on_two_threads() -> None:
    make_deterministic(True)
    table = CastEmbedding(3, 64, torch.float32)
    table.initialise(torch.Generator().manual_seed(0))
    lookup = torch.compile(table)
    index = torch.randint(3, (64, 81), generator=torch.Generator().manual_seed(1))
    slope = torch.randn(64, 81, 64, generator=torch.Generator().manual_seed(2))
    gradients = []
    for _ in range(20):
        table.zero_grad()
        (lookup(index) * slope).sum().backward()
        assert table.embedding_weight.grad is not None
        gradients.append(table.embedding_weight.grad.clone())
    assert all(torch.equal(one, gradients[0]) for one in gradients)


@pytest.mark.usefixtures("two_threads")
def test_a_run_on_a_cpu_adds_up_in_a_fixed_order_without_being_asked(dataset: Path, tmp_path: Path) -> None:
    make_deterministic(False)
    train_here(
        "train_arc_tiny_corrupt.py", f"data_paths=[{dataset}]", f"checkpoint_path={tmp_path / 'run'}", "max_steps=1"
    )
    assert torch.are_deterministic_algorithms_enabled()

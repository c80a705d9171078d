import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from tests.models import network
from trm.errors import UserError
from trm_lab.cluster import attention
from trm_lab.cluster.attention import ALLOW, Condition, choose_attention, suiting_backends
from trm_lab.configuration.train_config import FREE_KEYS, TrainConfig, fingerprint

CPU, GPU = torch.device("cpu"), torch.device("cuda")
NETWORK = network()  # heads 8 wide, float32
KERNELS = {
    "cudnn": "_scaled_dot_product_cudnn_attention",
    "flash": "_scaled_dot_product_flash_attention",
    "efficient": "_scaled_dot_product_efficient_attention",
    "math": "bmm",
}


@pytest.fixture(autouse=True)
def torchs_own_choice() -> Iterator[None]:
    yield
    choose_attention("auto", NETWORK, CPU)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU of capability 9.0 on which flash was measured as the fastest for heads 8 wide in float32."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: (9, 0))
    monkeypatch.setitem(attention.MEASURED, Condition((9, 0), 8, "float32"), "flash")


def allowed() -> list[bool]:
    cuda = torch.backends.cuda
    return [
        cuda.cudnn_sdp_enabled(),
        cuda.flash_sdp_enabled(),
        cuda.mem_efficient_sdp_enabled(),
        cuda.math_sdp_enabled(),
    ]


@pytest.mark.parametrize("choice", ALLOW)
def test_a_backend_by_name_is_refused_on_a_cpu(choice: str) -> None:
    with pytest.raises(UserError, match=f"attention={choice} for heads 8 wide in float32 on a CPU") as refused:
        choose_attention(choice, NETWORK, CPU)
    assert (refused.value.allowed, refused.value.remedy) == ("auto", "leave attention out")


def test_a_backend_by_name_is_refused_where_nothing_attends() -> None:
    with pytest.raises(UserError, match="mlp_t=True, which has no attention"):
        choose_attention("flash", dataclasses.replace(NETWORK, mlp_t=True, pos_encodings="none"), GPU)


def test_a_wrong_name_is_answered_with_the_names() -> None:
    with pytest.raises(UserError, match=r"auto \| cudnn \| flash \| efficient \| math"):
        choose_attention("fash", NETWORK, CPU)
    with pytest.raises(UserError, match="attention"):
        TrainConfig(data_paths=["d"], attention="fash")


def test_auto_is_torchs_own_choice_where_nothing_was_measured() -> None:
    before = allowed()
    choose_attention("auto", NETWORK, CPU)
    assert allowed() == before


@pytest.mark.usefixtures("measured")
def test_auto_takes_what_was_measured_under_its_condition_and_no_other() -> None:
    before = allowed()
    choose_attention("auto", NETWORK, GPU)
    assert allowed() == [False, True, False, False]
    choose_attention("auto", network(hidden_size=32, puzzle_emb_ndim=32), GPU)  # heads 16 wide
    assert allowed() == before


@pytest.mark.usefixtures("measured")
def test_nothing_that_was_compiled_for_one_backend_serves_another() -> None:
    compiled, tags = [], []

    def backend(graph: Any, inputs: Any) -> Any:
        compiled.append(graph)
        tags.append(torch.compiler.config.cache_key_tag)  # part of the keys of torch's cache on disk
        return graph

    double = torch.compile(lambda x: F.scaled_dot_product_attention(x, x, x), backend=backend)
    for device in (CPU, CPU, GPU, CPU):
        choose_attention("auto", NETWORK, device)
        double(torch.ones(1, 1, 2, 2))
    assert len(compiled) == 3
    assert tags[0] == tags[2] != tags[1]


def test_the_choice_decides_nothing_that_a_run_is_known_by() -> None:
    assert "attention" in FREE_KEYS
    runs = [TrainConfig(data_paths=["d"], attention=choice) for choice in ("auto", "flash")]
    assert fingerprint(runs[0]) == fingerprint(runs[1])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("choice", ALLOW)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_on_a_gpu_a_backend_computes_where_it_suits_and_is_refused_elsewhere(choice: str, dtype: str) -> None:
    config = network(forward_dtype=dtype)
    if choice not in suiting_backends(config, GPU):
        assert (choice, dtype) in (("flash", "float32"), ("cudnn", "float32"))
        with pytest.raises(UserError, match=f"attention={choice} for heads 8 wide in {dtype}"):
            choose_attention(choice, config, GPU)
        return
    choose_attention(choice, config, GPU)
    with Dispatched() as dispatched:
        F.scaled_dot_product_attention(*torch.ones(3, 1, 2, 64, 8, device=GPU, dtype=config.dtype).unbind())
    assert KERNELS[choice] in dispatched.names


class Dispatched(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.add(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))

"""Compiled and eager runs are the same run."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import torch._inductor.config as inductor

from tests.models import act, batch, dis
from tests.trm_lab.training.learners import learner
from trm.errors import UserError
from trm.model import TRMConfig
from trm.supervision import Supervision
from trm_lab.cluster import compilation
from trm_lab.cluster.compilation import WORTH, CompiledTraining, compile_forward, gain_and_cost

STEPS = 200
LR = 1e-5  # both optimizers are scale-free: at a larger rate they blow rounding up into another path
WITHOUT = "no C++ compiler, which torch.compile needs for a CPU"


def losses(supervision: Supervision, mode: str, device: torch.device) -> list[float]:
    """Of STEPS whole updates: forward, backward, both optimizers."""
    supervision.model.to(device)
    compile_forward(supervision, mode, device)
    trained = learner(supervision, device, lr=LR, puzzle_emb_lr=10 * LR)
    return [trained.step(batch(8, seed).to(device)).loss for seed in range(STEPS)]


def check_agrees(make, mode: str, device: torch.device, tolerance: float, **changes: str) -> None:  # type: ignore[no-untyped-def]
    eager, compiled = (losses(make(**changes), m, device) for m in ("off", mode))
    assert compiled == pytest.approx(eager, rel=tolerance)
    assert eager[-1] != eager[0]


@pytest.mark.long
@pytest.mark.skipif(shutil.which("g++") is None, reason=WITHOUT)
def test_a_compiled_run_of_dis_has_the_eager_runs_losses_over_200_steps() -> None:
    check_agrees(dis, "max", torch.device("cpu"), 1e-4)


@pytest.mark.long
@pytest.mark.skipif(shutil.which("g++") is None, reason=WITHOUT)
def test_a_compiled_run_of_trm_has_the_eager_runs_losses_over_200_steps() -> None:
    check_agrees(act, "max", torch.device("cpu"), 1e-4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("mode", ["auto", "max"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("make", [act, dis])
def test_compiled_and_graphed_runs_on_a_gpu_have_the_eager_runs_losses(make, dtype: str, mode: str) -> None:  # type: ignore[no-untyped-def]
    tolerance = 1e-3 if dtype == "float32" else 3e-2
    check_agrees(make, mode, torch.device("cuda"), tolerance, forward_dtype=dtype)


def test_on_a_cpu_auto_compiles_no_answer() -> None:
    supervision = dis()
    before = supervision.run_forward
    compile_forward(supervision, "auto", torch.device("cpu"))
    assert supervision.run_forward == before


def test_the_demo_is_long_enough_to_compile_and_a_few_steps_are_not() -> None:
    demo = TRMConfig(hidden_size=96, L_layers=1, H_cycles=1, L_cycles=2, puzzle_emb_len=2, puzzle_emb_ndim=96)
    gain, cost = gain_and_cost(demo, 25, 5800 * 64)
    assert gain > WORTH * cost
    gain, cost = gain_and_cost(demo, 25, 100 * 64)
    assert gain < cost


def test_without_a_working_compiler_training_goes_on_uncompiled_and_says_so_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers = torch.arange(99.0, requires_grad=True)
    forward: Any = CompiledTraining(lambda x: x * 3 + 1)  # type: ignore[arg-type, return-value]
    with inductor.patch("cpp.cxx", (str(tmp_path / "no compiler"),)), inductor.patch(force_disable_caches=True):
        for _ in range(2):
            assert torch.equal(forward(numbers), numbers * 3 + 1)
    assert not forward.works
    assert capsys.readouterr().out.count("compile=auto: compiling failed") == 1


def test_compiling_for_a_cpu_without_a_compiler_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilation.shutil, "which", lambda name: None)
    with pytest.raises(UserError, match=r"no C\+\+ compiler"):
        compile_forward(dis(), "max", torch.device("cpu"))

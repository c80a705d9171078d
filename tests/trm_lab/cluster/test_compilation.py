"""Compiled and eager runs are the same run."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch._inductor.config as inductor
from functorch.compile import nop
from torch._dynamo.backends.common import aot_autograd

from tests.models import act, batch, dis
from tests.trm_lab.training.learners import learner
from trm.errors import UserError
from trm.model import TRMConfig
from trm.randomness import SeededStepRandom
from trm.supervision import Supervision
from trm_lab.cluster import compilation
from trm_lab.cluster.compilation import WORTH, Compiled, compile_forward, gain_and_cost

STEPS = 200
LR = 1e-5  # both optimizers are scale-free: at a larger rate they blow rounding up into another path
SHALLOW: dict[str, Any] = {"H_cycles": 1, "L_cycles": 1}  # traced in a second
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


def broken(function: Callable[..., Any], *fails_at: str) -> Callable[..., Any]:
    """`function` by a compiler that fails at the named graphs: fw, bw, or inference, which is without gradients."""

    def fails(graph: torch.fx.GraphModule, inputs: Any) -> Any:
        raise OSError("no compiler\nhere")

    compilers = {f"{graph}_compiler": fails if graph in fails_at else nop for graph in ("fw", "bw", "inference")}
    return torch.compile(function, dynamic=False, backend=aot_autograd(**compilers))


@pytest.fixture
def no_compiler(tmp_path: Path) -> Iterator[None]:
    """Inductor without a compiler, and without what it compiled before."""
    with inductor.patch("cpp.cxx", (str(tmp_path / "no compiler"),)), inductor.patch(force_disable_caches=True):
        yield


def test_without_a_working_compiler_training_goes_on_uncompiled_and_says_so_once(
    no_compiler: None, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers = torch.arange(99.0, requires_grad=True)
    forward = Compiled.training(lambda x: x * 3 + 1)
    for _ in range(2):
        assert torch.equal(forward(numbers), numbers * 3 + 1)
    assert not forward.works
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("compile=auto: compiling failed (InvalidCxxCompiler: No working C++ compiler")


@pytest.mark.parametrize(("make", "fails_at"), [(dis, "fw"), (dis, "bw"), (act, "bw")])
def test_a_step_that_could_not_be_compiled_is_the_uncompiled_step(
    make: Callable[..., Any], fails_at: str, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, failing = make(**SHALLOW), make(**SHALLOW)
    failing.run_forward = Compiled(failing.forward, broken(failing.forward, fails_at), "auto")
    learners = [learner(supervision, gradient_accumulation_steps=2) for supervision in (plain, failing)]
    for seed in range(2):
        for each in learners:
            each.step(batch(8, seed))
    whole = [
        {f"{part} {name}": t for part, held in each.tensors().items() for name, t in held.items()} for each in learners
    ]
    assert whole[0].keys() == whole[1].keys()
    assert [name for name, tensor in whole[0].items() if not torch.equal(tensor, whole[1][name])] == []
    assert capsys.readouterr().out == "compile=auto: compiling failed (OSError: no compiler): it goes on uncompiled\n"


@torch.no_grad()
def test_on_a_gpu_without_a_compiler_auto_answers_uncompiled(
    no_compiler: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    supervision, data, draws = dis(**SHALLOW), batch(8), SeededStepRandom(0, 1, 8)
    carry = supervision.initial_carry(data)
    expected = supervision.step(carry, data, draws).logits
    compile_forward(supervision, "auto", torch.device("cuda"))
    assert torch.equal(supervision.step(carry, data, draws).logits, expected)
    assert "goes on uncompiled" in capsys.readouterr().out


@pytest.mark.parametrize(("capability", "dtype"), [((6, 1), "float32"), ((7, 5), "bfloat16")])
def test_on_a_gpu_too_old_for_its_compiler_auto_compiles_nothing_and_max_is_refused(
    capability: tuple[int, int], dtype: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    supervision, cuda = dis(forward_dtype=dtype), torch.device("cuda")
    before = supervision.run_forward
    compile_forward(supervision, "auto", cuda)
    assert supervision.run_forward == before
    (line,) = capsys.readouterr().out.splitlines()
    assert f"compute capability {capability[0]}.{capability[1]}; {dtype}" in line
    with pytest.raises(UserError, match="compile=max, but"):
        compile_forward(supervision, "max", cuda)


def test_compiling_for_a_cpu_without_a_compiler_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilation.shutil, "which", lambda name: None)
    with pytest.raises(UserError, match=r"no C\+\+ compiler"):
        compile_forward(dis(), "max", torch.device("cpu"))


def test_max_is_refused_where_its_first_call_cannot_be_compiled() -> None:
    forward = Compiled(torch.sin, broken(torch.sin, "fw"), "max")
    with pytest.raises(UserError, match="compile=max, but compiling failed: OSError: no compiler"):
        forward(torch.ones(9, requires_grad=True))


def test_a_run_of_max_that_has_begun_goes_on_without_what_cannot_be_compiled(
    capsys: pytest.CaptureFixture[str],
) -> None:
    forward, numbers = Compiled(torch.sin, broken(torch.sin, "inference"), "max"), torch.ones(9, requires_grad=True)
    assert torch.equal(forward(numbers), numbers.sin())
    with torch.no_grad():
        assert torch.equal(forward(numbers), numbers.sin())
    assert not forward.works
    assert "compile=max: compiling failed (OSError" in capsys.readouterr().out

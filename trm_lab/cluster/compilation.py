"""Compiling a supervision's `forward`: the same numbers, but for rounding, in fewer and larger kernels.

off   plain torch, operation by operation.
auto  on a GPU torch.compile; training steps are also replayed as CUDA graphs (see `Learner`), which leaves the host
      little to do. On a CPU torch.compile for the steps of a training run that is long enough to gain more than
      compiling costs (`gain_and_cost`); answers are computed there as by `off`, so that `evaluate.py` repeats a run's
      scores. Where compiling fails (no C compiler, a GPU too old for Triton), it prints why and goes on uncompiled.
max   on a GPU as auto, with kernels chosen by timing them, which takes minutes; on a CPU torch.compile. Where the first
      step cannot be compiled, a UserError ends the command.
"""

import os
import shutil
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import torch

from trm.errors import UserError, shown
from trm.model import TRMConfig
from trm.supervision import Supervision
from trm_lab.cluster.cuda_graphs import WARM_UP

# On one core of a server's CPU, float32, the DIS demo (D=96, 3 calls) went from 1,065 to 1,645 examples a second after
# 20 s of compiling, the 8 queens (D=64) from 392 to 506; TRM with 7 calls that have a gradient compiled in about 40 s.
SECONDS_SAVED = 4e-8  # for each activation (token × width) of a block with gradient
SECONDS_TO_START, SECONDS_PER_LAYER = (10.0, 4.0)  # of compiling; the second for each block of each network call
LEAST_SHARE_SAVED = 0.2  # of a step's time: steps were 1.25 to 1.54 times as fast
WORTH = 2.0  # the gain must be so many times the cost, since both are estimates


def warm_up_steps(mode: str, device: torch.device) -> int:
    """Supervision steps of a process that say nothing of its speed: the first one, which chooses kernels and takes
    memory; where `mode` compiles, all up to the one in which a CUDA graph is recorded."""
    return WARM_UP + 1 if _compiles(mode, device) else 1


def _compiles(mode: str, device: torch.device) -> bool:
    return mode == "max" or (mode == "auto" and device.type == "cuda")


def compile_forward(supervision: Supervision[Any], mode: str, device: torch.device) -> None:
    """Compile the supervision's `forward` as `mode` asks for `device`; for training on a CPU see `Compiled.training`.

    Raises:
        UserError: `max` where nothing can be compiled.
    """
    if not _compiles(mode, device):
        return
    if obstacle := _obstacle(supervision.model.config.forward_dtype, device):
        _give_up(mode, obstacle)
    elif device.type == "cuda" and mode == "max":
        tuned = torch.compile(supervision.forward, dynamic=False, mode="max-autotune-no-cudagraphs")
        supervision.run_forward = Compiled(supervision.forward, tuned, mode)
    else:
        supervision.run_forward = Compiled(supervision.forward, torch.compile(supervision.forward, dynamic=False), mode)


def _obstacle(dtype: str, device: torch.device) -> str | None:
    """Why nothing can be compiled for `device`, as far as that is known before compiling; else None."""
    if device.type == "cuda":
        (major, minor), least = torch.cuda.get_device_capability(device), 8 if dtype == "bfloat16" else 7
        least_text = f"{dtype} is compiled for {least}.0 and newer"  # by Inductor
        return f"a GPU of compute capability {major}.{minor}; {least_text}" if major < least else None
    compilers = (os.environ.get("CXX", "g++"), "clang++", "c++")
    return None if any(map(shutil.which, compilers)) else "no C++ compiler (g++, clang++)"


def _give_up(mode: str, reason: str, begun: bool = False) -> None:
    """Print why nothing is compiled from now on; under `max` raise it as a UserError, unless steps were made before."""
    if mode == "max" and not begun:
        raise UserError(
            f"compile=max, but compiling failed: {reason}",
            "compile=auto, which then goes on uncompiled; compile=off, which needs no compiler",
            "install what is missing (usually gcc and g++), or drop compile=max",
        )
    print(f"compile={mode}: compiling failed ({reason}): it goes on uncompiled", flush=True)


def gain_and_cost(network: TRMConfig, tokens: int, examples: int) -> tuple[float, float]:
    """Seconds that compiling saves a CPU, and seconds that it takes, for training on so many examples.

    tokens: of the grid.  examples: updates times batch.
    """
    passes, with_gradient = network.block_passes
    activations = (network.puzzle_tokens + tokens) * network.hidden_size * with_gradient
    return SECONDS_SAVED * examples * activations, SECONDS_TO_START + SECONDS_PER_LAYER * passes


R = TypeVar("R")


class Compiled(Generic[R]):
    """Calls a compiled function, and the uncompiled one once compiling has failed.

    All kernels of a call, those of its backward pass too, are compiled before the first of them runs. So if `function`
    is one graph, a call that fails to compile has changed nothing, and `function` is called instead.

    works: false once compiling has failed.

    Args:
        function: as written.
        compiled: the same, by torch.compile.
        mode: a choice of `compile`; under `max` the first call raises UserError.
        training_only: `compiled` is called only where gradients are recorded.
    """

    def __init__(
        self, function: Callable[..., R], compiled: Callable[..., R], mode: str, training_only: bool = False
    ) -> None:
        torch._functorch.config.force_non_lazy_backward_lowering = True  # else loss.backward() compiles, and may fail
        self._function, self._compiled, self._mode = function, compiled, mode
        self.training_only, self.works, self._begun = training_only, True, False

    @classmethod
    def training(cls, function: Callable[..., R]) -> "Compiled[R]":
        """What `compile=auto` makes of `function` on a CPU."""
        return cls(function, torch.compile(function, dynamic=False), "auto", training_only=True)

    def __call__(self, *inputs: Any) -> R:
        if self.works and (torch.is_grad_enabled() or not self.training_only):
            try:
                result = self._compiled(*inputs)
                self._begun = True
                return result
            except torch._dynamo.exc.TorchDynamoException as error:  # named here: importing it takes a second
                self.works = False
                _give_up(self._mode, _reason(error), self._begun)
        return self._function(*inputs)


def _reason(error: Exception) -> str:
    """Type and first line of what went wrong below torch.compile."""
    cause = getattr(error, "inner_exception", None) or error
    return shown(f"{type(cause).__name__}: {cause}".strip().splitlines()[0])

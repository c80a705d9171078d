"""Compiling a supervision's `forward`: the same numbers, but for rounding, in fewer and larger kernels.

off   plain torch, operation by operation.
auto  torch.compile on a GPU. On a CPU it compiles the steps of a training run that is long enough to gain more than
      compiling costs (`gain_and_cost`). Answers are computed as by `off`, so that `evaluate.py` repeats a run's scores.
max   on a GPU with tuned kernels and CUDA graphs, so that the host's part of a step nearly vanishes; on a CPU
      torch.compile.
"""

import shutil
from collections.abc import Callable
from typing import Any

import torch

from trm.errors import UserError
from trm.model import TRMConfig
from trm.supervision import Advanced, Supervision

COMPILE_CHOICES = ("auto", "off", "max")

# On one core of a server's CPU, float32, the DIS demo (D=96, 3 calls) went from 1,065 to 1,645 examples a second after
# 20 s of compiling, the 8 queens (D=64) from 392 to 506; TRM with 7 calls that have a gradient compiled in about 40 s.
SECONDS_SAVED = 4e-8  # for each activation (token × width) of a block with gradient
SECONDS_TO_START, SECONDS_PER_LAYER = (10.0, 4.0)  # of compiling; the second for each block of each network call
WORTH = 2.0  # the gain must be so many times the cost, since both are estimates


def warm_up_steps(mode: str, device: torch.device) -> int:
    """Supervision steps of a process that say nothing of its speed: the first one, which chooses kernels and takes
    memory; where `mode` compiles also those that warm a CUDA graph up and record it."""
    return 3 if _compiles(mode, device) else 1


def _compiles(mode: str, device: torch.device) -> bool:
    return mode == "max" or (mode == "auto" and device.type == "cuda")


def compile_forward(supervision: Supervision[Any], mode: str, device: torch.device) -> None:
    """Compile the supervision's `forward` as `mode` asks for `device`; of training see `compile_training`.

    Raises:
        UserError: `max` on a CPU without a C++ compiler.
    """
    if not _compiles(mode, device):
        return
    if device.type != "cuda" and not has_cpp_compiler():
        raise UserError(
            "compile=max on a CPU, but there is no C++ compiler (g++, clang++)",
            "compile=auto or compile=off, which need none",
            "install g++, or drop compile=max",
        )
    if device.type == "cuda" and mode == "max":
        tuned = torch.compile(supervision.forward, dynamic=False, mode="max-autotune")
        supervision.run_forward = _graphed(tuned)
    else:
        supervision.run_forward = torch.compile(supervision.forward, dynamic=False)


def gain_and_cost(network: TRMConfig, tokens: int, examples: int) -> tuple[float, float]:
    """Seconds that compiling saves a CPU, and seconds that it takes, for training on so many examples.

    tokens: of the grid.  examples: updates times batch.
    """
    passes, with_gradient = network.block_passes
    activations = (network.puzzle_tokens + tokens) * network.hidden_size * with_gradient
    return SECONDS_SAVED * examples * activations, SECONDS_TO_START + SECONDS_PER_LAYER * passes


def has_cpp_compiler() -> bool:
    """Whether torch.compile would find a compiler for this processor."""
    return any(shutil.which(name) for name in ("g++", "clang++", "c++"))


class CompiledTraining:
    """A supervision's `forward`, compiled where it has a gradient.

    works: false once compiling has failed, which is said in a line; from then on nothing is compiled.
    """

    def __init__(self, forward: Callable[..., Advanced]) -> None:
        self._forward, self.works = forward, True
        self._compiled = torch.compile(forward, dynamic=False)

    def __call__(self, *inputs: Any) -> Advanced:
        if self.works and torch.is_grad_enabled():
            try:
                return self._compiled(*inputs)
            except torch._dynamo.exc.TorchDynamoException as error:
                self.works = False
                reason = type(getattr(error, "inner_exception", None) or error).__name__
                print(f"compile=auto: compiling failed ({reason}): the run goes on uncompiled", flush=True)
        return self._forward(*inputs)


def _graphed(forward: Callable[..., Advanced]) -> Callable[..., Advanced]:
    """Results of a CUDA graph live in its own memory, which the next call overwrites: hand out copies."""

    def copied(*inputs: Any) -> Advanced:
        torch.compiler.cudagraph_mark_step_begin()
        result = forward(*inputs)
        return Advanced(
            {name: latent.clone() for name, latent in result.latents.items()},
            result.halted.clone(),
            result.loss,  # its backward pass comes before the next call
            result.logits.clone(),
            result.predictions.clone(),
            result.q_halt_logits.clone(),
            {name: value.clone() for name, value in result.metrics.items()},
        )

    return copied

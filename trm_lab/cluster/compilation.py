"""Compiling a supervision's `forward`: the same numbers in fewer, larger kernels.

off   plain torch, operation by operation.
auto  torch.compile on a GPU; on a CPU as `off`, since compiling takes a minute and gains little there.
max   on a GPU with tuned kernels and CUDA graphs, so that the host's part of a step nearly vanishes; on a CPU
      torch.compile.
"""

import shutil
from collections.abc import Callable
from typing import Any

import torch

from trm.errors import UserError
from trm.recursion import Latents
from trm.supervision import Advanced, Supervision

COMPILE_CHOICES = ("auto", "off", "max")


def warm_up_steps(mode: str, device: torch.device) -> int:
    """Supervision steps of a process that say nothing of its speed: the first one, which chooses kernels and takes
    memory; where `mode` compiles also those that warm a CUDA graph up and record it."""
    return 3 if _compiles(mode, device) else 1


def _compiles(mode: str, device: torch.device) -> bool:
    return mode == "max" or (mode == "auto" and device.type == "cuda")


def compile_forward(supervision: Supervision[Any], mode: str, device: torch.device) -> None:
    """Compile the supervision's `forward` as `mode` asks for `device`.

    Raises:
        UserError: `max` on a CPU without a C++ compiler.
    """
    if not _compiles(mode, device):
        return
    if device.type != "cuda":
        check_cpp_compiler()
        supervision.run_forward = torch.compile(supervision.forward, dynamic=False)
    elif mode == "auto":
        supervision.run_forward = torch.compile(supervision.forward, dynamic=False)
    else:
        tuned = torch.compile(supervision.forward, dynamic=False, mode="max-autotune")
        supervision.run_forward = _graphed(tuned)


def check_cpp_compiler() -> None:
    """UserError where torch.compile would find no compiler for this processor."""
    if not any(shutil.which(name) for name in ("g++", "clang++", "c++")):
        raise UserError(
            "compile=max on a CPU, but there is no C++ compiler (g++, clang++)",
            "compile=auto or compile=off, which need none",
            "install g++, or drop compile=max",
        )


def _graphed(forward: Callable[..., Advanced]) -> Callable[..., Advanced]:
    """Results of a CUDA graph live in its own memory, which the next call overwrites: hand out copies."""

    def copied(*inputs: Any) -> Advanced:
        torch.compiler.cudagraph_mark_step_begin()
        made = forward(*inputs)
        return Advanced(
            Latents(made.latents.z_H.clone(), made.latents.z_L.clone()),
            made.halted.clone(),
            made.loss,  # its backward pass comes before the next call
            made.logits.clone(),
            made.predictions.clone(),
            made.q_halt_logits.clone(),
            {name: value.clone() for name, value in made.metrics.items()},
        )

    return copied

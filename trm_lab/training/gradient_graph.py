"""Forward and backward of a supervision step as one CUDA graph."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from trm.supervision import Advanced, Supervision
from trm_lab.cluster.cuda_graphs import Recorded
from trm_lab.training.packed_metrics import PackedMetrics


class GradientGraph:
    """Replaces a supervision's `run_forward` in training, and computes the gradients as well.

    sizes: `norms` of the gradients, summed over the calls of a step; `[k]`.

    Args:
        global_batch_size: the loss is divided by it.
        gradient: of the weights, to which each call adds; None: the weights are frozen.
    """

    def __init__(self, supervision: Supervision[Any], global_batch_size: int, gradient: Tensor | None) -> None:
        self._supervision, self._forward = supervision, supervision.run_forward
        self._global_batch_size, self._gradient = global_batch_size, gradient
        self.sizes: Tensor | None = None
        self._recorded = Recorded(self._make, gradient)

    @contextmanager
    def installed(self) -> Iterator[None]:
        """A context in which the supervision's steps call this object."""
        self._forward, self._supervision.run_forward = self._supervision.run_forward, self
        try:
            yield
        finally:
            self._supervision.run_forward = self._forward

    def __call__(self, *inputs: Any) -> Advanced:
        """The result of `run_forward`; its loss is detached, since the backward pass is done, beyond the inputs too."""
        leaves = [each.detach().requires_grad_() if _learns(each) else each for each in inputs]
        advanced, gradients, sizes = self._recorded(*leaves)
        self.sizes = sizes.clone() if self.sizes is None else self.sizes + sizes
        for tensor, gradient in zip(filter(_learns, inputs), gradients, strict=True):
            if tensor.is_leaf:  # the puzzles' vectors; autograd would start its own thread for them
                tensor.grad = gradient.clone()
            else:
                torch.autograd.backward(tensor, gradient, retain_graph=True)
        return advanced

    def _make(self, *inputs: Any) -> tuple[Advanced, list[Tensor], Tensor]:
        for tensor in filter(_learns, inputs):
            tensor.grad = None
        advanced = self._forward(*inputs)
        (advanced.loss / self._global_batch_size).backward()
        gradients = [tensor.grad for tensor in filter(_learns, inputs)]
        sizes = norms(gradients if self._gradient is None else [*gradients, self._gradient])
        loss, metrics = advanced.loss.detach().double(), PackedMetrics.of(advanced.metrics)
        return replace(advanced, loss=loss, metrics=metrics), gradients, sizes


def norms(gradients: Sequence[Tensor]) -> Tensor:
    """Euclidean norms, each finite where all of a gradient is; `[k]` float64."""
    return torch.stack([torch.linalg.vector_norm(gradient, dtype=torch.float64) for gradient in gradients])


def _learns(each: Any) -> bool:
    return isinstance(each, Tensor) and each.requires_grad

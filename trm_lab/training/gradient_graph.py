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
    """Stands in for a supervision's `run_forward` while it learns, and makes the gradients as well.

    sizes: `norms` of the gradients, added up over the calls of a step; `[k]`.

    Args:
        global_batch_size: by which the loss is divided.
        gradient: of the weights, to which is added; None: they do not learn.
    """

    def __init__(self, supervision: Supervision[Any], global_batch_size: int, gradient: Tensor | None) -> None:
        self._supervision, self._forward = supervision, supervision.run_forward
        self._global_batch_size, self._gradient = global_batch_size, gradient
        self.sizes: Tensor | None = None
        self._recorded = Recorded(self._make, gradient)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Within, a step of the supervision calls this."""
        self._forward, self._supervision.run_forward = self._supervision.run_forward, self
        try:
            yield
        finally:
            self._supervision.run_forward = self._forward

    def __call__(self, *inputs: Any) -> Advanced:
        """What `run_forward` gives, but that the loss has no gradient any more: it is where it belongs."""
        cut = [one.detach().requires_grad_() if _learns(one) else one for one in inputs]
        advanced, gradients, sizes = self._recorded(*cut)
        self.sizes = sizes.clone() if self.sizes is None else self.sizes + sizes
        for one, gradient in zip(filter(_learns, inputs), gradients, strict=True):
            if one.is_leaf:  # the puzzles' vectors; a pass of autograd would wake its thread
                one.grad = gradient.clone()
            else:
                torch.autograd.backward(one, gradient, retain_graph=True)
        return advanced

    def _make(self, *inputs: Any) -> tuple[Advanced, list[Tensor], Tensor]:
        for one in filter(_learns, inputs):
            one.grad = None
        advanced = self._forward(*inputs)
        (advanced.loss / self._global_batch_size).backward()
        gradients = [one.grad for one in filter(_learns, inputs)]
        sizes = norms(gradients if self._gradient is None else [*gradients, self._gradient])
        loss, metrics = advanced.loss.detach().double(), PackedMetrics.of(advanced.metrics)
        return replace(advanced, loss=loss, metrics=metrics), gradients, sizes


def norms(gradients: Sequence[Tensor]) -> Tensor:
    """Euclidean norms, each finite where all of a gradient is; `[k]` float64."""
    return torch.stack([torch.linalg.vector_norm(gradient, dtype=torch.float64) for gradient in gradients])


def _learns(thing: Any) -> bool:
    return isinstance(thing, Tensor) and thing.requires_grad

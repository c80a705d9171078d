"""Forward and backward of a supervision step as one CUDA graph."""

from collections.abc import Iterator
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

    Args:
        global_batch_size: by which the loss is divided.
        gradient: of the weights, to which is added; None: they do not learn.
    """

    def __init__(self, supervision: Supervision[Any], global_batch_size: int, gradient: Tensor | None) -> None:
        self._supervision, self._forward = supervision, supervision.run_forward
        self._global_batch_size = global_batch_size
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
        learning = [_learns(one) for one in inputs]  # the puzzles' vectors
        cut = [one.detach().requires_grad_() if learns else one for one, learns in zip(inputs, learning, strict=True)]
        advanced, gradients = self._recorded(*cut)
        if any(learning):
            torch.autograd.backward([*filter(_learns, inputs)], gradients)
        return advanced

    def _make(self, *inputs: Any) -> tuple[Advanced, list[Tensor | None]]:
        for one in filter(_learns, inputs):
            one.grad = None
        advanced = self._forward(*inputs)
        (advanced.loss / self._global_batch_size).backward()
        loss, metrics = advanced.loss.detach().double(), PackedMetrics.of(advanced.metrics)
        return replace(advanced, loss=loss, metrics=metrics), [one.grad for one in filter(_learns, inputs)]


def _learns(thing: Any) -> bool:
    return isinstance(thing, Tensor) and thing.requires_grad

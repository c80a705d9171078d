"""Everything that may influence the next step, and a private copy of it that a thread may write at leisure."""

import copy
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from trm_lab.cluster.host_memory import memory_for_copy

PARTS = ("model", "ema", "optimizer", "carry")


@dataclass(frozen=True)
class TrainingState:
    """Everything that may influence the next step.

    model: weights and puzzle embedding by published name.  ema: averaged parameters, empty without.
    optimizer: moments by `<parameter>/<moment>`.  carry: the slots of all ranks, in slot order.
    state: step, data position, bytes of metrics.jsonl written so far, resolved configuration, datasets; JSON.
    """

    model: Mapping[str, Tensor]
    ema: Mapping[str, Tensor]
    optimizer: Mapping[str, Tensor]
    carry: Mapping[str, Tensor]
    state: Mapping[str, Any]

    def parts(self) -> dict[str, Mapping[str, Tensor]]:
        """The tensors, by part."""
        return {part: getattr(self, part) for part in PARTS}

    def nbytes(self) -> int:
        """Bytes of all tensors, as they are stored."""
        return sum(t.nbytes for tensors in self.parts().values() for t in tensors.values())


def snapshot(content: TrainingState, private_parts: Collection[str] = ()) -> TrainingState:
    """A copy in private CPU memory, complete when this returns; later steps cannot reach it.

    A tensor that stands under several names is copied once. From a GPU the copies are queued into pinned memory,
    which torch keeps for the next snapshot, and waited for together; see `memory_for_copy`.

    private_parts: names of parts that nothing else refers to; these are not copied.
    """
    copies: dict[object, Tensor] = {}
    devices: set[torch.device] = set()

    def private(tensor: Tensor) -> Tensor:
        key = (tensor.device, tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride())
        if key not in copies:
            copies[key] = _copied(tensor.detach())
            devices.add(tensor.device)
        return copies[key]

    parts = content.parts()
    for part in parts.keys() - set(private_parts):
        parts[part] = {name: private(tensor) for name, tensor in parts[part].items()}
    for device in devices:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
    return TrainingState(**parts, state=copy.deepcopy(dict(content.state)))


def _copied(tensor: Tensor) -> Tensor:
    if tensor.device.type != "cuda":
        return tensor.to("cpu", copy=True, memory_format=torch.contiguous_format)
    return memory_for_copy(tensor.shape, tensor.dtype, tensor.device).copy_(tensor, non_blocking=True)

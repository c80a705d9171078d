"""Numbers of a device under way to the host, which meanwhile queues more work instead of waiting for them."""

from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from trm_lab.cluster.ranks import Ranks


class Arriving:
    """A copy of a tensor under way to the host; the device's own may change meanwhile."""

    def __init__(self, numbers: Tensor) -> None:
        numbers = numbers.detach()
        self._arrived: torch.cuda.Event | None = None
        if numbers.device.type != "cuda":
            self._host = numbers.clone()
            return
        self._host = torch.empty_like(numbers, device="cpu", pin_memory=True)
        self._host.copy_(numbers, non_blocking=True)
        self._arrived = torch.cuda.Event()
        self._arrived.record()

    def tensor(self) -> Tensor:
        """The copy; waits for what was queued before it, and for nothing after."""
        if self._arrived is not None:
            self._arrived.synchronize()
        return self._host

    def read(self) -> list[float]:
        """The numbers of a tensor `[k]`; waits as `tensor` does."""
        return self.tensor().tolist()


class ArrivingRows:
    """Tensors `[B, …]` under way to the host, their rows' bytes side by side: one message and one copy for all.

    ranks: every rank gets the rows of all of them, in rank order; None: each has its own rows only.
    """

    def __init__(self, columns: Mapping[str, Tensor], ranks: Ranks | None = None) -> None:
        self._layout = {name: (column.dtype, column.shape[1:]) for name, column in columns.items()}
        as_bytes = [column.reshape(len(column), -1).view(torch.uint8) for column in columns.values()]
        self._widths = [column.shape[1] for column in as_bytes]
        rows = torch.cat(as_bytes, 1)  # [B, bytes of a row]
        self._rows = Arriving(rows if ranks is None else ranks.gather_rows(rows))

    def read(self, count: int) -> dict[str, NDArray[Any]]:
        """The first `count` rows, `[count, …]` by name; waits for them."""
        parts = self._rows.tensor()[:count].split(self._widths, 1)
        return {
            name: part.clone(memory_format=torch.contiguous_format).view(dtype).reshape(count, *shape).numpy()
            for part, (name, (dtype, shape)) in zip(parts, self._layout.items(), strict=True)
        }

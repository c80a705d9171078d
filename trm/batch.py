"""A batch of examples, as every package passes it on. B slots, L grid tokens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:  # what builds a dataset needs `IGNORE_LABEL`, not torch, which takes seconds to import
    import torch
    from torch import Tensor

IGNORE_LABEL = -100


def token_dtype(vocab_size: int) -> np.dtype[Any]:
    """What tokens of a vocabulary are stored as: uint8 up to 256, else uint16."""
    return np.min_scalar_type(vocab_size - 1)


def label_dtype(vocab_size: int) -> np.dtype[Any]:
    """What labels are stored as, `IGNORE_LABEL` among them: int16 up to 32,768, else int32."""
    return np.dtype(np.int16 if vocab_size <= 1 << 15 else np.int32)


def token_tensor_dtype(vocab_size: int) -> torch.dtype:
    """What tokens are held as before they are stored: uint8 up to 256, else int32, since no backend sends uint16."""
    import torch

    return torch.uint8 if vocab_size <= 1 << 8 else torch.int32


@dataclass(frozen=True)
class Batch:
    """Examples side by side; all tensors int32.

    inputs: `[B, L]` question tokens.
    labels: `[B, L]` answer tokens, `IGNORE_LABEL` where not scored.
    puzzle_identifiers: `[B]` row of the puzzle embedding; the blank identifier in padding rows.

    Of a dataset that has them, and only where a source of step targets reads them:
    reveal_order: `[B, L]` the round, from 1, in which a solver finds the cell; 0 where it says nothing of the cell.
    stored_steps: `[B, M, L]` M less and less wrong answers, the last of which is the answer.
    """

    inputs: Tensor
    labels: Tensor
    puzzle_identifiers: Tensor
    reveal_order: Tensor | None = None
    stored_steps: Tensor | None = None

    def __len__(self) -> int:
        return len(self.puzzle_identifiers)

    def rows(self, part: slice | Tensor) -> Batch:
        """Some of the examples: of a slice as views, of row numbers as copies."""
        return self._each(lambda tensor: tensor[part])

    def pinned(self) -> Batch:
        """The same batch in memory from which a GPU copies while the processor goes on."""
        return self._each(lambda tensor: tensor.pin_memory())

    def to(self, device: torch.device) -> Batch:
        """The same batch on `device`."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def _each(self, change: Callable[[Tensor], Tensor]) -> Batch:
        tensors = {field.name: getattr(self, field.name) for field in fields(self)}
        changed: dict[str, Any] = {name: None if old is None else change(old) for name, old in tensors.items()}
        return Batch(**changed)

"""A model's trained weights as one vector, and their gradients as another. n weights in all.

A tiny network has few weights in many tensors: side by side they are updated, averaged, checked and sent to other ranks
in one operation each, where a list of tensors would take one for each.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

ALIGNED = 4  # float32 numbers in the 16 bytes that vector instructions load


class FlatParameters:
    """Parameters moved into one vector of which they become views, gradients likewise.

    Each starts at a multiple of ALIGNED numbers; what lies between them is 0 and stays so.

    Args:
        parameters: by name; all of one dtype, on one device, in the order in which they are laid out.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter]) -> None:
        self._shapes = {name: p.shape for name, p in parameters.items()}
        first = next(iter(parameters.values()))
        self._sizes = [-(-shape.numel() // ALIGNED) * ALIGNED for shape in self._shapes.values()]
        self.vector = nn.Parameter(torch.zeros(sum(self._sizes), dtype=first.dtype, device=first.device))  # [n]
        self.gradient = torch.zeros_like(self.vector)  # [n]
        self.vector.grad = self.gradient
        with torch.no_grad():
            values, gradients = self.split(self.vector.data), self.split(self.gradient)
            for name, parameter in parameters.items():
                values[name].copy_(parameter)
                parameter.data, parameter.grad = values[name], gradients[name]

    @property
    def names(self) -> list[str]:
        """Names of the parameters, in their order."""
        return list(self._shapes)

    def split(self, vector: Tensor) -> dict[str, Tensor]:
        """Views of a vector `[n]` by parameter, in the parameters' shapes."""
        parts = zip(self._shapes.items(), vector.split(self._sizes), strict=True)
        return {name: part[: shape.numel()].view(shape) for (name, shape), part in parts}

    def join(self, tensors: Mapping[str, Tensor]) -> Tensor:
        """The vector `[n]` of tensors by parameter, on the weights' device."""
        vector = torch.zeros_like(self.vector.detach())
        for name, part in self.split(vector).items():
            part.copy_(tensors[name])
        return vector

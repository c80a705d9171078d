"""A function of tensors as a CUDA graph: the host launches all of its kernels at once."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

WARM_UP = 3  # calls before the recording: the first compiles, all let libraries choose kernels and take memory
TOLERANCE = 0.02  # of a gradient's norm; bfloat16 attention adds up in any order


class Recorded:
    """Calls `function` directly `WARM_UP` times, then records it as a CUDA graph, and replays that from then on.

    The function takes tensors, dicts of tensors, or None; it must not branch on their values, and may change only
    tensors that keep their addresses. It gets copies of its inputs, at fixed addresses from the first call on, so that
    nothing is compiled again for the recording. A replay overwrites the result of the replay before.

    adds_to: a tensor to which the function adds. The first replay and a direct call must add the same.
      If they do not, or if recording fails, a line says so, and the function is called directly from then on.
    """

    def __init__(self, function: Callable[..., Any], adds_to: Tensor | None = None) -> None:
        self.function, self.works, self._adds_to = function, True, adds_to
        self._calls, self._stream = 0, torch.cuda.Stream()
        self._graph: torch.cuda.CUDAGraph | None = None
        self._inputs: tuple[Any, ...] = ()
        self._result: Any = None

    def __call__(self, *inputs: Any) -> Any:
        """The function's result."""
        self._calls += 1
        if not self.works:
            return self.function(*inputs)
        if self._calls == 1:
            self._inputs = _copied(inputs)
        for own, new in zip(_tensors(self._inputs), _tensors(inputs), strict=True):
            own.copy_(new, non_blocking=True)
        if self._calls <= WARM_UP:
            return self._plain()
        return self._record() if self._graph is None else self._replay()

    def _plain(self) -> Any:
        """Call the function directly, on the recording's stream, for which libraries are then set up."""
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            result = self.function(*self._inputs)
        torch.cuda.current_stream().wait_stream(self._stream)
        return result

    def _record(self) -> Any:
        """Record the function and call it; with `adds_to` directly, and before the recording takes as much memory."""
        if self._adds_to is None:
            return self._replay() if self._captured() else self._plain()
        before, result = self._adds_to.clone(), self._plain()
        after = self._adds_to.clone()
        if self._captured():  # torch frees the memory of the direct call before it records
            self._adds_to.copy_(before)
            self._replay()
            if not agree(self._adds_to - before, after - before):
                self._give_up("a replayed step differs from a direct one")
            self._adds_to.copy_(after)
        return result

    def _captured(self) -> bool:
        """Record the function; whether that worked."""
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
                self._result = self.function(*self._inputs)
        except RuntimeError as error:
            self._give_up(f"recording failed ({str(error).splitlines()[0]})")
            return False
        self._graph = graph
        return True

    def _give_up(self, why: str) -> None:
        self.works, self._graph, self._result = False, None, None
        print(f"CUDA graphs: {why}: the run goes on without them", flush=True)

    def _replay(self) -> Any:
        assert self._graph is not None
        self._graph.replay()
        return self._result


def agree(replayed: Tensor, plain: Tensor) -> bool:
    """Whether two gradients are the same but for rounding; waits for the device."""
    return bool((replayed - plain).norm() <= TOLERANCE * plain.norm())


def _tensors(thing: Any) -> list[Tensor]:
    if isinstance(thing, Tensor):
        return [thing.detach()]
    parts = thing.values() if isinstance(thing, dict) else thing if isinstance(thing, tuple) else ()
    return [tensor for part in parts for tensor in _tensors(part)]


def _copied(thing: Any) -> Any:
    if isinstance(thing, Tensor):
        return thing.detach().clone().requires_grad_(thing.requires_grad)
    if isinstance(thing, dict):
        return {name: _copied(part) for name, part in thing.items()}
    return tuple(_copied(part) for part in thing) if isinstance(thing, tuple) else thing

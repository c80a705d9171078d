"""The recursion: how the latents are updated within one supervision step. B batch, S = P + L positions, D hidden.

A recursion is a list of network calls, made of T cycles (H_cycles = T) with n inner updates each (L_cycles = n). Only
the last calls carry gradient. TRM's cycle (arXiv 2510.04871, Fig. 3) is

    z_L ← f(z_L + z_H + x̃)   n times
    z_H ← f(z_H + z_L)       once

with f the reasoning module and x̃ the embedded question. The others are the published TRM code's ablations, and HRM
(arXiv 2506.21734), which TRM came from. A recursion of one's own: docs/extending.md.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Latents = dict[str, Tensor]
"""What is carried between supervision steps, by published name: `[B, S, D]` each, in the forward dtype."""

Blocks = Callable[[Tensor], Tensor]
"""A module's blocks one after the other, `[B, S, D]` → `[B, S, D]`."""

QUESTION = "x"  # the name of x̃ among what a call adds up


@dataclass(frozen=True)
class Call:
    """One network call: updates ← blocks(Σ state + Σ injection).

    updates: name of the latent that takes the result.  state, injection: names of latents, or `QUESTION`; each is added
    up by itself first.  module: whose blocks they are, `L_level` or `H_level`.
    """

    updates: str
    state: tuple[str, ...]
    injection: tuple[str, ...] = ()
    module: str = "L_level"


class Recursion(ABC):
    """The network calls of one supervision step.

    starts: for each latent the name of the fixed vector that it starts from.  answer: the latent that the heads read.
    most_updates: the largest n.  plain: a transformer as published: attention that knows positions, with heads of
    ⌊D / heads⌋, which need not fill D.
    """

    starts: Mapping[str, str] = {"z_H": "H_init", "z_L": "L_init"}
    answer = "z_H"
    most_updates: int | None = None
    plain = False

    @abstractmethod
    def cycle(self, n: int) -> list[Call]:
        """The calls of one cycle with n inner updates."""

    def calls(self, T: int, n: int) -> list[Call]:
        """All calls of a supervision step, in order."""
        return T * self.cycle(n)

    def gradient_calls(self, n: int) -> int:
        """How many of the calls, the last ones, carry gradient: those of the last cycle."""
        return len(self.cycle(n))


class TRMRecursion(Recursion):
    """TRM: an answer z_H and a latent z_L, updated by one module."""

    def cycle(self, n: int) -> list[Call]:
        """n updates of z_L, then one of z_H."""
        return n * [Call("z_L", ("z_L",), ("z_H", QUESTION))] + [Call("z_H", ("z_H",), ("z_L",))]


class SingleLatent(Recursion):
    """The published `trm_singlez`: one latent is both answer and reasoning."""

    starts: Mapping[str, str] = {"z_L": "L_init"}
    answer = "z_L"

    def cycle(self, n: int) -> list[Call]:
        """n updates with the question, then one without."""
        return n * [Call("z_L", ("z_L",), (QUESTION,))] + [Call("z_L", ("z_L",))]


class SixLatents(Recursion):
    """The published `trm_hier6`: an answer and six latents, the j-th of which takes the j-th inner update."""

    latents = tuple(f"z_L{j}" for j in range(1, 7))
    starts: Mapping[str, str] = {"z_H": "H_init", **{name: f"{name[2:]}_init" for name in latents}}
    most_updates = 6

    def cycle(self, n: int) -> list[Call]:
        """z_Lj ← f(Σ z_L1..6 + z_H + x̃) for j = 1..n, n ≤ 6; then z_H ← f(z_H + Σ z_L1..6)."""
        inner = [Call(name, self.latents, ("z_H", QUESTION)) for name in self.latents[:n]]
        return [*inner, Call("z_H", ("z_H",), self.latents)]


class HRMRecursion(Recursion):
    """HRM: TRM's calls with a module for each latent; only the last call of each module carries gradient."""

    def cycle(self, n: int) -> list[Call]:
        """n updates of z_L by the low-level module, then one of z_H by the high-level one."""
        update_H = Call("z_H", ("z_H",), ("z_L",), "H_level")
        return [*n * [Call("z_L", ("z_L",), ("z_H", QUESTION))], update_H]

    def gradient_calls(self, n: int) -> int:
        """One of each module."""
        return 2


class PlainTransformer(Recursion):
    """The published `transformers_baseline`: one pass, added to the answer that is carried; n means nothing here."""

    starts: Mapping[str, str] = {"z_H": "H_init"}
    plain = True

    def cycle(self, n: int) -> list[Call]:
        """z_H ← f(z_H + x̃), once."""
        return [Call("z_H", ("z_H",), (QUESTION,), "H_level")]


RECURSIONS: dict[str, Recursion] = {
    "trm": TRMRecursion(),
    "single_z": SingleLatent(),
    "six_z": SixLatents(),
    "hrm": HRMRecursion(),
    "none": PlainTransformer(),
}
"""Names for `arch.recursion`; a recursion of one's own is one line more."""


def detached(latents: Latents) -> Latents:
    """The same latents without a gradient's history."""
    return {name: latent.detach() for name, latent in latents.items()}


def make_call(call: Call, modules: Mapping[str, Blocks], latents: Latents, x: Tensor) -> Latents:
    """The latents after one network call, of which one is new; x: `[B, S, D]`, the embedded question."""
    terms = {**latents, QUESTION: x}
    h = _total([terms[name] for name in call.state])  # [B, S, D]
    if call.injection:
        h = h + _total([terms[name] for name in call.injection])
    return {**latents, call.updates: modules[call.module](h)}


def make_calls(
    calls: Sequence[Call], with_gradient: int, modules: Mapping[str, Blocks], latents: Latents, x: Tensor
) -> Latents:
    """The latents after all calls; the last `with_gradient` of them carry gradient, into x and the weights."""
    first = len(calls) - with_gradient
    with torch.no_grad():
        for call in calls[:first]:
            latents = make_call(call, modules, latents, x)
    for call in calls[first:]:
        latents = make_call(call, modules, latents, x)
    return latents


def _total(terms: Sequence[Tensor]) -> Tensor:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total

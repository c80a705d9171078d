"""Which of torch's kernels compute attention on a GPU, by name; for training, evaluation and solving alike.

auto       the fastest in `MEASURED` for this GPU, head width and dtype, or else torch's own choice.
cudnn      cuDNN's fused attention.
flash      FlashAttention 2.
efficient  memory-efficient attention, for float32 as well.
math       two matrix products and a softmax, with the S × S scores in memory; any head width and dtype.

The choice holds for the whole process, compiled functions and backward passes included.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch.backends import cuda
from torch.backends.cuda import SDPAParams
from torch.nn.attention import SDPBackend, sdpa_kernel

from trm.errors import UserError
from trm.model import TRMConfig
from trm_lab.commands.choices import ATTENTION_CHOICES

ALLOW: dict[str, Callable[[bool], None]] = {
    "cudnn": cuda.enable_cudnn_sdp,
    "flash": cuda.enable_flash_sdp,
    "efficient": cuda.enable_mem_efficient_sdp,
    "math": cuda.enable_math_sdp,
}
SUITS: dict[str, Callable[[SDPAParams], bool]] = {
    "cudnn": cuda.can_use_cudnn_attention,
    "flash": cuda.can_use_flash_attention,
    "efficient": cuda.can_use_efficient_attention,
    "math": lambda _: True,
}
EVERY = [SDPBackend.CUDNN_ATTENTION, SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
ALLOWED_AT_START = {
    "cudnn": cuda.cudnn_sdp_enabled(),
    "flash": cuda.flash_sdp_enabled(),
    "efficient": cuda.mem_efficient_sdp_enabled(),
    "math": cuda.math_sdp_enabled(),
}
TAG_AT_START = torch.compiler.config.cache_key_tag


class Condition(NamedTuple):
    """The conditions under which a backend was measured as the fastest."""

    capability: tuple[int, int]
    head_width: int
    dtype: str


MEASURED: dict[Condition, str] = {}  # by `python -m benchmarks.gpu_check`; empty, since no GPU has run it


def choose_attention(choice: str, network: TRMConfig, device: torch.device) -> None:
    """Let attention be computed by the backend that `choice` names; before anything is compiled.

    Raises:
        UserError: no such name, or one that cannot compute this network's attention on this device.
    """
    if choice not in ATTENTION_CHOICES:
        raise UserError(f"attention={choice}", " | ".join(ATTENTION_CHOICES), "choose one of these")
    if choice == "auto":
        _allow(_measured(network, device))
        return
    suiting = suiting_backends(network, device)
    if choice not in suiting:
        raise UserError(
            f"attention={choice} for {_described(network, device)}",
            " | ".join(("auto", *suiting)),
            "choose one of these" if suiting else "leave attention out",
        )
    _allow(choice)


def suiting_backends(network: TRMConfig, device: torch.device) -> list[str]:
    """The backends that torch can use for the network's attention on a GPU, forward and backward; [] elsewhere."""
    if device.type != "cuda" or network.mlp_t:
        return []
    heads, width = network.num_heads, head_width(network)
    q = torch.empty(1, heads, 64, width, dtype=network.dtype, device=device, requires_grad=True)  # [B, A, S, K]
    params = SDPAParams(q, q, q, None, 0.0, False, False)  # no mask, no dropout, not causal, as many k as q heads
    with sdpa_kernel(EVERY):  # a backend that is not allowed does not suit
        return [name for name, suits in SUITS.items() if suits(params)]


def _measured(network: TRMConfig, device: torch.device) -> str | None:
    if device.type != "cuda":
        return None
    capability = torch.cuda.get_device_capability(device)
    return MEASURED.get(Condition(capability, head_width(network), network.forward_dtype))


def _allow(only: str | None) -> None:
    """Allow one backend, or (None) those that torch allowed from the start.

    A compiled function keeps the backend that was allowed when it was traced, and neither its guards nor the keys of
    torch's cache on disk tell which (2.11: the cache hands out `flash` where `efficient` was chosen). So the keys get a
    tag, and what this process compiled for another backend is dropped.
    """
    before, tag = torch.compiler.config.cache_key_tag, f"{TAG_AT_START} attention={only}" if only else TAG_AT_START
    if tag != before:
        torch.compiler.config.cache_key_tag = tag
        torch.compiler.reset()
    for name, allow in ALLOW.items():
        allow(name == only if only else ALLOWED_AT_START[name])


def head_width(network: TRMConfig) -> int:
    """Width K of one attention head."""
    return network.hidden_size // network.num_heads


def _described(network: TRMConfig, device: torch.device) -> str:
    if network.mlp_t:
        return "arch.mlp_t=True, which has no attention"
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else f"a {device.type.upper()}"
    return f"heads {head_width(network)} wide in {network.forward_dtype} on {where}"

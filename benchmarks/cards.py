"""Rates of GPUs from datasheets, and the shares of these rates that the model of a step assumes.

Nothing in this file was measured by this project. Dense bfloat16 with float32 sums, no sparsity; SXM modules where
there are several forms. Sources: NVIDIA's datasheets of the A100 80GB, the H100 and the H200, and the Ada whitepaper
for the RTX 4090. Exponentials: 16 for each multiprocessor and clock on all four (CUDA programming guide, throughput of
arithmetic instructions; the paper of FlashAttention-3, arXiv 2407.08608, has 3.9 T/s for the H100).
"""

from dataclasses import dataclass

Range = tuple[float, float]  # best, worst


@dataclass(frozen=True)
class Card:
    """A GPU.

    products: FLOP/s.  bandwidth: bytes/s.  exponentials: per second.
    attention: head width → FLOP/s that PyTorch's backends are expected to reach, forward and backward together.
    """

    name: str
    products: float
    bandwidth: float
    exponentials: float
    attention: dict[int, Range]


# Attention, assumed: FlashAttention-2 (arXiv 2307.08691) reaches 50 to 70 % of an A100 and about a third of an H100 at
# widths 64 and 128; FlashAttention-3 and cuDNN some half of it. At width 32 a score costs as many exponentials for half
# the products, and the papers have no figures of it: two thirds of those at width 64.
HOPPER = {32: (300e12, 200e12), 64: (420e12, 290e12)}
CARDS = {
    card.name: card
    for card in (
        Card("H200", 989e12, 4.8e12, 3.9e12, HOPPER),
        Card("H100", 989e12, 3.35e12, 3.9e12, HOPPER),
        Card("A100", 312e12, 2.04e12, 2.4e12, {32: (120e12, 80e12), 64: (180e12, 120e12)}),
        Card("RTX 4090", 165e12, 1.01e12, 5.2e12, {32: (100e12, 70e12), 64: (125e12, 90e12)}),
    )
}


@dataclass(frozen=True)
class Shares:
    """Assumed shares of a card's datasheet rates (the first three), and seconds that a kernel launch adds."""

    products: float
    bandwidth: float
    exponentials: float
    launch: float


# On an H200 a square product of 8192 was seen at 788 TFLOP/s, and a copy of gigabytes at 4.3 TB/s.
REACHABLE = Shares(products=0.80, bandwidth=0.90, exponentials=0.90, launch=0.0)
# cuBLAS on long thin operands (inner width 256 to 1536), and Inductor's kernels with reductions.
GOOD, POOR = Shares(0.70, 0.80, 0.90, 3e-6), Shares(0.55, 0.70, 0.90, 5e-6)


def card_of(gpu: str) -> Card | None:
    """The card of a device's name, such as `NVIDIA H100 80GB HBM3`; None for any other."""
    return next((card for name, card in CARDS.items() if name in gpu), None)

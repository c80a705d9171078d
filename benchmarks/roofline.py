"""Lower bound on the bytes that a training step moves between chip and memory, for the roofline figure.

S = P + L positions, D hidden, V vocabulary, B batch; a pass: one call of the network's body.

Each product reads its operands and writes its result exactly once, in the forward dtype; one with gradient three times:
forward, and backward once for each operand. Attention is one operation (reads q, k, v, writes the mixture: its S × S
scores never leave the chip). What lies between products is fused into them and moves nothing. The update reads a
weight, its gradient and two moments, and writes all but the gradient, in float32. Real code moves more.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from trm.act import ACTConfig
from trm.layers import inner_width
from trm.model import PuzzleShape, TRMConfig
from trm_lab.configuration.architecture import Architecture
from trm_lab.flops import trained_weights

UPDATE_WORDS = 7  # of float32 for each weight
BACKWARD = 2  # products backward for each one forward, one for each operand
WITH_GRADIENT = 1 + BACKWARD


@dataclass(frozen=True)
class Product:
    """For one example `[rows, inner] × [inner, columns]`, the right factor being a weight that the batch shares."""

    rows: int
    inner: int
    columns: int

    def moved(self, batch: int) -> int:
        """Numbers that are read and written for so many examples."""
        return batch * self.rows * (self.inner + self.columns) + self.inner * self.columns


def step_bytes(arch: Architecture, shape: PuzzleShape, batch: int) -> int:
    """Bytes that must move at least in a step of `batch` examples."""
    network = arch.network
    width, length = network.hidden_size, network.puzzle_tokens + shape.seq_len
    moved = sum(times * product.moved(batch) for product, times in step_products(arch, shape))
    if not network.mlp_t:
        forward, learning = block_passes(arch)
        moved += (forward + BACKWARD * learning) * 4 * batch * length * width  # q, k, v and the mixture
    return network.dtype.itemsize * moved + 4 * UPDATE_WORDS * trained_weights(arch, shape)


def step_products(arch: Architecture, shape: PuzzleShape) -> Iterator[tuple[Product, int]]:
    """The products with weights of one example's step, forward and backward ones, and how often each is computed."""
    network, settings = arch.network, arch.settings
    width, length = network.hidden_size, network.puzzle_tokens + shape.seq_len
    head, halting = (Product(length, width, shape.vocab_size), Product(1, width, 2))
    forward, learning = block_passes(arch)
    yield from ((product, forward + BACKWARD * learning) for product in products(network, shape))
    if isinstance(settings, ACTConfig):
        yield from ((head, WITH_GRADIENT), (halting, WITH_GRADIENT + (not settings.no_ACT_continue)))
    else:  # `dual` also reads and trains the answer before the step
        yield from ((head, WITH_GRADIENT + 2 * (getattr(settings, "loss_terms", "single") == "dual")), (halting, 1))


def block_passes(arch: Architecture) -> tuple[int, int]:
    """Passes of a block in a step: how many are computed forward, and how many of these backward, too."""
    passes, learning = arch.network.block_passes
    # the target of q_continue takes passes of its own
    bootstrapped = isinstance(arch.settings, ACTConfig) and not arch.settings.no_ACT_continue
    return passes * (1 + bootstrapped), learning


def products(network: TRMConfig, shape: PuzzleShape) -> Iterator[Product]:
    """The products with weights of one pass of a block."""
    width, length = network.hidden_size, network.puzzle_tokens + shape.seq_len
    if network.mlp_t:
        yield from _swiglu(width, length, network.expansion)  # one row for each channel
    else:
        mixed = width // network.num_heads * network.num_heads
        yield from (Product(length, width, 3 * mixed), Product(length, mixed, width))
    yield from _swiglu(length, width, network.expansion)


def _swiglu(rows: int, width: int, expansion: float) -> tuple[Product, Product]:
    inner = inner_width(width, expansion)
    return Product(rows, width, 2 * inner), Product(rows, inner, width)

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
WITH_GRADIENT = 3  # forward, and backward for both operands


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
    network, settings = arch.network, arch.settings
    width, length = network.hidden_size, network.puzzle_tokens + shape.seq_len
    one_pass = sum(product.moved(batch) for product in products(network, shape))  # of a block
    if not network.mlp_t:
        one_pass += 4 * batch * length * width  # q, k, v and the mixture
    head, halting = (Product(length, width, shape.vocab_size), Product(1, width, 2))
    passes, learning = network.block_passes
    moved = one_pass * (passes - learning + WITH_GRADIENT * learning)
    moved += WITH_GRADIENT * head.moved(batch)
    if isinstance(settings, ACTConfig):
        moved += WITH_GRADIENT * halting.moved(batch)
        if not settings.no_ACT_continue:  # the bootstrapped target
            moved += one_pass * passes + halting.moved(batch)
    else:
        moved += halting.moved(batch)
        if getattr(settings, "loss_terms", "single") == "dual":
            moved += 2 * head.moved(batch)  # the answer before the step is read and trained, too
    return network.dtype.itemsize * moved + 4 * UPDATE_WORDS * trained_weights(arch, shape)


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

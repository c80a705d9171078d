"""What a supervision step and an answer must compute and move, by formula from the configuration.

S = P + L positions, D hidden, I inner width of a SwiGLU, V vocabulary, B batch; a pass: one call of the network's body.

Operations are the floating-point operations of dense products, 2·m·n·k each (a multiplication and an addition are two);
what lies between them (norms, rotation, softmax, loss, update) is left out. A product with gradient is counted three
times: forward, and backward once for each operand. Nothing is counted twice for being computed again.

Bytes are those that must move between the chip and its memory if each product reads its operands and writes its result
exactly once, in the forward dtype; attention is one such operation (reads q, k, v, writes the mixture: its S × S scores
never leave the chip); what lies between products is fused into them and moves nothing; the update reads a weight, its
gradient and two moments, and writes all but the gradient, in float32. Real code moves more.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from trm.act import ACTConfig
from trm.layers import inner_width
from trm.model import PuzzleShape, TRMConfig

UPDATE_WORDS = 7  # of float32 for each weight
WITH_GRADIENT = 3  # forward, and backward for both operands


class StepwiseSettings(Protocol):
    """Those of a supervision without a halting loss, such as `dis_trm.supervision.DISConfig`."""

    @property
    def loss_terms(self) -> str:
        """`single`, or `dual`: the answer before a step is read and trained, too."""
        ...


Settings = ACTConfig | StepwiseSettings


@dataclass(frozen=True)
class Product:
    """For one example `[rows, inner] × [inner, columns]`, the right factor being a weight that the batch shares."""

    rows: int
    inner: int
    columns: int

    @property
    def cost(self) -> "Cost":
        """One time."""
        return Cost(
            2 * self.rows * self.inner * self.columns,
            self.rows * (self.inner + self.columns),
            self.inner * self.columns,
        )


@dataclass(frozen=True)
class Cost:
    """operations and elements moved for each example, and weight elements moved for the whole batch."""

    operations: int = 0
    elements: int = 0
    weight_elements: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.operations + other.operations,
            self.elements + other.elements,
            self.weight_elements + other.weight_elements,
        )

    def __mul__(self, times: int) -> "Cost":
        return Cost(self.operations * times, self.elements * times, self.weight_elements * times)


@dataclass(frozen=True)
class StepCost:
    """One supervision step and its update.

    cost: of the products.  weights: trained numbers outside the puzzle table.  width: bytes of the forward dtype.
    """

    cost: Cost
    weights: int
    width: int

    @property
    def operations_per_example(self) -> int:
        """Floating-point operations."""
        return self.cost.operations

    def operations(self, batch: int) -> int:
        """Of a step of `batch` examples."""
        return self.cost.operations * batch

    def bytes(self, batch: int) -> int:
        """That must move at least in a step of `batch` examples."""
        products = self.width * (self.cost.elements * batch + self.cost.weight_elements)
        return products + 4 * UPDATE_WORDS * self.weights

    def intensity(self, batch: int) -> float:
        """Operations for each byte: the horizontal axis of the roofline."""
        return self.operations(batch) / self.bytes(batch)


def step_cost(network: TRMConfig, shape: PuzzleShape, settings: Settings, step_rows: int = 0) -> StepCost:
    """What a training step of this configuration costs; step_rows: of the table of supervision steps."""
    one_pass, length = pass_cost(network, shape), network.puzzle_tokens + shape.seq_len
    head = Product(length, network.hidden_size, shape.vocab_size).cost
    halting = Product(1, network.hidden_size, 2).cost
    learning = network.L_cycles + 1  # passes of the last cycle
    cost = one_pass * (network.network_calls - learning + WITH_GRADIENT * learning) + head * WITH_GRADIENT
    if isinstance(settings, ACTConfig):
        cost += halting * WITH_GRADIENT
        if not settings.no_ACT_continue:
            cost += one_pass * network.network_calls + halting  # the bootstrapped target
    else:
        cost += halting
        if settings.loss_terms == "dual":
            cost += head * 2  # forward and for the weight: the answer before the step takes no gradient
    return StepCost(cost, trained_weights(network, shape, settings, step_rows), network.dtype.itemsize)


def answer_operations(network: TRMConfig, shape: PuzzleShape, settings: Settings, steps: int) -> int:
    """Floating-point operations of an answer of so many supervision steps; the losses beside it take no products."""
    length = network.puzzle_tokens + shape.seq_len
    heads = Product(length, network.hidden_size, shape.vocab_size).cost
    if not isinstance(settings, ACTConfig) and settings.loss_terms == "dual":
        heads += heads  # its loss reads the answer before the step
    step = pass_cost(network, shape) * network.network_calls + heads + Product(1, network.hidden_size, 2).cost
    return step.operations * steps


def pass_cost(network: TRMConfig, shape: PuzzleShape) -> Cost:
    """One pass of the reasoning module, forward."""
    length = network.puzzle_tokens + shape.seq_len
    cost = sum((product.cost for product in products(network, shape)), Cost())
    if not network.mlp_t:
        scores = Cost(4 * length**2 * network.hidden_size, 4 * length * network.hidden_size)  # QKᵀ and AV
        cost += scores * network.L_layers
    return cost


def products(network: TRMConfig, shape: PuzzleShape) -> Iterator[Product]:
    """The products with weights of one pass, layer after layer."""
    width, length = network.hidden_size, network.puzzle_tokens + shape.seq_len
    for _ in range(network.L_layers):
        if network.mlp_t:
            yield from _swiglu(width, length, network.expansion)  # one row for each channel
        else:
            yield from (Product(length, width, 3 * width), Product(length, width, width))
        yield from _swiglu(length, width, network.expansion)


def _swiglu(rows: int, width: int, expansion: float) -> tuple[Product, Product]:
    inner = inner_width(width, expansion)
    return Product(rows, width, 2 * inner), Product(rows, inner, width)


def trained_weights(network: TRMConfig, shape: PuzzleShape, settings: Settings, step_rows: int = 0) -> int:
    """Numbers that the optimizer updates; step_rows: as for `step_cost`."""
    width, length = network.hidden_size, network.puzzle_tokens + shape.seq_len
    weights = sum(product.inner * product.columns for product in products(network, shape))
    weights += 2 * shape.vocab_size * width  # embedding and head
    if network.pos_encodings == "learned":
        weights += length * width
    if isinstance(settings, ACTConfig):
        return weights + 2 * width + 2  # the halting head
    return weights + step_rows * width

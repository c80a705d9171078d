"""Lower bound and expected range of a training step's time on a GPU, from counts and datasheets; nothing is measured.

Counted: operations and operands (roofline.py), the bytes that Inductor's kernels move between the products, and the
kernels of a step (`COUNTED`). Assumed: everything in cards.py, and that these parts run one after another:

attention  2 products forward and 5 backward (which computes the scores again), and an exponential for each score in
           either pass. Floor: the slower of both at the rates that a card can reach; expected: `Card.attention`.
products   each as long as the slower of its operations and its operands.
between    what Inductor fuses: norms, rotation, gates, loss.
update     reading and writing what the optimizer changes (`UPDATE_WORDS`).
launches   `Shares.launch` for each kernel; 0 in the floor. An upper bound: the model takes every kernel as launched by
           the host, while a step is replayed as two CUDA graphs, in which kernels follow each other faster.

Left out: copies to the device, the host where it is slower than the device (64 tokens), waiting for other ranks.
"""

import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

if not __package__:  # run by its path: our modules are found from the folder above, not from this one
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks import machine
from benchmarks.cards import CARDS, GOOD, POOR, REACHABLE, Card, Shares, card_of
from benchmarks.configurations import Configuration, named
from benchmarks.outputs import check_output_folder, write_report
from benchmarks.roofline import UPDATE_WORDS, block_passes, step_products
from trm.errors import UserError
from trm_lab.cluster.attention import head_width
from trm_lab.commands.command_line import CommandLine, local_path, run_command
from trm_lab.commands.tables import table
from trm_lab.flops import trained_weights

PROGRAM = "benchmarks.step_model"
ABOUT = "Print how long training steps should take on GPUs, by part: lower bound and expected range. Measures nothing."
EXAMPLE = """\
  python -m benchmarks.step_model
  python -m benchmarks.step_model dis-compact-arc-b512 --cards H200 --output-dir runs/step_model"""


@dataclass(frozen=True)
class Counted:
    """Counts of a compiled step (`compile=auto`, bfloat16), with torch 2.11 for sm_90 on a GPU that computes nothing.

    between: bytes for each example that Inductor's kernels read and write between the products and attention
    (`benchmarks.footprint`).  launches: kernels of a step, however they are launched.
    """

    between: float
    launches: float


COUNTED = {
    "dis-compact-arc": Counted(40.92e9 / 512, 233),
    "dis-medium-arc": Counted(38.85e9 / 128, 317),
    "trm-compact-arc": Counted(14.99e9 / 192, 250),
    "trm-medium-arc": Counted(171.37e9 / 192, 611),
}
CONFIGURATIONS = "dis-compact-arc-b512 dis-medium-arc-b128 trm-compact-arc-b192 trm-medium-arc-b192"


@dataclass(frozen=True)
class Parts:
    """Seconds of a step's parts."""

    attention: float
    products: float
    between: float
    update: float
    launches: float

    @property
    def total(self) -> float:
        """Seconds of the step."""
        return sum(vars(self).values())


@dataclass(frozen=True)
class Estimate:
    """Times of one configuration on one card: no step is shorter than `floor`; `good` to `poor` is expected."""

    configuration: Configuration
    card: Card
    floor: Parts
    good: Parts
    poor: Parts

    @property
    def examples_per_second(self) -> tuple[float, float]:
        """The lowest and the highest expected rate."""
        return self.configuration.batch / self.poor.total, self.configuration.batch / self.good.total

    def as_dict(self) -> dict[str, Any]:
        """The estimate for a report, in seconds."""
        parts = {name: {**vars(getattr(self, name)), "total": getattr(self, name).total} for name in LEVELS}
        return {"configuration": self.configuration.name, "card": self.card.name, **parts}


LEVELS = ("floor", "good", "poor")


def estimate(configuration: Configuration, card: Card) -> Estimate:
    """Floor and expectation of a compiled step in bfloat16.

    Raises:
        UserError: nothing was counted for the configuration.
    """
    rate = card.attention.get(head_width(configuration.composed()[1].network), card.attention[32])
    return Estimate(
        configuration,
        card,
        _parts(configuration, card, REACHABLE, None),
        _parts(configuration, card, GOOD, rate[0]),
        _parts(configuration, card, POOR, rate[1]),
    )


def beside(configuration: Configuration, gpu: str, seconds: float) -> str | None:
    """A measured step beside its floor and expectation, in a line; None for a GPU or a configuration without them."""
    card = card_of(gpu)
    if card is None or _name(configuration) not in COUNTED or configuration.dtype != "bfloat16":
        return None
    of = estimate(configuration, card)
    low, high = of.good.total, of.poor.total
    verdict = "as" if low <= seconds <= high else "slower than" if seconds > high else "faster than"
    return (
        f"{1e3 * seconds:.1f} ms: {verdict} expected ({1e3 * low:.0f} to {1e3 * high:.0f} ms), "
        f"{seconds / of.floor.total:.1f} times the floor of {1e3 * of.floor.total:.0f} ms on {card.name}"
    )


def _parts(configuration: Configuration, card: Card, shares: Shares, attention_rate: float | None) -> Parts:
    _, arch = configuration.composed()
    batch, bandwidth = configuration.batch, card.bandwidth * shares.bandwidth
    counted = _counted(configuration)
    return Parts(
        _attention(configuration, card, shares, attention_rate),
        sum(
            times
            * max(
                2 * batch * product.rows * product.inner * product.columns / (card.products * shares.products),
                arch.network.dtype.itemsize * product.moved(batch) / bandwidth,
            )
            for product, times in step_products(arch, configuration.shape)
        ),
        batch * counted.between / bandwidth,
        4 * UPDATE_WORDS * trained_weights(arch, configuration.shape) / bandwidth,
        counted.launches * shares.launch,
    )


def _attention(configuration: Configuration, card: Card, shares: Shares, rate: float | None) -> float:
    """Seconds of attention; rate: FLOP/s, None for the floor."""
    _, arch = configuration.composed()
    network = arch.network
    if network.mlp_t:
        return 0.0
    forward, learning = block_passes(arch)
    scores = configuration.batch * (network.puzzle_tokens + configuration.shape.seq_len) ** 2  # [B, S, S]
    operations = 2 * scores * network.hidden_size * (2 * forward + 5 * learning)
    if rate is not None:
        return operations / rate
    exponentials = scores * network.num_heads * (forward + learning)
    return max(operations / (card.products * shares.products), exponentials / (card.exponentials * shares.exponentials))


def _name(configuration: Configuration) -> str:
    return f"{configuration.method}-{configuration.size}-{configuration.task}"


def _counted(configuration: Configuration) -> Counted:
    counted = COUNTED.get(_name(configuration))
    if counted is None:
        raise UserError(
            f"nothing was counted for {_name(configuration)}", " | ".join(COUNTED), "choose one of these configurations"
        )
    return counted


def main(arguments: list[str] | None = None) -> None:
    """Print the table; write the files."""
    line = CommandLine(f"python -m {PROGRAM}", ABOUT, EXAMPLE)
    line.add_argument("configurations", nargs="*", metavar="NAME", help="<method>-<size>-<task>-b<batch>")
    line.add_argument("--cards", nargs="+", choices=[*CARDS], default=[*CARDS], help="(all)")
    line.add_argument("--output-dir", type=local_path, help="where step_model.json, .txt, .png and .pdf go")
    flags = line.parse(arguments)
    check_output_folder(flags.output_dir)
    names = " ".join(flags.configurations) or CONFIGURATIONS
    chosen = named(names, "cuda", "bfloat16")
    estimates = [estimate(one, CARDS[card]) for one in chosen for card in flags.cards]
    text = f"Modelled from counts and datasheets: no GPU has run these steps.\n\n{table(rows(estimates))}"
    print(text)
    if flags.output_dir:
        from benchmarks import figures  # brings matplotlib

        content = [one.as_dict() for one in estimates]
        report = {"kind": "step_model", "command": machine.command(PROGRAM, arguments), "estimates": content}
        write_report(flags.output_dir, "step_model", report, text)
        figures.save(figures.step_model(content), flags.output_dir / "step_model")


def rows(estimates: list[Estimate]) -> list[tuple[str, ...]]:
    """A heading, and a row for each estimate; milliseconds."""
    parts = [part.name for part in fields(Parts)]
    body = [
        (
            one.configuration.name,
            one.card.name,
            *(_span(vars(one.good)[part], vars(one.poor)[part]) for part in parts),
            _milliseconds(one.floor.total),
            _span(one.good.total, one.poor.total),
            "–".join(f"{number:,.0f}" for number in one.examples_per_second),
        )
        for one in estimates
    ]
    return [("configuration", "card", *parts, "floor, ms", "expected, ms", "examples/s"), *body]


def _span(low: float, high: float) -> str:
    return "–".join(dict.fromkeys((_milliseconds(low), _milliseconds(high))))


def _milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:.{0 if seconds >= 0.01 else 1}f}"


if __name__ == "__main__":
    run_command(main, interrupted="interrupted; nothing was written")

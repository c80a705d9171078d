"""GPU memory of training with the published recipes, the cards that they fit on, and the bytes moved between products.

The results do not depend on what the device computes: a stand-in that computes nothing gives the same figures as a GPU,
except for the memory of CUDA itself (`CONTEXT`) and of tuning. `python -m benchmarks.footprint --help`.
"""

import logging
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

if not __package__:  # run by its path: our modules are found from the folder above, not from this one
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.configurations import ENTRIES, TASKS, Configuration
from benchmarks.contender import attempt, make_learner, our_step, timed
from benchmarks.results_table import pipes
from trm.errors import UserError
from trm.model import PuzzleShape
from trm_lab.cluster.cuda_graphs import WARM_UP
from trm_lab.cluster.ranks import Ranks, choose_device
from trm_lab.commands.choices import COMPILE_CHOICES
from trm_lab.commands.command_line import CommandLine, run_command
from trm_lab.commands.progress import track
from trm_lab.configuration.architecture import Architecture, architecture
from trm_lab.configuration.train_config import TrainConfig, train_config
from trm_lab.training.metric_window import Window
from trm_lab.training.python_api import composition
from trm_lab.training.step_result import StepResult

GIB = 2**30
CONTEXT = 0.7 * GIB  # of CUDA, cuBLAS and the kernels themselves: assumed, not measured
CARDS = {16: 15.6, 24: 23.6, 40: 39.4, 48: 47.4, 80: 79.1, 141: 139.8}  # GB in the card's name → GiB that it has
SHAPES = {  # tokens, vocabulary, puzzles
    "arc1": PuzzleShape(900, 12, 876_406),
    "sudoku": PuzzleShape(81, 11, 1),
    "maze": PuzzleShape(900, 6, 1),
    "nqueens": TASKS["nqueens"],
}
ABOUT = """\
Measure the memory of training steps of the published recipes, for the slots that a GPU holds, and count the bytes that
compiled kernels move between the products."""
EXAMPLE = """\
  python -m benchmarks.footprint                        every recipe, compile=auto and off: an hour on a slow host
  python -m benchmarks.footprint arc1_dis --compile auto"""


@dataclass(frozen=True)
class Recipe(Configuration):
    """An experiment with `keys` changed, and `batch` slots on one GPU, computed in `parts`."""

    keys: tuple[tuple[str, Any], ...] = ()
    parts: int = 1

    @property
    def name(self) -> str:
        """The experiment and the changed keys."""
        return " ".join([self.task, *(f"{key}={value}" for key, value in self.keys)])

    @property
    def shape(self) -> PuzzleShape:
        """The shape of the experiment's dataset, a key of `SHAPES`: the beginning of the experiment's name."""
        return SHAPES[self.task.partition("_")[0]]

    def composed(self) -> tuple[TrainConfig, Architecture]:
        """The experiment's settings."""
        engine = {"compile": self.compile, "global_batch_size": self.batch, "gradient_accumulation_steps": self.parts}
        config = train_config(composition(ENTRIES[self.method], {"experiment": self.task, **dict(self.keys), **engine}))
        return config, architecture(config.arch)


MEDIUM = (("arch.hidden_size", 512), ("arch.L_layers", 2))
RECIPES = (  # slots of one GPU, in the recipe's own command and in the others that its file has
    Recipe("dis", "", "arc1_dis", 512, "bfloat16", "auto"),
    Recipe("dis", "", "arc1_dis", 128, "bfloat16", "auto"),
    Recipe("dis", "", "arc1_dis", 128, "bfloat16", "auto", MEDIUM),
    Recipe("trm", "", "arc1_trm_attention", 192, "bfloat16", "auto"),
    Recipe("trm", "", "arc1_trm_attention", 576, "bfloat16", "auto"),
    Recipe("trm", "", "arc1_trm_compact", 192, "bfloat16", "auto"),
    Recipe("trm", "", "sudoku_trm_attention", 768, "bfloat16", "auto"),
    Recipe("trm", "", "sudoku_trm_mlp", 768, "bfloat16", "auto"),
    Recipe("trm", "", "maze_trm_attention", 192, "bfloat16", "auto"),
    Recipe("trm", "", "maze_trm_mlp", 192, "bfloat16", "auto"),
    Recipe("dis", "", "nqueens_dis", 768, "bfloat16", "auto"),
    Recipe("trm", "", "nqueens_trm", 768, "bfloat16", "auto"),
)


@dataclass(frozen=True)
class Footprint:
    """Bytes of training steps.

    allocated, reserved: the most of torch's allocator; reserved is what `nvidia-smi` shows, less `CONTEXT`.
    between_steps: allocated between two steps: weights, moments, puzzle table, slots.
    carried: the slots' part of `between_steps`; a step makes new slots before it frees the old ones.
    moved: by Inductor's kernels in a step, without products and attention; 0 with compile=off.
    """

    allocated: int
    reserved: int
    between_steps: int
    carried: int
    moved: int

    def in_parts(self, parts: int) -> float:
        """Estimated bytes to reserve with so many parts: only what a step allocates and frees is divided by them."""
        held = self.between_steps + self.carried
        return (held + (self.allocated - held) / parts) * self.reserved / self.allocated


def footprint(recipe: Recipe, device: torch.device) -> Footprint:
    """Measure in this process, which must be fresh; the last step records CUDA graphs, and later ones take no more."""
    torch.cuda.set_device(device)
    nodes = counted_nodes()
    learner, window, unread = make_learner(recipe, Ranks(device=device)), Window(), list[StepResult]()
    batch = recipe.random_batch().pinned()

    def step() -> None:
        our_step(learner, batch, device, unread, window)

    timed(step, WARM_UP + 1, device)
    held = torch.cuda.memory_allocated(device)
    assert learner.carry is not None
    carried = sum(tensor.nbytes for tensor in learner.carry.tensors().values())
    moved = sum(4 * words for node, words in nodes if "Extern" not in type(node).__name__)
    return Footprint(
        torch.cuda.max_memory_allocated(device), torch.cuda.max_memory_reserved(device), held, carried, moved
    )


def counted_nodes() -> list[tuple[Any, int]]:
    """A list that Inductor fills: each kernel with the number of float32 words that it reads and writes."""
    from torch._inductor import compile_fx, metrics

    torch.compiler.config.force_disable_caches = True  # what comes from the cache is not counted
    compile_fx.inductor_metrics_log.setLevel(logging.INFO)  # counts at this level only
    compile_fx.inductor_metrics_log.propagate = False
    compile_fx.inductor_metrics_log.addHandler(logging.NullHandler())
    return metrics.nodes_num_elem


def measured(recipe: Recipe, device: torch.device) -> Footprint | str:
    """The footprint, measured in a new process; or why it could not be."""
    with ProcessPoolExecutor(1, get_context("spawn")) as worker:
        answer, problem = worker.submit(attempt, footprint, recipe, device).result()
    return problem or answer


def main(arguments: list[str] | None = None) -> None:
    """Print the table as Markdown, row by row."""
    line = CommandLine("python -m benchmarks.footprint", ABOUT, EXAMPLE)
    line.add_argument(
        "experiments", nargs="*", metavar="EXPERIMENT", help="names of configs/experiment (all that this command knows)"
    )
    line.add_argument("--compile", nargs="+", choices=COMPILE_CHOICES, default=["auto", "off"])
    flags = line.parse(arguments)
    chosen = [one for one in RECIPES if not flags.experiments or one.task in flags.experiments]
    names = dict.fromkeys(one.task for one in RECIPES)
    if unknown := [name for name in flags.experiments if name not in names]:
        given = f"no recipe here for {' '.join(unknown)}"
        raise UserError(given, " | ".join(names), "name some of these, or none for all")
    device = choose_device("cuda")
    recipes = [replace(one, compile=mode) for one in chosen for mode in flags.compile]
    print(pipes([HEADING]))
    for recipe in track(recipes, "recipes"):
        print(pipes([HEADING, row(recipe, measured(recipe, device))]).splitlines()[-1], flush=True)


HEADING = (
    "recipe",
    "slots",
    "compile",
    "allocated",
    "reserved",
    "fits on",
    "parts on 24 GB",
    "parts on 80 GB",
    "GB moved",
)


def row(recipe: Recipe, footprint: Footprint | str) -> Sequence[str]:
    """A row under `HEADING`; GiB."""
    start = (recipe.name, str(recipe.batch), recipe.compile)
    if isinstance(footprint, str):
        return (*start, footprint, *[""] * (len(HEADING) - len(start) - 1))
    return (
        *start,
        f"{footprint.allocated / GIB:.1f}",
        f"{footprint.reserved / GIB:.1f}",
        next((f"{name} GB" for name in CARDS if fits(footprint.reserved, name)), "none of these"),
        *(
            str(next((k for k in divisors(recipe.batch) if fits(footprint.in_parts(k), card)), "–"))
            for card in (24, 80)
        ),
        f"{footprint.moved / 1e9:.1f}" if footprint.moved else "",
    )


def fits(reserved: float, card: int) -> bool:
    """Whether `reserved` bytes and CUDA's own fit on a card of `card` GB."""
    return reserved + CONTEXT <= CARDS[card] * GIB


def divisors(slots: int) -> Iterator[int]:
    """Numbers of equal parts, ascending."""
    return (parts for parts in range(1, slots + 1) if slots % parts == 0)


if __name__ == "__main__":
    run_command(main, interrupted="interrupted")

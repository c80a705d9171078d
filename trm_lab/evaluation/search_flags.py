"""The flags of a search by several rollouts, and of stopping sooner, which commands share."""

import argparse

from trm_lab.commands.command_line import CommandLine, integer, number
from trm_lab.evaluation.search import MOST_NOISE, MOST_WIDTH, ORDERS, SELECTIONS, STARTS, Search, StopRule

SEARCH_FLAGS = {"--width", "--noise", "--start", "--symmetries", "--select", "--stop", "--order"}


def add_search_flags(line: CommandLine) -> None:
    """Add them to a command line."""
    add, usual = line.add_argument, Search()
    add("--width", type=integer(1, MOST_WIDTH), default=usual.width, help="rollouts of each question (1)")
    add(
        "--noise",
        type=number(0, MOST_NOISE),
        default=usual.noise,
        help="of the latents before each step but the first, in units of their standard deviations (0)",
    )
    add("--start", choices=STARTS, default=usual.start, help="initial latents: as trained, or drawn (trained)")
    add("--symmetries", action="store_true", help="rollouts but the first see the puzzle turned, mirrored, renamed")
    add("--select", choices=tuple(SELECTIONS), default=usual.select, help="which rollout answers (confidence)")
    add_stop_flag(line)
    add("--order", choices=ORDERS, default=usual.order, help="rollouts step by step, or one after another (together)")


def add_stop_flag(line: CommandLine) -> None:
    """Add `--stop` alone."""
    rules = "q_halt:P | confidence:P | agreement:K | valid"
    line.add_argument("--stop", type=StopRule.parse, metavar="RULE", help=f"no further step once this holds: {rules}")


def search_of(flags: argparse.Namespace) -> Search:
    """How answers are searched for.

    Raises:
        UserError: flags that make no sense together.
    """
    return Search(flags.width, flags.noise, flags.start, flags.symmetries, flags.select, flags.stop, flags.order)

"""The flags of a search by several rollouts, and of stopping sooner, which commands share."""

import argparse
from typing import TYPE_CHECKING

from trm_lab.commands.choices import MOST_NOISE, MOST_WIDTH, ROLLOUT_ORDERS, SELECTIONS, STARTS
from trm_lab.commands.command_line import CommandLine, integer, number

if TYPE_CHECKING:
    from trm_lab.evaluation.search import Search, StopRule

SEARCH_FLAGS = {"--width", "--noise", "--start", "--symmetries", "--select", "--stop", "--order"}


def add_search_flags(line: CommandLine) -> None:
    """Add the search flags to a command line; their defaults are those of `Search`."""
    add = line.add_argument
    add("--width", type=integer(1, MOST_WIDTH), default=1, help="rollouts of each question (1)")
    add(
        "--noise",
        type=number(0, MOST_NOISE),
        default=0.0,
        help="of the latents before each step but the first, in units of their standard deviations (0)",
    )
    add("--start", choices=STARTS, default="trained", help="initial latents: as trained, or drawn (trained)")
    add("--symmetries", action="store_true", help="rollouts but the first see the puzzle turned, mirrored, renamed")
    add("--select", choices=tuple(SELECTIONS), default="confidence", help="which rollout answers (confidence)")
    add_stop_flag(line)
    add("--order", choices=ROLLOUT_ORDERS, default="together", help="rollouts step by step, or one by one (together)")


def add_stop_flag(line: CommandLine) -> None:
    """Add `--stop` alone."""
    rules = "q_halt:P | confidence:P | agreement:K | valid"
    line.add_argument("--stop", type=_stop_rule, metavar="RULE", help=f"no further step once this holds: {rules}")


def _stop_rule(text: str) -> "StopRule":
    from trm_lab.evaluation.search import StopRule

    return StopRule.parse(text)


def search_of(flags: argparse.Namespace) -> "Search":
    """How answers are searched for.

    Raises:
        UserError: flags that make no sense together.
    """
    from trm_lab.evaluation.search import Search

    return Search(flags.width, flags.noise, flags.start, flags.symmetries, flags.select, flags.stop, flags.order)

"""The flags of test-time training, which evaluate.py and an offline package's solve.py share."""

import argparse

from trm.errors import UserError
from trm_lab.commands.choices import ADAPTED_WEIGHTS, FREEZE
from trm_lab.commands.command_line import CommandLine, integer, number

ADAPTATION_FLAGS = ("--adapt", "--adapt-weights", "--adapt-lr", "--adapt-freeze")


def add_adaptation_flags(line: CommandLine, job: str = "") -> None:
    """Add them; job: what the help of --adapt begins with, such as "with --task: "."""
    add = line.add_argument
    add("--adapt", type=integer(0, 10**6), default=0, help=f"{job}adapt to the demonstrations in so many steps (0)")
    add(
        "--adapt-weights",
        choices=ADAPTED_WEIGHTS,
        default="embedding",
        help="with --adapt: what learns, each task's puzzle embedding (default) or all weights with it",
    )
    add("--adapt-lr", type=number(0, 1), help="with --adapt: the learning rate of what learns (default: the run's)")
    add(
        "--adapt-freeze",
        type=number(0, 1),
        metavar="SHARE",
        help=f"with --adapt-weights all: the share of the steps, the first, in which only embeddings learn ({FREEZE})",
    )


def check_adaptation(flags: argparse.Namespace) -> None:
    """UserError for a flag of adaptation that would have no effect."""
    without = [flag for flag in ADAPTATION_FLAGS[1:] if flag in flags.flags]
    if without and not flags.adapt:
        raise UserError(f"{without[0]} without --adapt", "--adapt N, with N from 1", "add --adapt N, or leave it out")
    if flags.adapt_freeze is not None and flags.adapt_weights != "all":
        raise UserError(
            f"--adapt-freeze {flags.adapt_freeze:g} where only embeddings learn",
            "--adapt-freeze with --adapt-weights all",
            "add --adapt-weights all, or leave it out",
        )

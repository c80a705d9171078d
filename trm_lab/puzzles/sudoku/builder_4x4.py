"""Build a 4×4 sudoku dataset (2×2 boxes): one solution each, train and test disjoint up to symmetry.

Run it with `python -m data.build_sudoku_4x4_dataset --help`; other sizes: `data.build_sudoku_nxn_dataset`.
"""

from collections.abc import Sequence

from trm_lab.commands.command_line import CommandLine
from trm_lab.puzzles.sudoku.nxn_builder import add_flags, build

EXAMPLE = """\
  python -m data.build_sudoku_4x4_dataset --train-size 1000 --test-size 200 --num-aug 100
all puzzles with 4 givens that there are up to symmetry:
  python -m data.build_sudoku_4x4_dataset --givens 4 --train-size 10 --test-size 3 --num-aug 1000"""


def command_line() -> CommandLine:
    """The flags."""
    return add_flags(
        CommandLine(
            "python -m data.build_sudoku_4x4_dataset",
            "Build a 4×4 sudoku dataset. Of the puzzles with one solution and a blank cell 4,708 are different up to "
            "symmetry.",
            EXAMPLE,
        )
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Build what the command line says and print a summary."""
    build(command_line().parse(arguments), size=4)

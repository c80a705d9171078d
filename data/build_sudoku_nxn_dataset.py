"""Build a sudoku dataset of 4×4, 6×6 or 9×9 cells: one solution each, train and test disjoint up to symmetry.

Boxes are 2×2, 2×3 (rows × columns) and 3×3. Full grids are drawn uniformly from all that exist.
Run it with `python -m data.build_sudoku_nxn_dataset --help`.
"""

from collections.abc import Sequence

from data.sudoku_build import add_flags, build
from data.sudoku_geometry import GEOMETRIES
from trm.command_line import CommandLine, run_command

EXAMPLE = """\
  python -m data.build_sudoku_nxn_dataset --size 9 --train-size 1000 --test-size 200 --num-aug 1000
easy ones of 6×6 cells, and the hardest:
  python -m data.build_sudoku_nxn_dataset --size 6 --min-givens 16 --max-givens 24 --output-dir data/sudoku-6x6-easy
  python -m data.build_sudoku_nxn_dataset --size 6 --max-givens 10 --output-dir data/sudoku-6x6-hard"""


def command_line() -> CommandLine:
    """The flags."""
    parser = CommandLine(
        "python -m data.build_sudoku_nxn_dataset", "Build a sudoku dataset of N×N cells.", EXAMPLE
    )
    parser.add_argument(
        "--size", type=int, choices=list(GEOMETRIES), default=9, help="N: rows, columns and digits (9)"
    )
    return add_flags(parser)


def main(arguments: Sequence[str] | None = None) -> None:
    """Build what the command line says and print a summary."""
    given = command_line().parse(arguments)
    build(given, given.size)


if __name__ == "__main__":
    run_command(main)

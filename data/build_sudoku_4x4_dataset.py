"""Build a 4×4 sudoku dataset (2×2 boxes): one solution each, train and test disjoint up to symmetry.

`python -m data.build_sudoku_4x4_dataset --help` lists its flags; the work is in `trm_lab.puzzles.sudoku.builder_4x4`.
"""

import sys
from pathlib import Path

if not __package__:  # run by its path: our modules are found from the folder above, not from this one
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from trm_lab.commands.command_line import run_builder
from trm_lab.puzzles.sudoku.builder_4x4 import command_line, main

__all__ = ["command_line", "main"]

if __name__ == "__main__":
    run_builder(main)

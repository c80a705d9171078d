"""Build an n queens dataset: some queens of a solution are given, the whole board is the answer.

`python -m data.build_nqueens_dataset --help` lists its flags; the work is in `trm_lab.puzzles.queens.builder`.
"""

import sys
from pathlib import Path

if not __package__:  # run by its path: our modules are found from the folder above, not from this one
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from trm_lab.commands.command_line import run_builder
from trm_lab.puzzles.queens.builder import command_line, main

__all__ = ["command_line", "main"]

if __name__ == "__main__":
    run_builder(main)

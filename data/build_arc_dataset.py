"""Build the augmented ARC dataset that TRM and DIS train on: compact, or in the published layout of HRM and TRM.

`python -m data.build_arc_dataset --help` lists its flags; the work is in `trm_lab.puzzles.arc.builder`.
"""

import sys
from pathlib import Path

if not __package__:  # run by its path: our modules are found from the folder above, not from this one
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from trm_lab.commands.command_line import run_builder
from trm_lab.puzzles.arc.builder import command_line, main

__all__ = ["command_line", "main"]

if __name__ == "__main__":
    run_builder(main)

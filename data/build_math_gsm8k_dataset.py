"""Build a mathematics dataset: made here over fourteen categories, or read from files in the form of GSM8K or MATH.

`python -m data.build_math_gsm8k_dataset --help` lists its flags; the work is in `trm_lab.puzzles.text.math_builder`.
"""

import sys
from pathlib import Path

if not __package__:  # run by its path: our modules are found from the folder above, not from this one
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from trm_lab.commands.command_line import run_builder
from trm_lab.puzzles.text.math_builder import command_line, main

__all__ = ["command_line", "main"]

if __name__ == "__main__":
    run_builder(main)

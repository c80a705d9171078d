"""Where the golden numbers are: tests/fixtures/golden, or the folder that GOLDEN_DIR names."""

import os
from pathlib import Path

import hypothesis
import torch

hypothesis.settings.register_profile("shared machine", deadline=None, derandomize=True)  # no clock, no luck
hypothesis.settings.load_profile("shared machine")
torch.set_num_threads(1)  # the suite runs one process a core

GOLDEN_DIR = Path(os.environ.get("GOLDEN_DIR") or Path(__file__).parent / "fixtures" / "golden")

"""Where the golden numbers are: tests/fixtures/golden, or the folder that GOLDEN_DIR names."""

import os
from pathlib import Path

GOLDEN_DIR = Path(os.environ.get("GOLDEN_DIR") or Path(__file__).parent / "fixtures" / "golden")

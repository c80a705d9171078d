"""The recorded runs in tests/fixtures/runs: small, but real; see the README there."""

import json
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).resolve().parents[1] / "fixtures" / "runs"
DIS, TRM = RECORDED / "sudoku4_dis_0", RECORDED / "sudoku4_trm_compact_1"  # with every answer kept
DIS_SAMPLES = RECORDED / "sudoku4_dis_1"  # with samples alone
SCORED = "step_248-guided-margins"


def scores(run: Path) -> dict[str, Any]:
    return json.loads((run / "scored" / SCORED / "scores.json").read_text())

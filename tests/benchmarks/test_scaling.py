"""Ranks are measured in processes of their own, and an older file's figures are still drawn."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import scaling
from benchmarks.scaling import DIS, run
from benchmarks.scaling_ranks import TINY, Trial

SMALL = Trial("small", DIS[0], (*DIS[1], *TINY), grid=16, puzzles=40, batch=12, ranks=2, steps=2)


@pytest.mark.long
def test_bytes_handed_over_are_those_of_gradients_and_puzzle_rows() -> None:
    replicated, shared = run(SMALL), run(replace(SMALL, shared=True))
    row = 4 * 64 + 4  # a gradient and an identifier
    for rank in replicated:
        assert rank["step"]["all_gather"] == 6 * row
        assert rank["step"]["all_reduce"] > 4 * 64 * 64
        assert 0 < rank["communication"] < 1.5 * rank["seconds"]
    for rank in shared:
        assert "all_gather" not in rank["step"]
        assert rank["step"]["all_to_all_single"] > 0
        assert rank["checkpoint_bytes"] == (replicated[rank["rank"]]["checkpoint_bytes"])


def test_the_stored_report_makes_the_table_and_the_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stored: dict[str, Any] = json.loads((scaling.HERE / "scaling.json").read_text())
    (tmp_path / "scaling.json").write_text(json.dumps(stored))
    scaling.main(["--markdown", "--reuse", "--folder", str(tmp_path)])
    written = (tmp_path / "scaling.md").read_text()
    assert written == (scaling.HERE / "scaling.md").read_text()
    assert f"\n| {stored['results'][0]['trial']['name']} | 1 | 8 | 10,000 | 9.46 s | 0 % |" in written
    assert (tmp_path / "figures/scaling.png").stat().st_size > 10_000
    assert "| TRM 7M, 16 tokens | 4 |" in capsys.readouterr().out

"""Killed, stopped, starved of disk and damaged, a run ends where the undisturbed one does, or says what is gone.

CHAOS_SEED repeats the draws, CHAOS_ROUNDS sets their number, CHAOS_REPORT takes the table as JSON.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.judging import differences, explains, names
from tests.chaos.rounds import STEPS, Arena, Live, Variant
from tests.runs import REPOSITORY, environment

ROUNDS = 100
ONE = Variant("dis", ema=True, ranks=1)


def campaign(rounds: int, folder: Path, **variables: str) -> dict[str, Any]:
    """Hold rounds in a process of their own; the report."""
    report = os.environ.get("CHAOS_REPORT") or str(folder / "report.json")
    settings = {"CHAOS_ROUNDS": str(rounds), "CHAOS_REPORT": report, "CHAOS_FOLDER": str(folder / "rounds")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos"],
        cwd=REPOSITORY,
        env={**environment(), **settings, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print(done.stdout)
    assert Path(report).is_file(), done.stdout
    return dict(json.loads(Path(report).read_text()))


@pytest.mark.long
def test_a_few_rounds_lose_nothing_unsaid(arena: Arena, tmp_path: Path) -> None:
    report = campaign(3, tmp_path, CHAOS_CHEAP="yes", CHAOS_DATASET=str(arena.dataset))
    assert report["rounds"] == 3
    assert report["failed"] == {}


@pytest.mark.long
def test_a_hundred_rounds_lose_nothing_unsaid(tmp_path: Path) -> None:
    report = campaign(int(os.environ.get("CHAOS_ROUNDS", ROUNDS)), tmp_path)
    assert report["failed"] == {}


def test_the_judge_sees_what_is_not_the_same(arena: Arena, run: Path) -> None:
    whole = arena.undisturbed(ONE).ending
    launch = arena.start(ONE, run, run.parent / "log", Live("none"))
    launch.wait(120)
    assert differences(run, STEPS, whole, bitwise=True) == []
    records = run / "metrics.jsonl"
    text = records.read_text()
    records.write_text(text.replace('"step": 12', '"step": 13', 1))
    assert differences(run, STEPS, whole, bitwise=True) == ["metrics.jsonl"]
    records.write_text("{" + text)
    assert differences(run, STEPS, whole, bitwise=True)[0].startswith("metrics.jsonl (")
    records.write_text(text)
    scores = next(run.glob("evaluations/step_*/submission.json"))
    scores.write_text(scores.read_text().replace("0", "1", 1))
    place = str(scores.relative_to(run))
    assert differences(run, STEPS, whole, bitwise=True) == [place]
    assert not names(f"{place} was looked at", place)
    assert names(f"error: {scores.parent} is damaged: submission.json differs", place)
    other = run / f"checkpoints/step_{STEPS}"
    other.rename(other.with_name("step_999"))
    assert f"checkpoints/step_{STEPS}" in differences(run, STEPS, whole, bitwise=False)
    assert not explains("error: something else\n  allowed: x\n  to do:   y", [other / "state.json"], run)

"""A run depends neither on having been killed nor on the number of ranks."""

import math
import os
import random
import signal
import time
from pathlib import Path

import pytest
import torch

from tests.runs import command, finish, records, start, tensors

STEPS = 24
LENGTH = ("global_batch_size=8", "epochs=40", "eval_interval=5", f"max_steps={STEPS}", "log_interval=4")
SAVED_BY = 8  # a record this late means that step 3's checkpoint is on disk: step 6's is not begun before it is whole
METHODS = {
    "trm": ("pretrain.py", "arch=trm", "arch.halt_max_steps=4", "ema=True"),
    "dis": ("train_arc_tiny_corrupt.py", "arch=dis", "arch.halt_max_steps=3", "optimizer=adam_atan2"),
}


def words(method: str, dataset: Path, run: str, ranks: int = 1, *more: str) -> list[str]:
    script, *overrides = METHODS[method]
    place = (f"data_paths=[{dataset}]", f"checkpoint_path={run}")
    return command(script, *overrides, *place, *LENGTH, "checkpoint_interval=3", *more, ranks=ranks)


def kill_after(step: int, words: list[str], folder: Path, run: Path) -> None:
    """Start a run and SIGKILL it once its records reach `step`."""
    process = start(words, folder)
    deadline = time.monotonic() + 120
    try:
        while process.poll() is None and time.monotonic() < deadline:
            reached = [r["step"] for r in _whole_records(run)]
            if reached and max(reached) >= step:
                break
            time.sleep(0.001)
        assert process.poll() is None, f"the run ended before step {step}"
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()


def _whole_records(run: Path) -> list[dict]:
    file = run / "metrics.jsonl"
    if not file.is_file() or not file.read_text().endswith("\n"):
        return []
    return records(run, "train")


@pytest.mark.parametrize("method", ["dis", pytest.param("trm", marks=pytest.mark.long)])
def test_killed_twice_and_resumed_equals_uninterrupted_bitwise(
    method: str, dataset: Path, tmp_path: Path
) -> None:
    finish(words(method, dataset, "whole"), tmp_path)
    seed = os.environ.get("KILL_SEED") or str(time.time_ns())
    print(f"KILL_SEED={seed} repeats this case")
    draw = random.Random(seed)
    last = draw.randrange(SAVED_BY, STEPS - 2)
    for step in (draw.randrange(1, last), last):
        kill_after(step, words(method, dataset, "killed"), tmp_path, tmp_path / "killed")
    output = finish(words(method, dataset, "killed"), tmp_path)
    assert "resuming from" in output
    whole, killed = tensors(tmp_path / "whole", STEPS), tensors(tmp_path / "killed", STEPS)
    assert whole.keys() == killed.keys()
    assert [name for name in whole if not torch.equal(whole[name], killed[name])] == []
    for kind in ("train", "evaluation"):
        assert records(tmp_path / "whole", kind) == records(tmp_path / "killed", kind)


@pytest.mark.parametrize("method", [pytest.param("dis", marks=pytest.mark.long), "trm"])
def test_two_ranks_equal_one(method: str, dataset: Path, tmp_path: Path) -> None:
    finish(words(method, dataset, "one"), tmp_path)
    finish(words(method, dataset, "two", 2), tmp_path)
    check_same(tmp_path / "one", tmp_path / "two")


@pytest.mark.long
def test_frozen_weights_on_two_ranks_equal_one(dataset: Path, tmp_path: Path) -> None:
    finish(words("dis", dataset, "one", 1, "freeze_weights=True"), tmp_path)
    finish(words("dis", dataset, "two", 2, "freeze_weights=True"), tmp_path)
    check_same(tmp_path / "one", tmp_path / "two")


@pytest.mark.long
def test_a_run_may_go_on_with_another_number_of_ranks(dataset: Path, tmp_path: Path) -> None:
    finish(words("dis", dataset, "one"), tmp_path)
    finish(words("dis", dataset, "changed", 1, "max_steps=10"), tmp_path)
    finish(words("dis", dataset, "changed", 2), tmp_path)
    one, changed = (records(tmp_path / run, "train") for run in ("one", "changed"))
    assert one[-1]["loss"] == pytest.approx(changed[-1]["loss"], abs=1e-6)


def check_same(one: Path, two: Path) -> None:
    """Losses and updates to 1e-6; the evaluation exactly."""
    for a, b in zip(records(one, "train"), records(two, "train"), strict=True):
        assert a["step"] == b["step"]
        assert a["loss"] == pytest.approx(b["loss"], abs=1e-6)
        ours, theirs = ({k: math.nan if v is None else v for k, v in r["metrics"].items()} for r in (a, b))
        assert ours == pytest.approx(theirs, rel=1e-3, abs=1e-6, nan_ok=True)
    first, second = tensors(one, STEPS), tensors(two, STEPS)
    assert first.keys() == second.keys()
    for name in first:
        if not name.startswith("carry:"):
            torch.testing.assert_close(first[name], second[name], atol=1e-6, rtol=1e-5, msg=name)
    exact = [[r["scores"] for r in records(run, "evaluation")] for run in (one, two)]
    for a, b in zip(*exact, strict=True):
        assert a.pop("lm_loss") == pytest.approx(b.pop("lm_loss"), abs=1e-6)
        assert a == b

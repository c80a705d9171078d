"""A run depends neither on having been killed nor on the number of ranks."""

import math
import os
import random
import signal
import time
from functools import partial
from pathlib import Path

import pytest
import torch

from tests.runs import command, finish, records, start, tensors, train_here
from tests.several_ranks import on_ranks
from trm_lab.cluster.ranks import Ranks

STEPS, STEPS_OF_TWO = 24, 10
LENGTH = ("global_batch_size=8", "epochs=40", "eval_interval=5", f"max_steps={STEPS}", "log_interval=4")
SAVED_BY = 8  # a record this late means that step 3's checkpoint is on disk: step 6's is not begun before it is whole
METHODS = {
    "trm": ("pretrain.py", "arch=trm", "arch.halt_max_steps=4", "ema=True"),
    "dis": ("train_arc_tiny_corrupt.py", "arch=dis", "arch.halt_max_steps=3", "optimizer=adam_atan2"),
}


def words(method: str, dataset: Path, run: str, ranks: int = 1, *more: str) -> list[str]:
    script, *overrides = METHODS[method]
    return command(script, *overrides, *place(dataset, run), *more, ranks=ranks)


def place(dataset: Path, run: Path | str) -> tuple[str, ...]:
    return f"data_paths=[{dataset}]", f"checkpoint_path={run}", *LENGTH, "checkpoint_interval=3"


def here(method: str, dataset: Path, run: Path, *more: str) -> None:
    """The same command on one rank, in this process."""
    train_here(*METHODS[method], *place(dataset, run), *more)


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


@pytest.mark.parametrize("kills", [1, pytest.param(2, marks=pytest.mark.long)])
@pytest.mark.parametrize("method", ["dis", pytest.param("trm", marks=pytest.mark.long)])
def test_killed_and_resumed_equals_uninterrupted_bitwise(
    method: str, kills: int, dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    here(method, dataset, whole)
    seed = os.environ.get("KILL_SEED") or str(time.time_ns())
    print(f"KILL_SEED={seed} repeats this case")
    draw = random.Random(seed)
    last = draw.randrange(SAVED_BY, STEPS - 2)
    for step in (draw.randrange(1, last), last)[-kills:]:
        kill_after(step, words(method, dataset, "killed"), tmp_path, killed)
    here(method, dataset, killed)
    assert "resuming from" in capsys.readouterr().out
    ours, theirs = tensors(whole, STEPS), tensors(killed, STEPS)
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []
    for kind in ("train", "evaluation"):
        assert records(whole, kind) == records(killed, kind)


def train_as_one_of_two(method: str, dataset: Path, run: Path, more: tuple[str, ...], ranks: Ranks) -> None:
    os.environ |= {"RANK": str(ranks.rank), "WORLD_SIZE": "2", "LOCAL_RANK": str(ranks.rank)}
    here(method, dataset, run, "hang_timeout=null", *more)


@pytest.mark.parametrize(
    ("method", "more"),
    [
        ("trm", ()),
        pytest.param("dis", (), marks=pytest.mark.long),
        pytest.param("dis", ("freeze_weights=True",), marks=pytest.mark.long),
    ],
)
def test_two_ranks_equal_one(method: str, more: tuple[str, ...], dataset: Path, tmp_path: Path) -> None:
    more = (*more, f"max_steps={STEPS_OF_TWO}")
    here(method, dataset, tmp_path / "one", *more)
    on_ranks(2, partial(train_as_one_of_two, method, dataset, tmp_path / "two", more), tmp_path / "ranks")
    check_same(tmp_path / "one", tmp_path / "two")


@pytest.mark.long
def test_a_run_may_go_on_with_another_number_of_ranks(dataset: Path, tmp_path: Path) -> None:
    here("dis", dataset, tmp_path / "one")
    here("dis", dataset, tmp_path / "changed", "max_steps=10")
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
    first, second = tensors(one, STEPS_OF_TWO), tensors(two, STEPS_OF_TWO)
    assert first.keys() == second.keys()
    for name in first:
        if not name.startswith("carry:"):
            torch.testing.assert_close(first[name], second[name], atol=1e-6, rtol=1e-5, msg=name)
    exact = [[r["scores"] for r in records(run, "evaluation")] for run in (one, two)]
    for a, b in zip(*exact, strict=True):
        assert a.pop("lm_loss") == pytest.approx(b.pop("lm_loss"), abs=1e-6)
        assert a == b

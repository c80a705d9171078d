"""Every way to train is saved and taken up again: in this process, on small real tasks."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.runs import records, tensors, train_here
from trm.errors import UserError
from trm_lab.puzzles.manifest import MANIFEST_FILE, read_about, write_manifest
from trm_lab.training.learner import Learner

STEPS = 5
PRESETS = {
    "dis as released": ["arch=dis"],
    "dis as in the paper": ["arch=dis_paper", "optimizer=adam_atan2"],
    "dis with everything else": [
        "arch=dis",
        "arch.target_kernel=replace",
        "arch.target_schedule=cosine",
        "arch.step_index=continuous",
        "arch.loss_terms=dual",
        "arch.loss_type=softmax_cross_entropy",
    ],
    "dis without step index or puzzle embedding": [
        "arch=dis",
        "arch.step_index=none",
        "arch.puzzle_emb_ndim=0",
        "ema=True",
    ],
    "trm": ["arch=trm", "ema=True"],
    "trm with q_continue loss and learned positions": [
        "arch=trm_compact",
        "arch.no_ACT_continue=False",
        "arch.pos_encodings=learned",
    ],
    "trm without attention, in bfloat16": [
        "arch=trm",
        "arch.mlp_t=True",
        "arch.pos_encodings=none",
        "arch.forward_dtype=bfloat16",
    ],
    "frozen weights": ["arch=dis", "freeze_weights=True"],
}
LENGTH = ["global_batch_size=8", "epochs=40", "eval_interval=40", "log_interval=2", "arch.halt_max_steps=3"]


def run(dataset: Path, folder: Path, *overrides: str) -> None:
    words = [*LENGTH, f"data_paths=[{dataset}]", f"checkpoint_path={folder}", *overrides]
    train_here("train_arc_tiny_corrupt.py", *words)


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_a_run_in_two_parts_equals_a_run_in_one(preset: str, dataset: Path, tmp_path: Path) -> None:
    words = [*PRESETS[preset], "checkpoint_interval=3"]
    run(dataset, tmp_path / "one", *words, f"max_steps={STEPS}")
    run(dataset, tmp_path / "two", *words, "max_steps=3")
    run(dataset, tmp_path / "two", *words, f"max_steps={STEPS}")
    one, two = (tensors(tmp_path / r, STEPS) for r in ("one", "two"))
    assert one.keys() == two.keys()
    assert [name for name in one if not torch.equal(one[name], two[name])] == []
    losses = [[(r["step"], r["loss"]) for r in records(tmp_path / name, "train")] for name in ("one", "two")]
    assert losses[0] == losses[1]


def test_weights_to_start_from_decide_which_run_it_is(dataset: Path, tmp_path: Path) -> None:
    run(dataset, tmp_path / "first", "arch=dis", "max_steps=3")
    begin = f"load_checkpoint={tmp_path / 'first'}"
    run(dataset, tmp_path / "second", "arch=dis", "max_steps=2", begin)
    with pytest.raises(UserError, match="load_checkpoint"):
        run(dataset, tmp_path / "second", "arch=dis", "max_steps=4")
    first_step = records(tmp_path / "second", "train")[0]["loss"]
    assert first_step != records(tmp_path / "first", "train")[0]["loss"]


def test_a_resumed_run_does_not_need_the_weights_it_once_started_from(dataset: Path, tmp_path: Path) -> None:
    run(dataset, tmp_path / "first", "arch=dis", "max_steps=3")
    begin = f"load_checkpoint={tmp_path / 'first'}"
    run(dataset, tmp_path / "second", "arch=dis", "max_steps=2", begin)
    (tmp_path / "first").rename(tmp_path / "gone")
    run(dataset, tmp_path / "second", "arch=dis", "max_steps=4", begin)
    assert records(tmp_path / "second", "train")[-1]["step"] == 4


def test_a_dataset_that_changed_under_a_run_is_refused(dataset: Path, tmp_path: Path) -> None:
    copy = tmp_path / "data"
    shutil.copytree(dataset, copy)
    run(copy, tmp_path / "run", "arch=dis", "max_steps=2", "evaluators=[]")
    about = read_about(copy)
    assert about is not None
    (copy / MANIFEST_FILE).unlink()
    write_manifest(copy, replace(about, facts={**about.facts, "built": "otherwise"}))
    with pytest.raises(UserError, match="changed since"):
        run(copy, tmp_path / "run", "arch=dis", "max_steps=4", "evaluators=[]")


def test_weights_that_are_not_finite_are_never_saved(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not finite"):
        run(
            dataset,
            tmp_path / "run",
            "arch=dis",
            "lr=1",
            "weight_decay=1000",
            "lr_warmup_steps=0",
            "max_steps=40",
            "checkpoint_interval=1",
        )
    saved = list((tmp_path / "run").glob("checkpoints/step_*/manifest.json"))
    for manifest in saved:
        step = int(manifest.parent.name.removeprefix("step_"))
        assert all(
            bool(t.isfinite().all())
            for name, t in tensors(tmp_path / "run", step).items()
            if name.startswith("model:") and t.is_floating_point()
        )


def test_records_shorter_than_the_checkpoint_says_are_told_and_stop_no_training(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(dataset, tmp_path / "run", "arch=dis", "max_steps=4", "checkpoint_interval=2")
    (tmp_path / "run/metrics.jsonl").write_text("")
    run(dataset, tmp_path / "run", "arch=dis", "max_steps=6", "checkpoint_interval=2")
    assert "metrics.jsonl is damaged: 0 bytes of the" in capsys.readouterr().err
    assert [r["step"] for r in records(tmp_path / "run", "train")] == [6]


@pytest.mark.parametrize("preset", ["dis as released", "trm"])
def test_rows_that_no_slot_takes_change_nothing(
    preset: str, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over the ends of several iterations: only free slots' rows made, against all rows made."""
    words = [*PRESETS[preset], "eval_interval=4", "max_steps=14", "checkpoint_interval=20"]
    run(dataset, tmp_path / "free", *words)
    monkeypatch.setattr(Learner, "free_slots", lambda learner, after: None)
    run(dataset, tmp_path / "all", *words)
    free, every = (tensors(tmp_path / r, 14) for r in ("free", "all"))
    assert [n for n in free if not n.startswith("carry") and not torch.equal(free[n], every[n])] == []
    assert records(tmp_path / "free", "train") == records(tmp_path / "all", "train")

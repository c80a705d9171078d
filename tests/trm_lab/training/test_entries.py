"""The entries' options: what they promise beyond training, on small real tasks."""

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.runs import REPOSITORY, command, finish, records, tensors, train_here
from tests.trm_lab.training import stub_wandb
from trm_lab.runs.records import SCHEMA
from trm_lab.training.mirrors import wandb_mode

FEW = ("max_steps=6", "global_batch_size=8", "epochs=40", "eval_interval=40", "log_interval=2")


def evaluate(*words: str) -> list[str]:
    return [command("evaluate.py")[0], str(REPOSITORY / "evaluate.py"), *words]


def test_a_run_leaves_all_that_its_directory_promises(dataset: Path, tmp_path: Path) -> None:
    output = finish(command("pretrain.py", f"data_paths=[{dataset}]", "run_name=mine", *FEW), tmp_path)
    run = tmp_path / "runs/mine"
    assert "copy the input" in output
    assert {p.name for p in run.iterdir()} == {
        "config.yaml",
        "provenance.json",
        "metrics.jsonl",
        "checkpoints",
        "evaluations",
    }
    launch = json.loads((run / "provenance.json").read_text())["launches"][0]
    assert launch["command"][0] == "pretrain.py"
    assert launch["packages"]["torch"]
    assert str(dataset) in launch["datasets"]
    evaluation = run / "evaluations/step_6"
    submission = json.loads((evaluation / "submission.json").read_text())
    assert set(next(iter(submission.values()))[0]) == {"attempt_1", "attempt_2"}
    scores = json.loads((evaluation / "scores.json").read_text())
    assert scores["network_calls_per_answer"] == 16 * 3
    assert all(r["network_calls"] == 3 for r in records(run, "train"))
    assert {r["schema"] for kind in ("train", "evaluation") for r in records(run, kind)} == {SCHEMA}


def test_scoring_a_run_again_gives_the_scores_of_its_last_evaluation(dataset: Path, tmp_path: Path) -> None:
    place = (f"data_paths=[{dataset}]", f"checkpoint_path={tmp_path / 'run'}")
    train_here("train_arc_tiny_corrupt.py", *place, "ema=True", *FEW)
    before = json.loads((tmp_path / "run/evaluations/step_6/scores.json").read_text())
    finish(evaluate("run", "--output-dir", "again", "--save-outputs", "preds", "labels"), tmp_path)
    again = json.loads((tmp_path / "again/scores.json").read_text())
    before.pop("examples_per_second")
    assert before == {name: again[name] for name in before}  # evaluate.py adds to them
    with np.load(tmp_path / "again/predictions.npz") as kept:
        assert kept["preds"].shape == kept["labels"].shape


@pytest.mark.long
def test_an_export_in_the_published_form_scores_the_same(dataset: Path, tmp_path: Path) -> None:
    finish(command("pretrain.py", f"data_paths=[{dataset}]", "checkpoint_path=run", *FEW), tmp_path)
    finish(evaluate("run", "--output-dir", "ours"), tmp_path)
    export = [sys.executable, str(REPOSITORY / "export.py"), "run", "--to", "published"]
    finish([*export, "--output-dir", "published"], tmp_path)
    published = ("--config", "published/all_config.yaml", "--checkpoint", "published/step_6")
    finish(evaluate("--data-path", str(dataset), *published, "--output-dir", "theirs"), tmp_path)
    ours, theirs = (json.loads((tmp_path / f / "scores.json").read_text()) for f in ("ours", "theirs"))
    for scores in (ours, theirs):
        for of_the_clock_or_the_command in ("examples_per_second", "cost", "evaluated"):
            scores.pop(of_the_clock_or_the_command)
    assert ours == theirs


def test_frozen_weights_move_only_the_puzzle_embedding(dataset: Path, tmp_path: Path) -> None:
    place = (f"data_paths=[{dataset}]", *FEW)
    train_here("pretrain.py", *place, f"checkpoint_path={tmp_path / 'first'}")
    frozen = ("freeze_weights=True", f"load_checkpoint={tmp_path / 'first'}")
    train_here("pretrain.py", *place, *frozen, f"checkpoint_path={tmp_path / 'frozen'}")
    first, after = tensors(tmp_path / "first", 6), tensors(tmp_path / "frozen", 6)
    changed = {k for k in first if k.startswith("model:") and not torch.equal(first[k], after[k])}
    assert changed == {"model:puzzle_emb.weights"}


def test_a_finished_run_started_again_only_says_so(dataset: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = (f"data_paths=[{dataset}]", f"checkpoint_path={run}", "evaluators=[]", *FEW)
    train_here("pretrain.py", *words)
    before = (run / "metrics.jsonl").read_bytes()
    train_here("pretrain.py", *words)
    assert (run / "metrics.jsonl").read_bytes() == before


def test_wandb_auto_means_only_where_the_user_has_configured_it(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(os, "environ", {"HOME": str(tmp_path)})
    monkeypatch.setenv("HOME", str(tmp_path))
    assert wandb_mode("auto") == "disabled"
    assert wandb_mode("offline") == "offline"
    os.environ["WANDB_API_KEY"] = "x"
    assert wandb_mode("auto") == "online"
    os.environ["WANDB_MODE"] = "offline"
    assert wandb_mode("auto") == "offline"


def test_wandb_and_tensorboard_get_the_records(dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stubs").mkdir()
    shutil.copy(stub_wandb.__file__, tmp_path / "stubs/wandb.py")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "stubs"))
    monkeypatch.setenv("STUB_WANDB_LOG", str(tmp_path / "told"))
    words = (f"data_paths=[{dataset}]", f"checkpoint_path={tmp_path / 'run'}", *FEW, "wandb=offline")
    train_here("pretrain.py", *words, "tensorboard=True")
    steps = [record["step"] for record in records(tmp_path / "run", "train")]
    told = [json.loads(line) for line in (tmp_path / "told").read_text().splitlines()]
    assert [one["step"] for one in told if one.get("loss") is not None] == steps
    assert list((tmp_path / "run/tensorboard").glob("events.out.tfevents.*"))

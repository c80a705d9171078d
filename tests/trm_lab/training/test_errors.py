"""What a user can get wrong, through the commands: three parts, exit code 2, nothing lost, no traceback."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch

from tests.runs import REPOSITORY, command, start, train_here
from trm.errors import UserError
from trm_lab.puzzles.manifest import MANIFEST_FILE, read_about, write_manifest

FEW = ("max_steps=2", "global_batch_size=4", "epochs=10", "eval_interval=10")


def complaint(words: list[str], folder: Path) -> str:
    process = start(words, folder)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 2, output
    assert "Traceback" not in output
    assert output.count("error: ") == 1, output
    assert "  allowed: " in output
    assert "  to do:   " in output
    return output


def refused(*overrides: str) -> str:
    """What the same command of `pretrain.py` is refused with, in this process."""
    with pytest.raises(UserError) as refusal:
        train_here("pretrain.py", *overrides)
    assert len(str(refusal.value).splitlines()) == 3
    return str(refusal.value)


def edited(dataset: Path, copy: Path, name: str, text: str | None = None) -> Path:
    """A copy whose file `name` holds `text`, or is gone, and whose manifest says that it was built so."""
    if not copy.exists():
        shutil.copytree(dataset, copy)
    about = read_about(copy)
    assert about is not None
    (copy / MANIFEST_FILE).unlink()
    (copy / name).unlink()
    if text is not None:
        (copy / name).write_text(text)
    write_manifest(copy, about)
    return copy


def of_another_vocabulary(dataset: Path, split: str) -> str:
    content = json.loads((dataset / split / "dataset.json").read_text())
    return json.dumps({**content, "vocab_size": 20})


def test_a_missing_dataset_is_answered_with_the_command_that_builds_it(tmp_path: Path) -> None:
    output = complaint(command("train_arc_tiny_corrupt.py"), tmp_path)
    assert "no dataset at data/arc1concept-aug-1000" in output
    assert "python -m data.build_arc_dataset --input-file-prefix kaggle/combined/arc-agi" in output


def test_a_half_written_dataset_is_named(dataset: Path, tmp_path: Path) -> None:
    broken = edited(dataset, tmp_path / "broken", "train/all__cells.npy")
    output = refused(f"data_paths=[{broken}]")
    assert "all__cells.npy: missing" in output


def test_a_changed_dataset_is_named(dataset: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(dataset, other)
    cells = bytearray((other / "train" / "all__cells.npy").read_bytes())
    cells[-1] ^= 1
    (other / "train" / "all__cells.npy").write_bytes(cells)
    output = refused(f"data_paths=[{other}]")
    assert "all__cells.npy: its content is not what was built" in output


def test_datasets_that_disagree_are_named(dataset: Path, tmp_path: Path) -> None:
    for split in ("train", "test"):
        text = of_another_vocabulary(dataset, split)
        other = edited(dataset, tmp_path / "other", f"{split}/dataset.json", text)
    output = refused(f"data_paths=[{dataset},{other}]")
    assert "disagree on vocab_size: 12 in" in output


def test_test_data_of_another_kind_is_refused(dataset: Path, tmp_path: Path) -> None:
    text = of_another_vocabulary(dataset, "test")
    other = edited(dataset, tmp_path / "other", "test/dataset.json", text)
    output = refused(f"data_paths=[{dataset}]", f"data_paths_test=[{other}]")
    assert "training and test data disagree: vocab_size: 12 and 20" in output


@pytest.mark.long
def test_a_batch_that_does_not_split_over_the_ranks_is_refused(dataset: Path, tmp_path: Path) -> None:
    place = (f"data_paths=[{dataset}]", "global_batch_size=7", *FEW[2:])
    process = start(command("pretrain.py", *place, ranks=2), tmp_path)
    output, _ = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "global_batch_size=7 cannot be split over 2 ranks" in output


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_cuda_asked_for_and_absent(dataset: Path) -> None:
    output = refused(f"data_paths=[{dataset}]", "device=cuda")
    assert "device=cuda, but this torch finds no CUDA device" in output


def test_a_misspelt_key_ends_before_anything_is_written(dataset: Path, tmp_path: Path) -> None:
    output = complaint(command("pretrain.py", f"data_paths=[{dataset}]", "arch.L_layer=2"), tmp_path)
    assert "did you mean 'arch.L_layers'?" in output
    assert list(tmp_path.iterdir()) == []


def test_the_same_run_with_other_settings_is_refused_and_left_alone(dataset: Path, tmp_path: Path) -> None:
    place = (f"data_paths=[{dataset}]", f"checkpoint_path={tmp_path / 'run'}", *FEW)
    train_here("pretrain.py", *place)
    before = (tmp_path / "run/metrics.jsonl").read_bytes()
    output = refused(*place, "lr=3e-4")
    assert "lr: 0.0001 → 0.0003" in output
    assert (tmp_path / "run/metrics.jsonl").read_bytes() == before


def test_a_checkpoint_of_another_architecture_is_refused_by_tensor(dataset: Path, tmp_path: Path) -> None:
    place, small = (f"data_paths=[{dataset}]", *FEW), tmp_path / "small"
    train_here("pretrain.py", *place, f"checkpoint_path={small}")
    other = (f"checkpoint_path={tmp_path / 'other'}", f"+load_checkpoint={small}", "arch.L_layers=2")
    output = refused(*place, *other)
    assert "L_level.layers.1.mlp.down_proj.weight: missing" in output


def test_a_run_that_diverges_stops_and_keeps_a_checkpoint_from_before(dataset: Path, tmp_path: Path) -> None:
    place = (f"data_paths=[{dataset}]", f"checkpoint_path={tmp_path / 'run'}", *FEW[1:], "max_steps=24")
    overrides = ("lr=1", "weight_decay=1000", "lr_warmup_steps=0", "checkpoint_interval=1", "optimizer=adamw")
    output = refused(*place, *overrides, "arch=dis")
    stopped = re.search(r"the loss of step (\d+)|after step (\d+) is not finite", output)
    assert stopped
    saved = [int(path.name.split("_")[1]) for path in (tmp_path / "run/checkpoints").glob("step_*")]
    assert saved
    assert max(saved) < int(stopped[1] or stopped[2])


def test_scoring_what_is_no_run_is_refused(tmp_path: Path) -> None:
    script = [command("evaluate.py")[0], str(REPOSITORY / "evaluate.py")]
    assert "no checkpoint at nowhere" in complaint([*script, "nowhere"], tmp_path)
    assert "did you mean --checkpoint?" in complaint([*script, "--chekpoint", "x"], tmp_path)
    assert "one target" in complaint(script, tmp_path)


def test_an_arc_evaluator_without_arc_data_is_refused(dataset: Path, tmp_path: Path) -> None:
    other = edited(dataset, tmp_path / "other", "test_puzzles.json")
    output = refused(f"data_paths=[{other}]", *FEW)
    assert 'set evaluators="[]"' in output

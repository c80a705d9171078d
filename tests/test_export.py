"""The command line of export.py, in another folder than the repository."""

from pathlib import Path

import pytest
import torch

from export import parse
from tests.exportable import STEP, random_dis, write_run
from trm.errors import UserError
from trm_lab.release.exporting import export
from trm_lab.runs.opened_checkpoint import open_checkpoint


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run", random_dis(), row_names=[f"puzzle {number}" for number in range(9)])


def test_a_run_becomes_a_folder_for_the_hub(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    export(parse(["run", "--to", "hub", "--output_dir", "exports/small", "--license", "cc-by-4.0"]))
    assert capsys.readouterr().out == f"written to exports/small: step {STEP}, in the form hub\n"
    assert "license: cc-by-4.0" in (tmp_path / "exports/small/README.md").read_text()
    again = open_checkpoint(tmp_path / "exports/small")
    expected = random_dis().model.state_dict()
    assert all(torch.equal(again.weights[name], tensor) for name, tensor in expected.items())


def test_an_export_without_scores_says_so(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export(parse([str(run), "--to", "published", "--output-dir", str(tmp_path / "theirs")]))
    file = tmp_path / f"theirs/step_{STEP}"
    export(parse([str(file), "--to", "hub", "--output-dir", str(tmp_path / "ours")]))
    assert "the card has no scores: no evaluation of this step" in capsys.readouterr().out


def test_what_cannot_be_used_is_refused(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for words, message in {
        "--to tflite --output-dir x": "invalid choice: 'tflite'",
        "--to hub": "--output-dir",
        "--to hub --output-dir x --weight raw": "did you mean --weights?",
        "--to hub --output-dir x --weights ema": "whose run kept none",
        "--to hub --output-dir x --config nowhere.yaml": r"nowhere\.yaml",
        "--to hub --output-dir run": "holds other things than an export for the hub, such as checkpoints/",
    }.items():
        with pytest.raises(UserError, match=message):
            export(parse(["run", *words.split()]))
    assert not (tmp_path / "x").exists()


def test_a_place_where_nothing_can_be_written_is_told_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file/out: Not a directory"):
        export(parse(["nowhere", "--to", "hub", "--output-dir", str(tmp_path / "file/out")]))

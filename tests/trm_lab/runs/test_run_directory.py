"""Small files of a run that were damaged are noticed and said, and cost no training."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.runs import records
from tests.trm_lab.runs.states import flip
from tests.trm_lab.training.test_every_preset import run
from trm.errors import UserError
from trm_lab.files.checksums import damage, write_manifest
from trm_lab.files.config_files import read_config
from trm_lab.puzzles.manifest import MANIFEST_FILE, fingerprint, read_about
from trm_lab.puzzles.manifest import write_manifest as write_dataset_manifest
from trm_lab.runs import checkpoints
from trm_lab.runs.evaluation_folder import read_scores, report_damaged
from trm_lab.runs.records import FileRecords, whole_records


def flip_text(file: Path, text: str) -> None:
    flip(file, file.read_bytes().index(text.encode()))


def test_a_run_goes_on_where_its_data_lies_now_and_with_no_other_data(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, now = tmp_path / "before", tmp_path / "elsewhere/now"
    shutil.copytree(dataset, before)
    run(before, tmp_path / "run", "arch=dis", "max_steps=2", "evaluators=[]")
    now.parent.mkdir()
    before.rename(now)
    with pytest.raises(UserError, match="no dataset at") as missing:
        run(before, tmp_path / "run", "arch=dis", "max_steps=4", "evaluators=[]")
    assert "if it lies elsewhere" in missing.value.remedy
    assert "--data-path" in missing.value.remedy
    (tmp_path / "run/provenance.json").write_text("{}")  # the checkpoint alone knows what the data was
    run(now, tmp_path / "run", "arch=dis", "max_steps=4", "evaluators=[]")
    assert records(tmp_path / "run", "train")[-1]["step"] == 4
    assert f"lies in {now} now, and is the same" in capsys.readouterr().out
    assert read_config(tmp_path / "run/config.yaml")["data_paths"] == [str(now)]
    (launch,) = json.loads((tmp_path / "run/provenance.json").read_text())["launches"]
    assert launch["datasets"] == {str(now): fingerprint(now)}
    shutil.copytree(now, before)  # other data, where the run's own lay once
    about = read_about(now)
    assert about is not None
    (before / MANIFEST_FILE).unlink()
    write_dataset_manifest(before, replace(about, facts={**about.facts, "built": "otherwise"}))
    with pytest.raises(UserError, match="is not the data that") as refused:
        run(before, tmp_path / "run", "arch=dis", "max_steps=6", "evaluators=[]")
    assert "another run" in refused.value.remedy


def test_damaged_files_beside_whole_checkpoints_or_before_the_first_stop_nothing(
    dataset: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config, provenance = tmp_path / "run/config.yaml", tmp_path / "run/provenance.json"
    run(dataset, tmp_path / "run", "arch=dis", "max_steps=1", "evaluators=[]")
    shutil.rmtree(tmp_path / "run/checkpoints")
    config.write_bytes(config.read_bytes()[:200])
    run(dataset, tmp_path / "run", "arch=dis", "max_steps=2", "evaluators=[]")
    assert "config.yaml differs from its checksum" in capfd.readouterr().err
    flip_text(config, "seed: 0")
    provenance.write_bytes(provenance.read_bytes()[:-40])
    run(dataset, tmp_path / "run", "arch=dis", "max_steps=4", "evaluators=[]")
    assert records(tmp_path / "run", "train")[-1]["step"] == 4
    reported = capfd.readouterr().err
    for file in (config, provenance):
        assert f"error: {file} " in reported
    with pytest.raises(UserError, match="other settings"):
        run(dataset, tmp_path / "run", "arch=dis", "seed=7", "max_steps=4")


def written(file: Path) -> dict[str, Any]:
    """Records of steps 1 to 4, of which a checkpoint of step 4 relies on all; one more behind them."""
    sink = FileRecords(file)
    for step in (1, 2, 3, 4):
        sink.write({"kind": "train", "step": step, "loss": 0.5})
    state = {"step": 4, "records_bytes": sink.end(), "records_sha256": sink.digest()}
    sink.write({"kind": "evaluation", "step": 4, "loss": 0.5})
    sink.close()
    return state


@pytest.mark.parametrize(
    ("change", "problem", "left"),
    [
        (lambda text: text.replace('"step": 2', '"stfp": 2'), "no record any more in line 2", [1, 3, 4]),
        (lambda text: text.replace("0.5", "0.7", 1), "which record was changed", [1, 2, 3, 4]),
        (lambda text: text[:70], "70 bytes of the", [1]),
        (lambda text: "", "0 bytes of the", []),
    ],
)
def test_damaged_records_are_set_aside_and_the_readable_ones_stay(
    change: Any, problem: str, left: list[int], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "metrics.jsonl"
    state = written(file)
    assert whole_records(file, state) == state["records_bytes"]
    assert [p.name for p in tmp_path.iterdir()] == ["metrics.jsonl"]
    damaged = change(file.read_text())
    file.write_text(damaged)
    again = FileRecords(file, whole_records(file, state))
    assert problem in capfd.readouterr().err
    again.write({"kind": "train", "step": 5, "loss": 0.5})
    again.close()
    assert [json.loads(line)["step"] for line in file.read_text().splitlines()] == [*left, 5]
    if damaged:
        assert (tmp_path / "metrics.jsonl.damaged").read_text() == damaged


def test_a_damaged_evaluation_is_made_again_or_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "evaluations/step_4"
    folder.mkdir(parents=True)
    (folder / "scores.json").write_text('{"lm_loss": 0.5}')
    write_manifest(folder)
    assert read_scores(folder) == {"lm_loss": 0.5}
    report_damaged(folder.parent, before=9)
    assert capfd.readouterr().err == ""
    flip_text(folder / "scores.json", "5")
    assert read_scores(folder) is None
    assert "it is made again" in capfd.readouterr().err
    report_damaged(folder.parent, before=4)
    assert capfd.readouterr().err == ""
    report_damaged(folder.parent, before=5)
    assert "step_4 is damaged: scores.json differs from its checksum" in capfd.readouterr().err
    (folder / "manifest.json").write_text("[")
    assert damage(folder) == "manifest.json is unreadable"


def test_a_run_whose_last_state_the_disk_refused_does_not_end_well(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    save = checkpoints.save

    def full(folder: Path, *rest: Any) -> None:
        if checkpoints.step_of(folder) == 4:
            raise OSError(28, "No space left on device")
        save(folder, *rest)

    words = ("arch=dis", "max_steps=4", "checkpoint_interval=2", "evaluators=[]")
    with monkeypatch.context() as patched:
        patched.setattr(checkpoints, "save", full)
        with pytest.raises(OSError, match="No space left"):
            run(dataset, tmp_path / "run", *words)
    capfd.readouterr()
    run(dataset, tmp_path / "run", *words)
    assert f"resuming from {tmp_path}/run/checkpoints/step_2" in capfd.readouterr().out
    assert checkpoints.complete(tmp_path / "run/checkpoints/step_4")

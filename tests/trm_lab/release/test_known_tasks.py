"""A task that was trained on is answered with its own embedding wherever the weights go, as the run answers it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.exportable import STEP, random_dis, write_launches, write_run
from tests.trm_lab.inference.test_solving import CHALLENGES
from trm_lab.cluster.ranks import Ranks
from trm_lab.inference.arc_checkpoint import canvas_of
from trm_lab.inference.one_task import TaskRequest, answer_request
from trm_lab.inference.solving import SolveSettings, solve
from trm_lab.puzzles.arc.task_file import read_task
from trm_lab.puzzles.layout import BLANK
from trm_lab.puzzles.manifest import fingerprint
from trm_lab.release.exporting import FORMS, ExportRequest, export
from trm_lab.runs.arc_outputs import Submission
from trm_lab.runs.exported_form import write_names
from trm_lab.runs.opened_checkpoint import open_checkpoint

TURNS = ("t1|||0123456789", "t2|||0213456789", "t5|||0987654321")
NAMES = [BLANK, *(name for task in ("other", "first") for name in (task, *(f"{task}|||{t}" for t in TURNS)))]


@pytest.fixture
def run(tmp_path: Path, no_wheel: None) -> Path:
    return write_run(tmp_path / "runs" / "small", random_dis(), row_names=NAMES)


def answered(target: Path, folder: Path, **more: Any) -> tuple[Submission, str]:
    """What `evaluate.py --task` answers to the task called first, and with which embedding."""
    (folder / "task.json").write_text(json.dumps({"first": CHALLENGES["first"]}))
    request = TaskRequest(str(target), f"{folder / 'task.json'}:first", augmentations=3, device="cpu", **more)
    opened = open_checkpoint(target)
    canvas = canvas_of(opened)
    task = read_task(request.task, canvas)
    answer, _ = answer_request(request, task, canvas, opened, Ranks())
    return {"first": answer.submission()}, answer.puzzles.embedding


def test_an_export_answers_a_task_that_was_trained_on_as_the_run_does(run: Path, tmp_path: Path) -> None:
    expected = answered(run, tmp_path)
    assert expected[1] == "own"
    assert answered(run, tmp_path, embedding="mean") != expected
    for form in FORMS.keys() - {"onnx"}:  # a graph is no checkpoint
        export(ExportRequest(str(run), form, tmp_path / form))
        target = tmp_path / form / (f"step_{STEP}" if form == "published" else "")
        assert answered(target, tmp_path) == expected
    export(ExportRequest(str(tmp_path / f"published/step_{STEP}"), "hub", tmp_path / "again"))
    assert json.loads((tmp_path / "again/identifiers.json").read_text()) == NAMES
    assert "9 puzzles × 16, named in identifiers.json" in (tmp_path / "again/README.md").read_text()


def test_a_competition_s_tasks_that_were_trained_on_have_their_own_embedding_too(run: Path, tmp_path: Path) -> None:
    export(ExportRequest(str(run), "kaggle", tmp_path / "out"))
    opened, few = open_checkpoint(tmp_path / "out"), SolveSettings(3, adapt=1)
    solved = solve(CHALLENGES, opened, few, Ranks(), lambda submission: None)
    assert solved.submission["first"] == answered(run, tmp_path, adapt=1)[0]["first"]


def test_a_run_of_before_checkpoints_had_names_takes_those_of_its_dataset_if_that_is_unchanged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / "run", random_dis())
    data = tmp_path / "data" / "arc-small"
    data.mkdir(parents=True)
    write_names(data, NAMES)
    provenance = (run / "provenance.json").read_text()
    export(ExportRequest(str(run), "hub", tmp_path / "changed"))
    assert not (tmp_path / "changed/identifiers.json").exists()
    assert "whose its 9 puzzle embeddings are is not recorded" in capsys.readouterr().out
    assert "whose names are not recorded" in (tmp_path / "changed/README.md").read_text()
    launch = json.loads(provenance)["launches"][0] | {"datasets": {str(data): fingerprint(data)}}
    write_launches(run, [launch])
    export(ExportRequest(str(run), "hub", tmp_path / "same"))
    assert json.loads((tmp_path / "same/identifiers.json").read_text()) == NAMES


@pytest.mark.parametrize("form", ["hub", "published"])
def test_an_edited_configuration_of_an_export_is_noticed(
    run: Path, tmp_path: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    export(ExportRequest(str(run), form, tmp_path / "out"))
    file = tmp_path / "out" / ("all_config.yaml" if form == "published" else "config.yaml")
    target = tmp_path / "out" / (f"step_{STEP}" if form == "published" else "")
    open_checkpoint(target)
    assert "checksum" not in capsys.readouterr().err
    file.write_text(file.read_text().replace("num_heads: 2", "num_heads: 4"))
    open_checkpoint(target)
    assert f"{file} differs from its checksum" in capsys.readouterr().err

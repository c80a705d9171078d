"""`--task`: from a checkpoint and a file to an answer in the terminal and on disk."""

import json
from pathlib import Path
from typing import Any

import pytest
from matplotlib.image import imread

from tests.exportable import random_dis, write_run
from tests.models import act
from trm.errors import UserError
from trm_lab.cluster.ranks import Ranks
from trm_lab.inference import one_puzzle
from trm_lab.inference.one_puzzle import run_task
from trm_lab.inference.one_task import TaskRequest
from trm_lab.inference.task_results import file_name
from trm_lab.puzzles.arc.augmentation import SEPARATOR

GRID = [[1, 2, 3], [0, 4, 0]]
TASK = {
    "train": [{"input": GRID, "output": [[1]]}, {"input": [[5]], "output": [[6, 6]]}],
    "test": [{"input": [[7, 8]], "output": [[9, 9]]}, {"input": GRID}],
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "one", random_dis())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    written = tmp_path / "abc.json"
    written.write_text(json.dumps(TASK))
    return written


def asked(run: Path, file: Path, **changes: Any) -> dict[str, Any]:
    """What answer.json says."""
    request = {"target": str(run), "task": str(file), "device": "cpu", "augmentations": 4, "overwrite": True}
    run_task(TaskRequest(**{**request, **changes}))
    folder = changes.get("output", run / "scored") / f"task_{file.stem}"
    return json.loads((folder / "answer.json").read_text())


def test_the_answer_is_drawn_told_and_written(run: Path, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = asked(run, file)
    shown = capsys.readouterr().out
    for expected in ("demonstration 2", "test input 1", "right answer", "rank of right", "written to"):
        assert expected in shown
    assert (answer["task"], answer["method"], answer["step"], answer["canvas"]) == ("abc", "dis", 12, 4)
    assert (answer["puzzles"], answer["embedding"], answer["adaptation"]) == (5, "mean", None)
    assert [output["known"] for output in answer["outputs"]] == [True, False]
    assert [output["votes"] for output in answer["outputs"]] == [5, 5]
    assert [output["correct@2"] for output in answer["outputs"]] == [False, None]
    assert all(len(output["steps"]) == answer["supervision_steps"] == 3 for output in answer["outputs"])
    folder = run / "scored" / "task_abc"
    submission = json.loads((folder / "submission.json").read_text())
    assert submission == answer["submission"]
    assert [sorted(output) for output in submission["abc"]] == [["attempt_1", "attempt_2"]] * 2
    assert imread(folder / "answer.png").shape[0] > 100
    with pytest.raises(UserError, match="already holds an answered task"):
        asked(run, file, overwrite=False)


def test_adaptation_comes_first_is_told_and_replaces_an_answer_if_asked(
    run: Path, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (run / "scored/task_abc").mkdir(parents=True, exist_ok=True)
    answer = asked(run, file, adapt=3, adapt_lr=0.02, embedding="blank")
    adaptation = answer["adaptation"]
    assert (answer["embedding"], adaptation["start"]) == ("fitted", "blank")
    assert (adaptation["steps"], adaptation["lr"], adaptation["weight_decay"]) == (3, 0.02, 0.1)
    shown = capsys.readouterr().out
    assert "fitted in 3 steps of 0.02" in shown
    assert "embedding: the blank identifier's; then fitted" in shown


def test_all_weights_learn_if_asked_and_the_checkpoint_keeps_its_own(
    run: Path, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {path: path.read_bytes() for path in (run / "checkpoints").rglob("*") if path.is_file()}
    answer = asked(run, file, adapt=8, adapt_weights="all", adapt_lr=0.01)
    assert answer["adaptation"]["weights"] == "all"
    assert answer["adaptation"]["after"]["loss"] < answer["adaptation"]["before"]["loss"]
    shown = capsys.readouterr().out
    assert "then it and all weights learnt from the demonstrations" in shown
    assert "fitted in 8 steps of 0.01 and 4 examples, in the first 2 of the embedding alone" in shown
    assert files == {path: path.read_bytes() for path in (run / "checkpoints").rglob("*") if path.is_file()}


def test_an_architecture_without_puzzle_embedding_answers_too_in_more_steps_than_it_was_trained_for(
    tmp_path: Path, file: Path
) -> None:
    bare = write_run(tmp_path / "runs/bare", act(puzzle_emb_ndim=0, puzzle_emb_len=0), "act")
    answer = asked(bare, file, steps=9, output=tmp_path / "elsewhere")
    assert answer["embedding"] == "none"
    assert answer["supervision_steps"] == len(answer["outputs"][0]["steps"]) == 9
    with pytest.raises(UserError, match="without a puzzle embedding"):
        asked(bare, file, adapt=1)


def test_a_grid_beyond_the_canvas_and_several_processes_are_refused(
    run: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(json.dumps({"test": [{"input": [[0] * 5]}]}))
    with pytest.raises(UserError, match="1x5 cells"):
        asked(run, file)
    monkeypatch.setattr(one_puzzle, "join", lambda device: Ranks(0, 2))
    with pytest.raises(UserError, match="2 processes"):
        asked(run, file)


def test_a_task_s_name_cannot_lead_out_of_its_folder() -> None:
    assert file_name("../../etc/x y") == "_etc_x_y"
    assert "/" not in file_name(f"a{SEPARATOR}/..")
    assert file_name("00576224") == "00576224"

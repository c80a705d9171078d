"""`--puzzle`: from a checkpoint and a text or a file to an answer in the terminal and on disk."""

import json
from pathlib import Path
from typing import Any

import pytest
from matplotlib.image import imread

from tests.trm_lab.inference.described_runs import PUZZLES, QUESTIONS, write_run
from trm.errors import UserError
from trm_lab.inference.one_puzzle import run_puzzle
from trm_lab.inference.one_task import TaskRequest


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run", PUZZLES["sudoku"])


def asked(run: Path, puzzle: str, **changes: Any) -> None:
    run_puzzle(TaskRequest(str(run), puzzle, device="cpu", **changes))


def test_the_answer_is_drawn_told_and_written(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked(run, QUESTIONS["sudoku"], steps=2)
    shown = capsys.readouterr().out
    [folder] = (run / "scored").iterdir()
    assert shown.startswith(f"checkpoint: {run}: ")
    for expected in ("\ndevice: CPU", "│", "not valid; 2 supervision steps, 6 network calls", f"written to {folder}"):
        assert expected in shown
    content = json.loads((folder / "answer.json").read_text())
    assert content["question"][0] == [1, 0, 0, 4]
    assert (content["kind"], content["step"], len(content["steps"]), content["valid"]) == ("sudoku", 7, 2, False)
    assert imread(folder / "answer.png").shape[0] > 100
    with pytest.raises(UserError, match="already holds an answered puzzle"):
        asked(run, QUESTIONS["sudoku"])
    asked(run, QUESTIONS["sudoku"], overwrite=True)
    assert len(json.loads((folder / "answer.json").read_text())["steps"]) == 3


def test_a_folder_may_hold_several_answers_and_nothing_else(run: Path, tmp_path: Path) -> None:
    asked(run, "1" + "." * 15, output=tmp_path / "out")
    asked(run, "2" + "." * 15, output=tmp_path / "out")
    assert len([*(tmp_path / "out").iterdir()]) == 2
    (tmp_path / "out/mine.txt").write_text("")
    with pytest.raises(UserError, match=r"mine\.txt"):
        asked(run, "3" + "." * 15, output=tmp_path / "out")


def test_an_arc_checkpoint_takes_its_task_and_others_no_flag_of_arc_s(run: Path, tmp_path: Path) -> None:
    arc = write_run(tmp_path / "arc", PUZZLES["arc"])
    (tmp_path / "abc.json").write_text(json.dumps({"test": [{"input": [[1, 2]]}]}))
    asked(arc, str(tmp_path / "abc.json"), augmentations=1)
    assert json.loads((arc / "scored/task_abc/answer.json").read_text())["task"] == "abc"
    for name in ("adapt", "augmentations"):
        with pytest.raises(UserError, match=f"{name}=3 for puzzles of the kind sudoku"):
            asked(run, QUESTIONS["sudoku"], **{name: 3})

"""solve.py and its notebook: a valid submission from the first second on, nobody's file replaced, in time."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.exportable import random_dis, write_run
from tests.trm_lab.inference.test_solving import CHALLENGES, FALLBACK, check_form
from trm_lab.inference import solve_command
from trm_lab.inference.one_puzzle import run_task
from trm_lab.inference.one_task import TaskRequest
from trm_lab.inference.solve_command import run
from trm_lab.release.kaggle import SCRIPT
from trm_lab.runs.opened_checkpoint import OpenedCheckpoint, open_checkpoint

WORDS = ["--input", "tasks.json", "--augmentations", "1", "--device", "cpu"]
EMPTY = {name: [FALLBACK] * len(task["test"]) for name, task in CHALLENGES.items()}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run in place of a package, whose checkpoint is opened alike; the working directory is empty but for tasks."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tasks.json").write_text(json.dumps(CHALLENGES))
    return write_run(tmp_path / "run", random_dis())


def refused(package: Path, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as caught:
        run(package, [*WORDS, *words])
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 3
    return said


def submission(file: str = "submission.json") -> Any:
    return json.loads(Path(file).read_text())


def test_a_valid_submission_is_there_before_the_checkpoint_is_opened(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(*_: Any) -> OpenedCheckpoint:
        check_form(submission(), CHALLENGES)
        raise KeyboardInterrupt  # and it stays

    monkeypatch.setattr(solve_command, "open_checkpoint", opened)
    with pytest.raises(SystemExit):
        run(package, WORDS)
    assert submission() == EMPTY


def test_the_time_before_the_command_counts_as_well(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trm_lab.inference.solve_command.time.monotonic", lambda: 1000.0)
    run(package, [*WORDS, "--minutes", "10"], started=1000.0 - 301)
    assert submission() == EMPTY
    run(package, [*WORDS, "--minutes", "10000"], started=1000.0 - 301)
    assert submission() != EMPTY


def test_a_submission_with_answers_is_replaced_only_if_asked(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("submission.json").write_text(json.dumps(EMPTY))  # nothing is lost with it
    run(package, WORDS)
    answers = submission()
    assert answers != EMPTY
    assert "a submission with answers" in refused(package, capsys)
    assert submission() == answers
    run(package, [*WORDS, "--overwrite"])
    assert submission() == answers


def test_a_file_that_is_no_submission_is_never_touched(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for content in ("years of work", '{"a": 1}', '{"a": [{"attempt_1": []}]}'):
        Path("submission.json").write_text(content)
        for words in ([], ["--overwrite"]):
            assert "is there and no submission" in refused(package, capsys, *words)
            assert Path("submission.json").read_text() == content


ALL = ["--adapt", "2", "--adapt-weights", "all", "--overwrite"]


def test_adapted_weights_are_saved_as_an_export_that_answers_and_the_package_stays(package: Path) -> None:
    files = {path: path.read_bytes() for path in package.rglob("*") if path.is_file()}
    run(package, [*WORDS, *ALL, "--save-adapted", "adapted"])
    assert {path: path.read_bytes() for path in package.rglob("*") if path.is_file()} == files
    adapted = open_checkpoint("adapted")
    assert adapted.row_names is not None
    assert [name for name in adapted.row_names if "|" not in name] == ["<blank>", *CHALLENGES]
    name = "lm_head.weight"
    assert not adapted.weights[name].equal(open_checkpoint(package).weights[name])
    request = TaskRequest("adapted", "tasks.json:first", device="cpu", output=Path("answers"))
    run_task(request)
    assert json.loads(Path("answers/task_first/answer.json").read_text())["embedding"] == "own"


def test_what_is_at_the_place_of_adapted_weights_is_seen_before_anything_is_answered(
    package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("mine").mkdir()
    Path("mine/thesis.tex").write_text("years of work")
    assert "holds other things" in refused(package, capsys, *ALL, "--save-adapted", "mine")
    assert "no weights are adapted" in refused(package, capsys, "--adapt", "2", "--save-adapted", "new")
    assert "--adapt-weights without --adapt" in refused(package, capsys, "--adapt-weights", "all")
    assert not Path("submission.json").exists()
    assert Path("mine/thesis.tex").read_text() == "years of work"


def test_tasks_are_answered_with_adapted_weights_that_cannot_be_written(
    package: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device", "adapted")

    run(package, [*WORDS, *ALL])
    answers = submission()
    monkeypatch.setattr(solve_command, "save_adapted", full)
    run(package, [*WORDS, *ALL, "--save-adapted", "adapted"])
    assert submission() == answers
    assert "No space left" in capsys.readouterr().err


def test_nothing_is_written_through_a_link_or_a_pipe_or_into_a_folder(
    package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("mine.json").write_text(json.dumps(EMPTY))
    Path("link.json").symlink_to("mine.json")
    os.mkfifo("pipe.json")
    for name in ("link.json", "pipe.json", "run", "tasks.json/x.json"):
        assert name in refused(package, capsys, "--overwrite", "--output", name)
    assert submission("mine.json") == EMPTY
    assert Path("link.json").is_symlink()


def test_the_notebook_writes_a_valid_submission_before_it_installs_anything_and_names_missing_inputs(
    package: Path, tmp_path: Path
) -> None:
    before, after = SCRIPT.split("# The wheels of the package")
    assert "pip" not in before
    assert "run(PACKAGE" in after
    before = before.replace("/kaggle/input", str(tmp_path / "input"))

    def add(name: str, content: str) -> None:
        (tmp_path / "input" / name).parent.mkdir(parents=True)
        (tmp_path / "input" / name).write_text(content)

    add("model/trm_lab-1-py3-none-any.whl", "")
    with pytest.raises(SystemExit, match=r"error: no arc-agi_test.*\n  to do:   add this package"):
        exec(before, {})
    assert not Path("submission.json").exists()
    add("arc-prize-2025/arc-agi_test_challenges.json", "{}")
    add("arc-prize-2026/arc-agi_test_challenges.json", json.dumps(CHALLENGES))
    names: dict[str, Any] = {}
    exec(before, names)
    assert submission() == EMPTY
    assert not Path("submission.json.partial").exists()
    assert names["ARGUMENTS"][:2] == ["--input", str(names["TASKS"])]
    assert (names["TASKS"].parent.name, names["PACKAGE"].name) == ("arc-prize-2026", "model")

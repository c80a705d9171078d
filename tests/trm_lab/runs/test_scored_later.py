"""A run that was stopped before its first evaluation, and scored afterwards, is drawn like any other."""

import json
import shutil
from pathlib import Path

import pytest

from analysis import compare, report, summary
from analysis.methods import Method, group
from tests.runs import REPOSITORY
from trm.errors import UserError
from trm_lab.runs.recorded_run import read_run

RUNS = REPOSITORY / "tests/fixtures/runs"
DIS, TRM = "sudoku4_dis_0", "sudoku4_trm_compact_1"


def scored_later(name: str, folder: Path, records: bool = True) -> Path:
    """A recorded run without the evaluations of its training; records: with those of its steps."""
    run = shutil.copytree(RUNS / name, folder / name)
    shutil.rmtree(run / "evaluations")
    lines = (run / "metrics.jsonl").read_text().splitlines(keepends=True)
    training = [line for line in lines if records and json.loads(line)["kind"] == "train"]
    (run / "metrics.jsonl").write_text("".join(training))
    return run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two such runs; one was stopped even before its first record, and has answered a task since."""
    folder = tmp_path_factory.mktemp("later")
    scored_later(DIS, folder)
    stopped = scored_later(TRM, folder, records=False)
    (stopped / "scored/task_00d62c1b").mkdir()
    (stopped / "scored/task_00d62c1b/answer.json").write_text("{}")
    return folder


@pytest.mark.usefixtures("unrendered")
def test_every_command_draws_it(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary.main([f"{runs}/{TRM}"])  # of which there is no record
    report.main([str(runs), "--output-dir", f"{runs}/report"])
    printed = capsys.readouterr()
    compare.main([str(runs), "--figures-dir", f"{runs}/compared"])
    compared = capsys.readouterr()
    text = (runs / "report/report.md").read_text()
    for forbidden in ("Errno", "task_00d62c1b"):
        assert forbidden not in printed.out + printed.err + compared.out + compared.err + text
    assert "/scored/" not in compared.out  # the paired test names methods
    for file in (f"{TRM}/figures/learning_curves.png", "compared/accuracy_against_network_calls.png"):
        assert (runs / file).is_file()


def test_its_evaluation_is_the_one_made_as_training_makes_them_and_this_is_said(tmp_path: Path) -> None:
    run = read_run(scored_later(DIS, tmp_path))
    assert run.source == "scored/step_248-guided-margins"
    assert run.evaluations == [run.evaluation] == [run.scored[0].evaluation]
    assert any("which reached none" in remark for remark in run.remarks)


def test_a_part_of_the_test_split_does_not_stand_for_the_run(tmp_path: Path) -> None:
    run = scored_later(DIS, tmp_path)
    file = run / "scored/step_248-guided-margins/scores.json"
    scores = json.loads(file.read_text())
    scores["evaluated"]["first_tasks"] = 3
    file.write_text(json.dumps(scores))
    with pytest.raises(UserError, match=r"only scored/step_248-guided-margins") as error:
        read_run(run)
    assert "score its newest checkpoint" in error.value.remedy


def test_a_path_among_the_settings_does_not_stand_in_a_method_s_name(tmp_path: Path) -> None:
    first, second = (scored_later(name, tmp_path) for name in (DIS, "sudoku4_dis_1"))
    config = (second / "config.yaml").read_text()
    changed = config.replace("load_checkpoint: null", "load_checkpoint: /some/where/first/checkpoints/step_5")
    (second / "config.yaml").write_text(changed)
    methods: list[Method] = group([read_run(first), read_run(second)])[0]
    assert [one.name for one in methods if "first" in one.name] == [
        "DIS (released code), load_checkpoint=step_5 of first"
    ]

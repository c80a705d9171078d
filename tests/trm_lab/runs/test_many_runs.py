"""Several runs: which are found, and which are named and left out."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.analysis.synthetic_run import write_run
from trm.errors import UserError
from trm_lab.runs.many_runs import figures_of, find_runs, read_runs
from trm_lab.runs.recorded_run import read_run
from trm_lab.runs.records import SCHEMA


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two runs, one of them deeper, beside what is none."""
    write_run(tmp_path / "runs/b", arc=False, training_steps=400)
    write_run(tmp_path / "runs/sweep/a", arc=False, training_steps=400, seed=1)
    (tmp_path / "runs/figures").mkdir()
    (tmp_path / "runs/multirun.yaml").write_text("hydra: {}\n")
    return tmp_path / "runs"


def test_runs_are_found_in_folders_and_by_patterns_each_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both = [folder / "b", folder / "sweep/a"]
    assert find_runs([folder]) == both
    assert find_runs([folder / "sweep/a", folder]) == both[::-1]
    assert find_runs([folder / "*"]) == both
    monkeypatch.chdir(folder)
    assert find_runs([Path("sw*")]) == [Path("sweep/a")]


def test_a_path_without_a_run_is_an_error(folder: Path) -> None:
    without = {"nowhere": "does not exist", "figures": "holds no run", "b/config.yaml": "holds no run"}
    for name, problem in without.items():
        with pytest.raises(UserError, match=problem) as error:
            find_runs([folder, folder / name])
        assert name in error.value.given


def break_a_line(run: Path) -> None:
    lines = (run / "metrics.jsonl").read_text().splitlines(keepends=True)
    (run / "metrics.jsonl").write_text("".join([lines[0], '{"kind": "tr\n', *lines[1:]]))


def say_a_schema(run: Path, schema: object) -> None:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    text = "".join(json.dumps({"schema": schema, **line}) + "\n" for line in lines)
    (run / "metrics.jsonl").write_text(text)


def rename_scores(run: Path) -> None:
    text = (run / "metrics.jsonl").read_text()
    (run / "metrics.jsonl").write_text(text.replace('"per_step"', '"each_step"'))


def forget_evaluations(run: Path) -> None:
    shutil.rmtree(run / "evaluations")
    lines = (run / "metrics.jsonl").read_text().splitlines(keepends=True)
    (run / "metrics.jsonl").write_text("".join(line for line in lines if '"train"' in line))


FAULTS: list[tuple[Callable[[Path], None], str, str]] = [
    (lambda run: say_a_schema(run, 99), "line 1 of .*metrics.jsonl is of schema 99", "that wrote it"),
    (lambda run: say_a_schema(run, None), "line 1 of .*metrics.jsonl is of schema None", "that wrote it"),
    (rename_scores, "evaluation of step 100 in .* has no key 'per_step'", ""),
    (forget_evaluations, "holds no evaluation", "let training reach its first evaluation"),
    (break_a_line, "metrics.jsonl", "it resumes and mends metrics.jsonl; or take the line out"),
    (lambda run: os.truncate(run / "provenance.json", 5), "provenance.json", "puts a damaged provenance.json aside"),
    (
        lambda run: os.truncate(run / "evaluations/step_400/scores.json", 5),
        "scores.json",
        "move the damaged one elsewhere",
    ),
]


def test_an_unreadable_run_is_named_with_its_fault_and_remedy_and_left_out(folder: Path, tmp_path: Path) -> None:
    for number, (damage, why, remedy) in enumerate(FAULTS):
        runs = shutil.copytree(folder, tmp_path / str(number))
        damage(runs / "sweep/a")
        read = read_runs([runs])
        assert [run.path for run in read.runs] == [runs / "b"]
        assert [left_out.path for left_out in read.skipped] == [runs / "sweep/a"]
        (line,) = read.remarks()
        assert str(runs / "sweep/a") in line
        with pytest.raises(UserError, match=why) as error:
            read_runs([runs / "sweep/a"])
        assert remedy in error.value.remedy
        assert "evaluate.py" not in error.value.remedy


def test_figures_go_where_all_runs_are(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    one, other = folder / "b", folder / "sweep/a"
    assert figures_of([one], [one]) == one / "figures"
    assert figures_of([folder / "*"], [one, other]) == folder / "figures"
    assert figures_of([one, other], [one, other]) == Path(folder.name) / "figures"


def test_a_run_that_is_being_written_is_read_as_far_as_it_goes_and_that_is_said(folder: Path) -> None:
    before = read_run(folder / "b")
    say_a_schema(folder / "b", SCHEMA)  # as this version writes, and the version before did not
    assert read_run(folder / "b").evaluations == before.evaluations
    again = json.loads((folder / "b/metrics.jsonl").read_text().splitlines()[-1])
    again["scores"]["per_step"]["cell_accuracy"][-1] = 0.25
    with (folder / "b/metrics.jsonl").open("a") as stream:
        stream.write(json.dumps(again) + "\n")  # the later of two evaluations of one step counts
        stream.write('{"kind": "probe", "step": 420}\n')
        stream.write('{"kind": "train", "step": 420, "lo')
    read = read_run(folder / "b")
    assert read.training.step[-1] == 400
    assert [one.step for one in read.evaluations] == [100, 200, 300, 400]
    assert read.evaluations[-1].cell_accuracy[-1] == 0.25
    remarks = " ".join(read.remarks)
    assert "the last line of metrics.jsonl is not whole yet and was left out" in remarks
    assert "other kinds, which were left out: probe" in remarks


def test_an_evaluation_whose_folder_is_gone_is_read_from_the_records(folder: Path) -> None:
    before = read_run(folder / "b")
    shutil.rmtree(folder / "b/evaluations/step_400")
    after = read_run(folder / "b")
    assert after.evaluation == before.evaluation
    assert after.samples is None
    assert "evaluations/step_400 is missing" in after.remarks[0]

"""Several runs: which are found, and which are named and left out."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
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


def test_runs_are_found_in_folders_and_by_patterns_each_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = [folder / "b", folder / "sweep/a"]
    assert find_runs([folder]) == both
    assert find_runs([folder / "sweep/a", folder]) == both[::-1]
    assert find_runs([folder / "*"]) == both
    monkeypatch.chdir(folder)
    assert find_runs([Path("sw*")]) == [Path("sweep/a")]


@pytest.mark.parametrize(("given", "problem"), [("nowhere", "does not exist"), ("figures", "holds no run")])
def test_a_path_without_a_run_is_an_error(folder: Path, given: str, problem: str) -> None:
    with pytest.raises(UserError, match=problem) as error:
        find_runs([folder, folder / given])
    assert given in error.value.given


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


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda run: say_a_schema(run, 99), "line 1 of .*metrics.jsonl is of schema 99"),
        (lambda run: say_a_schema(run, None), "line 1 of .*metrics.jsonl is of schema None"),
        (rename_scores, "evaluation of step 100 in .* has no key 'per_step'"),
        (forget_evaluations, "holds no evaluation"),
    ],
)
def test_an_unreadable_run_is_named_with_its_fault_and_left_out(
    folder: Path, damage: Callable[[Path], None], why: str
) -> None:
    damage(folder / "sweep/a")
    read = read_runs([folder])
    assert [run.path for run in read.runs] == [folder / "b"]
    (left_out,) = read.skipped
    assert left_out.path == folder / "sweep/a"
    (line,) = read.remarks()
    assert str(folder / "sweep/a") in line
    with pytest.raises(UserError, match=why):
        read_runs([folder / "sweep/a"])


def test_lines_that_name_this_version_s_schema_are_read_as_those_that_name_none(folder: Path) -> None:
    before = read_run(folder / "b")
    say_a_schema(folder / "b", SCHEMA)
    after = read_run(folder / "b")
    assert after.evaluations == before.evaluations
    np.testing.assert_array_equal(after.training.loss, before.training.loss)


@pytest.mark.parametrize(
    ("damage", "helps"),
    [
        (break_a_line, "it resumes and mends metrics.jsonl; or take the line out"),
        (lambda run: say_a_schema(run, 99), "read the run with the version that wrote it"),
        (forget_evaluations, "let training reach its first evaluation"),
        (lambda run: os.truncate(run / "provenance.json", 5), "puts a damaged provenance.json aside"),
        (
            lambda run: os.truncate(run / "evaluations/step_400/scores.json", 5),
            "move the damaged one elsewhere",
        ),
    ],
)
def test_the_remedy_is_that_of_the_fault_also_where_it_leaves_no_run(
    folder: Path, damage: Callable[[Path], None], helps: str
) -> None:
    damage(folder / "b")
    for read in (lambda: read_run(folder / "b"), lambda: read_runs([folder / "b"])):
        with pytest.raises(UserError) as error:
            read()
        assert helps in error.value.remedy
        assert "evaluate.py" not in error.value.remedy


def test_figures_go_where_all_runs_are(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    one, other = folder / "b", folder / "sweep/a"
    assert figures_of([one], [one]) == one / "figures"
    assert figures_of([folder / "*"], [one, other]) == folder / "figures"
    assert figures_of([one, other], [one, other]) == Path(folder.name) / "figures"
    monkeypatch.chdir(folder)
    assert figures_of([Path("b"), Path("sweep/a")], [Path("b"), Path("sweep/a")]) == Path("figures")


def test_a_run_that_is_being_written_is_read_as_far_as_it_goes_and_that_is_said(folder: Path) -> None:
    with (folder / "b/metrics.jsonl").open("a") as stream:
        stream.write('{"kind": "train", "step": 420, "lo')
    read = read_runs([folder])
    assert [run.training.step[-1] for run in read.runs] == [400, 400]
    (remark,) = read.remarks()
    assert remark == "demo-dis: the last line of metrics.jsonl is not whole yet and was left out"


def test_records_of_an_unknown_kind_are_named(folder: Path) -> None:
    with (folder / "b/metrics.jsonl").open("a") as stream:
        stream.write('{"kind": "probe", "step": 420}\n')
    assert "other kinds, which were left out: probe" in read_run(folder / "b").remarks[0]


def test_an_evaluation_whose_folder_is_gone_is_read_from_the_records(folder: Path) -> None:
    before = read_run(folder / "b")
    shutil.rmtree(folder / "b/evaluations/step_400")
    after = read_run(folder / "b")
    assert after.evaluation == before.evaluation
    assert after.samples is None
    assert "evaluations/step_400 is missing" in after.remarks[0]


def test_of_two_evaluations_of_one_step_the_later_counts(folder: Path) -> None:
    lines = (folder / "b/metrics.jsonl").read_text().splitlines()
    again = json.loads(lines[-1])
    again["scores"]["per_step"]["cell_accuracy"][-1] = 0.25
    with (folder / "b/metrics.jsonl").open("a") as stream:
        stream.write(json.dumps(again) + "\n")
    evaluations = read_run(folder / "b").evaluations
    assert [one.step for one in evaluations] == [100, 200, 300, 400]
    assert evaluations[-1].cell_accuracy[-1] == 0.25


def test_energy_is_nan_where_it_is_not_recorded(folder: Path, tmp_path: Path) -> None:
    recorded = read_run(write_run(tmp_path / "c", arc=False, training_steps=400, joules=5.0))
    assert np.isnan(read_run(folder / "b").training.joules).all()
    assert recorded.training.joules.sum() == 5.0 * 20
    assert recorded.training.epoch[-1] == 10.0
    assert set(recorded.training.network_calls) == {3}

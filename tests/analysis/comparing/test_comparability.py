"""Only answers to the same questions after the same number of updates are tested against each other."""

import json
import re
from pathlib import Path

import pytest

from analysis import compare, report
from analysis.claims.claims import read_claims
from analysis.comparing.ablation import ablation, pair_tests
from analysis.comparing.ablation_tables import compared
from analysis.comparing.comparability import at_same_updates, by_dataset, unlike
from analysis.methods import group
from analysis.metrics import EXACT
from tests.analysis.synthetic_run import stopped, write_run, write_scored
from trm_lab.runs.many_runs import ManyRuns, read_runs
from trm_lab.runs.recorded_run import Run, read_run


def made(folder: Path, mark: str = "", questions: int = 1376, **settings: object) -> Path:
    """A run of 400 updates on data of this fingerprint with so many test examples."""
    run = write_run(folder, arc=False, training_steps=400, puzzles=["sudoku"], **settings)
    for file in (run / "metrics.jsonl", *run.glob("evaluations/*/scores.json")):
        file.write_text(file.read_text().replace('"examples": 1376', f'"examples": {questions}'))
    launch = {"device": "cpu", "ranks": 1, "datasets": {"data/demo": mark} if mark else {}}
    (run / "provenance.json").write_text(json.dumps({"launches": [launch]}))
    return run


def test_runs_on_other_test_data_of_one_name_are_laid_out_apart_and_never_tested(tmp_path: Path) -> None:
    kinds = {"a": ("aaaaaaaaaa", 300), "b": ("bbbbbbbbbb", 300), "c": ("bbbbbbbbbb", 32)}
    runs = [
        read_run(made(tmp_path / f"{kind}{seed}", mark, questions, seed=seed, skill=1 + seed / 10))
        for kind, (mark, questions) in kinds.items()
        for seed in range(2)
    ]
    found = by_dataset(runs)
    assert {title: [run.path.name for run in members] for title, members in found.items()} == {
        "small-sudoku (clean protocol), 300 examples, data aaaaaaaa": ["a0", "a1"],
        "small-sudoku (clean protocol), 300 examples, data bbbbbbbb": ["b0", "b1"],
        "small-sudoku (clean protocol), 32 examples": ["c0", "c1"],
    }
    methods, _ = group(runs)
    assert len(methods) == 3
    assert pair_tests(methods, EXACT) == []
    text = compare.report(runs, methods, EXACT)
    assert "Not comparable: the runs have different test examples" in text
    assert "fingerprints of the test data" in text
    assert text.count("not comparable, so not tested: DIS (released code)") == 3
    assert "p (Holm)" not in text
    assert [unlike(methods[0], other) for other in methods] == ["", "other test data", "other test data"]


def test_what_an_evaluation_says_of_its_data_counts_before_what_the_run_was_started_with(tmp_path: Path) -> None:
    """So seeds and methods that were evaluated on other questions under one path are never laid together."""
    runs = []
    kinds = [("a", "a", "test"), ("b", "b", "test"), ("c", "a", "train"), ("d", "a", "test")]
    for name, digit, split in kinds:
        folder = made(tmp_path / name, "started", seed=ord(name))
        dataset = {"name": "small-sudoku", "fingerprint": digit * 64, "split": split}
        told = f'"datasets": [{json.dumps(dataset)}], "examples": 1376'
        for file in (folder / "metrics.jsonl", *folder.glob("evaluations/*/scores.json")):
            file.write_text(file.read_text().replace('"examples": 1376', told))
        runs.append(read_run(folder))
    alike = [["a", "d"], ["b"], ["c"]]
    assert sorted([run.path.name for run in members] for members in by_dataset(runs).values()) == alike
    methods, _ = group(runs)
    assert sorted([run.path.name for run in method.runs] for method in methods) == alike
    assert pair_tests(methods, EXACT) == []


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Two seeds of TRM with 400 updates, of DIS one with 400 and one that stands at 200."""
    folder = tmp_path_factory.mktemp("unfinished")
    for seed in range(2):
        made(folder / f"dis{seed}", seed=seed, skill=1 + seed / 10)
        made(folder / f"trm{seed}", seed=seed, skill=1.3 + seed / 10, supervision="act", steps=16)
    write_scored(folder / "dis0", "step_400-margins", margin=True)
    stopped(folder / "dis1", 200)
    return read_runs([folder]).runs


def test_runs_still_going_are_compared_at_the_updates_that_all_have(unfinished: list[Run]) -> None:
    methods, remarks = group(unfinished)
    assert [method.step for method in methods] == [200, 400]
    assert "still going or stopped before step 400" in remarks[0]
    methods, (remark,) = at_same_updates(methods)
    assert [method.step for method in methods] == [200, 200]
    assert "(DIS (released code) 200, TRM T=1 n=2 400); all are compared at 200" in remark
    found = ablation(unfinished, "data", "exact")
    assert [seed.evaluation.step for result in found.results for seed in result.seeds] == [200] * 4
    assert remark in found.remarks
    (test,) = found.tests
    assert test.difference.mean == pytest.approx(0.3 * (0.5 + 0.55 - 0.65 - 0.7) / 2)
    table = report.report(ManyRuns(unfinished, []), read_claims()).parts[0].tables[0]
    assert [row[2:4] for row in table.rows] == [["200", "5"], ["200", "5"]]
    assert remark in table.notes


def test_the_table_of_runs_shows_the_updates_that_the_tests_are_of(unfinished: list[Run]) -> None:
    methods, _ = at_same_updates(group(unfinished)[0])
    text = compare.report(unfinished, methods, EXACT)
    assert re.search(r"training steps +200 +200 +200 +200\n", text)
    assert "numbers of training steps" not in text
    assert re.search(r"exact match +15\.0 % .* 16\.5 % .* 19\.5 % .* 21\.0 % .*\n", text)
    lacking, elsewhere = [line for line in compare.missing_pieces(methods) if "advantage margins" in line]
    assert lacking.startswith("advantage margins: missing in 3 of 4 runs; make it with: python evaluate.py ")
    assert "dis0 --margin" not in lacking
    assert elsewhere.startswith("advantage margins: 1 of 4 runs have it of another step")


def test_methods_without_a_common_evaluation_are_not_tested(tmp_path: Path) -> None:
    runs = [
        read_run(write_run(tmp_path / name, supervision, arc=False, training_steps=steps, puzzles=["sudoku"]))
        for name, supervision, steps in (("a", "dis", 400), ("b", "act", 2000))
    ]
    methods, (remark,) = at_same_updates(group(runs)[0])
    assert [method.step for method in methods] == [400, 2000]
    assert remark.startswith("not comparable: the methods stand at different numbers of updates")
    assert unlike(*methods) == "other numbers of updates"
    assert pair_tests(methods, EXACT) == []


def test_all_other_settings_are_the_same_is_said_only_where_it_is_true(tmp_path: Path) -> None:
    made(tmp_path / "dis")
    made(tmp_path / "trm", supervision="act", steps=16)
    (note,) = compared(ablation(read_runs([tmp_path]).runs, "data")).notes
    assert note.startswith("All other settings are the same.")
    made(tmp_path / "wide", supervision="act", steps=16, arch={"hidden_size": 64}, changes={"lr": 0.5})
    (note,) = compared(ablation(read_runs([tmp_path]).runs, "data")).notes
    assert note.startswith("Not comparable: the runs differ in more than the method: hidden_size, lr.")

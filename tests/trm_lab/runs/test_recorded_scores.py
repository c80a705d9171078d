"""What evaluate.py left in a run: read whole, and each unreadable one named."""

import json
from pathlib import Path
from typing import Any

import pytest

from analysis.scores import run_facts
from tests.analysis.synthetic_run import write_run, write_scored
from trm_lab.runs.recorded_run import read_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run", arc=False, training_steps=400)


def test_everything_that_was_asked_for_is_read(run: Path) -> None:
    write_scored(run, "step_400-guided-margins", guidance=[0, 1, 1.5], margin=True)
    (scored,) = read_run(run).scored
    assert scored.is_plain
    assert list(scored.guidance) == [0, 1, 1.5]
    assert len(scored.guidance[1.5].exact_accuracy) == 6
    assert scored.margin is not None
    assert scored.margin.tokens == 9000
    assert scored.margin.mean[0] == 0.5
    assert scored.improvement is not None
    assert scored.improvement.answer.fell_by == [2 / step - 2 / (step + 1) for step in range(1, 7)]
    assert scored.improvement.target == scored.improvement.trained_answer
    assert {point.policy for point in scored.halting} == {"fixed", "agreement", "confidence", "oracle"}
    assert scored.over_steps is not None
    assert sum(scored.over_steps.first_right) == 1000
    assert scored.cost is not None
    assert (scored.cost.operations, scored.cost.device) == (18_000_000, "cuda")
    assert scored.evaluation.hamming == [8 / step for step in range(1, 7)]


def test_only_an_evaluation_as_in_training_is_plain(run: Path) -> None:
    write_scored(run, "step_400-steps12", steps=12)
    write_scored(run, "step_400-first3", part=3)
    write_scored(run, "step_400")
    (run / "scored/step_500.unfinished").mkdir(parents=True)
    read = read_run(run)
    assert read.remarks == ["scored/step_500.unfinished: evaluate.py has not finished it"]
    plain, part, steps = read.scored
    assert (plain.is_plain, plain.is_whole) == (True, True)
    assert (part.is_plain, part.is_whole) == (False, False)
    assert (steps.is_plain, steps.is_whole, len(steps.evaluation.network_calls)) == (False, True, 12)


def test_an_unreadable_one_is_named_and_the_rest_of_the_run_is_read(run: Path) -> None:
    write_scored(run, "step_400")
    file = write_scored(run, "step_400-margins", margin=True) / "scores.json"
    record = json.loads(file.read_text())
    cases: list[tuple[dict[str, Any], str]] = [
        ({"evaluated": None}, "has evaluated=None, no mapping"),
        ({"evaluated": {}}, "has no key 'supervision_steps'"),
        ({"guidance": {"high": {"cell_accuracy": [], "exact_accuracy": []}}}, "names that are no numbers"),
        ({"guidance": {"1": {"exact_accuracy": []}}}, "has no key 'cell_accuracy'"),
        ({"halting": {"points": [3]}}, "has points=3, no mapping"),
        ({"margin": {"tokens": "many"}}, "no whole number"),
        ({"improvement": {"answer": {"examples": 3}}}, "has no key 'before'"),
        ({"cost": [1]}, "no mapping"),
        ({"arc_per_step": {"ARC/pass@2": "all"}}, "no list of at most"),
        ({}, "No such file"),
    ]
    for change, told in cases:
        file.write_text(json.dumps(record | change)) if change else file.unlink()
        read = read_run(run)
        assert [scored.name for scored in read.scored] == ["step_400"]
        (remark,) = read.remarks
        assert remark.startswith("scored/step_400-margins: ")
        assert told in remark


def test_an_evaluation_of_other_data_is_known_by_its_fingerprint(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", arc=False, training_steps=400, puzzles=("queens",))
    provenance = {"launches": [{"datasets": {"data/demo": "aa"}}]}
    (run / "provenance.json").write_text(json.dumps(provenance))
    file = write_scored(run) / "scores.json"
    scores = json.loads(file.read_text())
    for path, fingerprint, own in (("elsewhere/moved", "aa", True), ("data/demo", "bb", False)):
        scores["datasets"] = [{"name": "demo", "fingerprint": fingerprint, "path": path}]
        scores["evaluated"]["data_paths"] = [path]
        file.write_text(json.dumps(scores))
        read = read_run(run)
        (scored,) = read.scored
        assert scored.is_plain == own
        facts = run_facts(read, scored.evaluation, scored)
        (shown,) = [value for name, value in facts if name == "dataset"]
        assert shown.endswith(f", fingerprint {fingerprint}")

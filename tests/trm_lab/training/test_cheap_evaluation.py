"""Evaluations in training that look at a part of the test split only, but for the last one."""

import json
import shutil
from pathlib import Path

import pytest

from tests.runs import records, train_here
from trm.errors import UserError
from trm_lab.evaluation.request import ScoringRequest
from trm_lab.evaluation.score import score
from trm_lab.puzzles.loading import EvaluationData
from trm_lab.puzzles.selection import Selection
from trm_lab.runs.evaluation_folder import SCORES_FILE
from trm_lab.runs.recorded_run import read_run


def train(dataset: Path, run: Path, *words: str) -> None:
    length = ("global_batch_size=8", "epochs=40", "eval_interval=1", "log_interval=4", "arch.halt_max_steps=2")
    place = (f"data_paths=[{dataset}]", f"checkpoint_path={run}")
    train_here("train_arc_tiny_corrupt.py", "arch=dis", *length, *place, *words)


@pytest.fixture(scope="module")
def sampled(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "sampled"
    train(dataset, run, "eval_examples=19", "max_steps=20", "keep_best=cell_accuracy")
    return run


def test_every_evaluation_but_the_last_is_of_a_sample_and_says_so(sampled: Path) -> None:
    *before, last = records(sampled, "evaluation")
    assert len(before) >= 2
    for record in before:
        written = json.loads((sampled / "evaluations" / f"step_{record['step']}" / SCORES_FILE).read_text())
        assert record["scores"]["part"] == written["part"]
        assert record["scores"]["examples"] == record["scores"]["part"]["examples"] <= 19
        assert record["scores"]["part"]["of"] == last["scores"]["examples"]
    assert "part" not in last["scores"]


def test_evaluate_py_looks_at_the_same_sample(sampled: Path, tmp_path: Path) -> None:
    before = records(sampled, "evaluation")[0]
    checkpoint = sampled / "checkpoints" / f"step_{before['step']}"
    score(ScoringRequest(str(checkpoint), output=tmp_path / "a", device="cpu", selection=Selection(sampled=19)))
    scores = json.loads((tmp_path / "a/scores.json").read_text())
    for key in ("part", "per_step", "copy", "counts"):
        assert scores[key] == before["scores"][key]


def test_the_best_is_chosen_among_samples_and_named_so(sampled: Path) -> None:
    *before, _ = records(sampled, "evaluation")
    best = json.loads((sampled / "checkpoints/best.json").read_text())
    assert best["value"] == max(record["scores"]["per_step"]["cell_accuracy"][-1] for record in before)
    assert best["metric"].startswith("cell_accuracy (a part of the test split:")


def test_an_interrupted_run_of_another_seed_looks_at_the_same_tasks(
    dataset: Path, sampled: Path, tmp_path: Path
) -> None:
    train(dataset, tmp_path / "run", "eval_examples=19", "max_steps=6", "seed=1")
    last = records(tmp_path / "run", "evaluation")[-1]
    assert "part" not in last["scores"]
    train(dataset, tmp_path / "run", "eval_examples=19", "max_steps=11", "seed=1")
    first, second = (
        records(run, "evaluation")[place]["scores"] for run, place in ((sampled, 0), (tmp_path / "run", -2))
    )
    assert (first["part"], first["copy"]) == (second["part"], second["copy"])


def test_a_sampled_evaluation_at_the_last_step_is_made_anew_of_the_whole_split(dataset: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train(dataset, run, "eval_examples=19", "max_steps=12")
    first, last = records(run, "evaluation")
    assert "part" in first["scores"]
    for folder in ("checkpoints", "evaluations"):  # as if it had been killed before it was there
        shutil.rmtree(run / folder / f"step_{last['step']}")
    train(dataset, run, "eval_examples=19", f"max_steps={first['step']}")
    assert [(r["step"], "part" in r["scores"]) for r in records(run, "evaluation")] == [(first["step"], False)]


def test_fewer_augmentations_vote_in_training(dataset: Path, tmp_path: Path) -> None:
    train(dataset, tmp_path / "run", "eval_num_aug=1", "max_steps=12", "evaluators=[arc]")
    first, *_, last = (record["scores"] for record in records(tmp_path / "run", "evaluation"))
    assert first["counts"]["outputs"] == last["counts"]["outputs"], "of every task"
    chosen = EvaluationData([dataset], global_batch_size=8, selection=Selection(augmentations=1))
    assert first["examples"] == chosen.total_examples < last["examples"]
    assert first["evaluated"] == {"augmentations": 1}
    evaluations = read_run(tmp_path / "run").evaluations
    assert evaluations[0].part == chosen.part
    assert evaluations[-1].part is None


def test_augmentations_are_limited_on_arc_only(tmp_path: Path) -> None:
    from trm_lab.puzzles.sudoku import builder_4x4

    builder_4x4.main(["--train-size", "20", "--test-size", "5", "--output-dir", str(tmp_path / "data")])
    with pytest.raises(UserError, match="eval_num_aug=1 on data without ARC tasks"):
        train(tmp_path / "data", tmp_path / "run", "eval_num_aug=1", "evaluators=[]")

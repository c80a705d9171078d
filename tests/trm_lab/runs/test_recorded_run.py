"""Reading a run: what is read, and what each unreadable run is told."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.analysis.synthetic_run import write_run
from tests.runs import REPOSITORY
from trm.errors import UserError
from trm_lab.runs.recorded_run import Run, read_run
from trm_lab.runs.recorded_training import read_metrics


def test_a_run_gives_its_records_its_latest_evaluation_and_its_samples(run: Run) -> None:
    assert run.name == "demo-dis"
    assert run.training.step[-1] == 12_000
    assert run.training.step_accuracy.shape == (600, 6)
    assert [evaluation.step for evaluation in run.evaluations] == [3000, 6000, 9000, 12_000]
    assert run.evaluation == run.evaluations[-1]
    assert np.isnan(run.training.step_accuracy[0, 1:]).all()  # no slot stood at these steps
    assert not np.isnan(run.training.step_accuracy[1:]).any()
    assert len(run.outputs) == 45
    assert run.samples is not None
    assert run.samples.preds.shape == (12, 6, 196)


def test_a_sample_is_right_when_every_scored_cell_of_the_last_prediction_is(run: Run) -> None:
    assert run.samples is not None
    scored = run.samples.labels != -100
    by_hand = [
        bool((prediction[-1][mask] == labels[mask]).all())
        for prediction, labels, mask in zip(run.samples.preds, run.samples.labels, scored, strict=True)
    ]
    assert run.samples.exactly_right().tolist() == by_hand
    assert len(set(by_hand)) == 2


def test_what_the_dataset_s_scorer_said_is_read_and_runs_of_before_have_none(run: Run, tmp_path: Path) -> None:
    assert run.evaluation.tasks == []
    assert run.evaluation.best_exact_match is None
    folder = write_run(tmp_path / "run", arc=False, training_steps=400, puzzles=["queens", "maze"])
    (folder / "evaluations" / "step_5000").mkdir()
    two = read_run(folder)
    assert two.evaluation.step == 400  # the other is not finished
    queens, maze = two.evaluation.scored_tasks
    assert queens.title == "small-queens, version 1, protocol clean"
    assert queens.solved_shares == [3 / 40, 6 / 40, 10 / 40, 13 / 40, 16 / 40, 20 / 40]
    assert (queens.best_exact_match, maze.best_exact_match) == (0.5, None)
    assert two.evaluation.best_exact_match is None  # of all examples it is not known
    assert replace(maze, version=0).title == "small-maze (without a manifest)"
    certain = replace(queens, examples=120, facts={"best_exact_match": 1.0})
    assert replace(two.evaluation, tasks=[queens, certain]).best_exact_match == 0.875
    assert replace(two.evaluation, tasks=[replace(maze, solved_per_step=[])]).scored_tasks == []


def change_scores(**values: object) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        file = folder / "evaluations/step_12000/scores.json"
        scores = json.loads(file.read_text()) | values
        file.write_text(json.dumps({key: value for key, value in scores.items() if value is not None}))

    return damage


def add_line(text: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        with (folder / "metrics.jsonl").open("a") as stream:
            stream.write(text + "\n")

    return damage


def drop_labels(folder: Path) -> None:
    tokens = np.ones((1, 2, 4), np.uint8)
    file = folder / "evaluations/step_12000/rollout_samples.npz"
    np.savez(file, names=np.array(["a"]), inputs=tokens[:, 0], preds=tokens)


def test_each_unreadable_run_is_told_what_is_wrong_and_what_to_do(tmp_path: Path, run_folder: Path) -> None:
    train = '{"kind": "train", "step": 9, "step_accuracy": []}'
    cases: list[tuple[Callable[[Path], object], str]] = [
        (lambda folder: (folder / "config.yaml").unlink(), "has no config.yaml"),
        (add_line("oops"), "line 605 of .*metrics.jsonl is not JSON"),
        (add_line('{"kind": "train"}'), "line 605 of .* no record with kind and step"),
        (add_line(train), "training record of .* has no key 'timing'"),
        (change_scores(per_step=None), "scores.json has no key 'per_step'"),
        (change_scores(tasks=[{"dataset": "queens"}]), "scores.json has no key 'version'"),
        (change_scores(examples=0), "no example with a known answer"),
        (lambda folder: (folder / "provenance.json").write_text('{"command"'), "provenance.json is not JSON"),
        (drop_labels, "has no array labels"),
    ]
    for number, (damage, problem) in enumerate(cases):
        folder = shutil.copytree(run_folder, tmp_path / str(number))
        damage(folder)
        with pytest.raises(UserError, match=problem) as error:
            read_run(folder)
        assert error.value.allowed
        assert error.value.remedy


def test_metrics_of_runs_that_named_no_denominators_are_read_by_name() -> None:
    run = read_run(REPOSITORY / "tests/fixtures/runs/sudoku4_dis_0")
    assert run.training.metrics["lm_loss"].shape == run.training.step.shape
    assert not np.isnan(run.training.metrics["lm_loss"]).any()
    assert np.nanmax(run.training.metrics["accuracy"]) <= 1
    assert "step_accuracy" not in run.training.metrics


def test_a_metric_is_read_in_the_shape_of_its_last_record_and_what_is_no_number_is_left_out() -> None:
    recorded = [{"a": [1, None]}, {}, {"a": 3.0, "b": "x"}, {"a": [[1, 2], [3, 4]], "c": [[1], [2, 3]]}]
    read = read_metrics(recorded, "metrics.jsonl")
    assert read.keys() == {"a"}
    assert np.isnan(read["a"][:3]).all()
    assert read["a"][3].tolist() == [[1, 2], [3, 4]]

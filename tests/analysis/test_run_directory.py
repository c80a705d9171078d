"""Reading a run: what is read, and what each unreadable run is told."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from analysis.run_directory import Run, read_run
from tests.analysis.synthetic_run import write_run
from trm.errors import UserError


def test_a_run_gives_its_records_its_latest_evaluation_and_its_samples(run: Run) -> None:
    assert run.name == "demo-dis"
    assert run.training.step[-1] == 12_000
    assert run.training.step_accuracy.shape == (600, 6)
    assert [evaluation.step for evaluation in run.evaluations] == [3000, 6000, 9000, 12_000]
    assert run.evaluation == run.evaluations[-1]
    assert len(run.outputs) == 45
    assert run.samples is not None
    assert run.samples.preds.shape == (12, 6, 196)


def test_a_step_at_which_no_slot_stood_is_nan_and_not_zero(run: Run) -> None:
    assert np.isnan(run.training.step_accuracy[0, 1:]).all()
    assert not np.isnan(run.training.step_accuracy[1:]).any()


def test_a_sample_is_right_when_every_scored_cell_of_the_last_prediction_is(run: Run) -> None:
    assert run.samples is not None
    scored = run.samples.labels != -100
    by_hand = [
        bool((prediction[-1][mask] == labels[mask]).all())
        for prediction, labels, mask in zip(run.samples.preds, run.samples.labels, scored, strict=True)
    ]
    assert run.samples.exactly_right().tolist() == by_hand
    assert len(set(by_hand)) == 2
    assert not run.samples.wrong_cells()[np.broadcast_to(~scored[:, None], run.samples.preds.shape)].any()


def test_a_last_line_that_is_still_being_written_is_left_out(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", arc=False)
    with (folder / "metrics.jsonl").open("a") as stream:
        stream.write('{"kind": "train", "st')
    assert read_run(folder).training.step[-1] == 12_000


def test_the_latest_evaluation_is_the_one_of_the_highest_step_and_must_be_finished(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", arc=False, training_steps=40_000)
    (folder / "evaluations" / "step_50000").mkdir()
    assert read_run(folder).evaluation.step == 40_000


def _remove_config(folder: Path) -> None:
    (folder / "config.yaml").unlink()


def _remove_evaluations(folder: Path) -> None:
    (folder / "evaluations").rename(folder / "elsewhere")


def _break_line(folder: Path) -> None:
    with (folder / "metrics.jsonl").open("a") as stream:
        stream.write("oops\n")


def _add_stray_record(folder: Path) -> None:
    with (folder / "metrics.jsonl").open("a") as stream:
        stream.write('{"kind": "train"}\n')


def _add_thin_record(folder: Path) -> None:
    with (folder / "metrics.jsonl").open("a") as stream:
        stream.write('{"kind": "train", "step": 12020, "step_accuracy": []}\n')


def _change_scores(folder: Path, change: Callable[[dict[str, object]], None]) -> None:
    file = folder / "evaluations" / "step_12000" / "scores.json"
    scores = json.loads(file.read_text())
    change(scores)
    file.write_text(json.dumps(scores))


def _drop_per_step(folder: Path) -> None:
    _change_scores(folder, lambda scores: scores.pop("per_step"))  # type: ignore[arg-type]


def _score_nothing(folder: Path) -> None:
    _change_scores(folder, lambda scores: scores.update(examples=0))


def _list_as_scores(folder: Path) -> None:
    (folder / "evaluations" / "step_12000" / "scores.json").write_text("[]")


def _cut_provenance(folder: Path) -> None:
    (folder / "provenance.json").write_text('{"command"')


def _drop_labels(folder: Path) -> None:
    np.savez(folder / "evaluations" / "step_12000" / "rollout_samples.npz", names=[], inputs=[], preds=[])


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (_remove_config, "has no config.yaml"),
        (_remove_evaluations, "holds no evaluation"),
        (_break_line, "line 605 of .*metrics.jsonl is not JSON"),
        (_add_stray_record, "line 605 of .* no record with kind and step"),
        (_add_thin_record, "training record of .* has no key 'loss'"),
        (_drop_per_step, "scores.json has no key 'per_step'"),
        (_score_nothing, "no example with a known answer"),
        (_list_as_scores, "holds a list, not a mapping"),
        (_cut_provenance, "provenance.json is not JSON"),
        (_drop_labels, "has no array labels"),
    ],
)
def test_each_unreadable_run_is_told_what_is_wrong_and_what_to_do(
    tmp_path: Path, damage: Callable[[Path], None], told: str
) -> None:
    folder = write_run(tmp_path / "run")
    damage(folder)
    with pytest.raises(UserError, match=told) as error:
        read_run(folder)
    assert error.value.allowed
    assert error.value.remedy

"""`max_minutes` ends a run after so long a training, whatever evaluations and restarts take; by a clock of ours."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.models import batch, dis
from tests.runs import records, tensors
from tests.trm_lab.training.learners import learner
from tests.trm_lab.training.test_every_preset import run
from trm_lab.commands import progress
from trm_lab.evaluation.evaluator import Evaluator
from trm_lab.runs.recorded_run import read_run
from trm_lab.training import training_time
from trm_lab.training.learner import Learner
from trm_lab.training.training_time import TrainingTime

MINUTE = 60.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds of a clock on which a step takes a minute, and an evaluation a day."""
    now = [0.0]

    def taking(seconds: float, function: Callable[..., object]) -> Callable[..., object]:
        def later(*arguments: object, **keywords: object) -> object:
            now[0] += seconds
            return function(*arguments, **keywords)

        return later

    monkeypatch.setattr(training_time, "monotonic", lambda: now[0])
    monkeypatch.setattr(Learner, "step", taking(MINUTE, Learner.step))
    monkeypatch.setattr(Evaluator, "run", taking(86_400.0, Evaluator.run))
    return now


def ends(folder: Path) -> list[int]:
    """The steps at which an evaluation says that the time was up."""
    return [record["step"] for record in records(folder, "evaluation") if "ended_by" in record]


@pytest.mark.parametrize(("behind", "last"), [(False, 13), (True, 14)])
def test_a_run_ends_with_the_step_in_which_its_minutes_are_over_or_as_soon_as_that_is_known(
    behind: bool, last: int, clock: list[float], dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Learner, "checks_first", property(lambda learner: not behind))
    run(dataset, tmp_path, "arch=dis", "max_minutes=12", "eval_interval=1")
    evaluations = records(tmp_path, "evaluation")
    assert ends(tmp_path) == [last]
    assert len(evaluations) > 1
    assert evaluations[-1]["ended_by"] == {"max_minutes": 12.0, "training_seconds": last * MINUTE}
    state = json.loads((tmp_path / f"checkpoints/step_{last}/state.json").read_text(encoding="utf-8"))
    assert state["training_seconds"] == last * MINUTE


def test_time_adds_up_over_restarts(clock: list[float], dataset: Path, tmp_path: Path) -> None:
    run(dataset, tmp_path / "one", "arch=dis", "max_minutes=6")
    run(dataset, tmp_path / "two", "arch=dis", "max_minutes=6", "max_steps=3")
    clock[0] += 86_400.0
    run(dataset, tmp_path / "two", "arch=dis", "max_minutes=6")
    assert ends(tmp_path / "one") == ends(tmp_path / "two") == [7]
    one, two = (tensors(tmp_path / name, 7) for name in ("one", "two"))
    assert [name for name in one if not torch.equal(one[name], two[name])] == []


def test_a_run_whose_time_is_up_is_finished_and_goes_on_with_more(
    clock: list[float], dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(dataset, tmp_path, "arch=dis", "max_minutes=2")
    before = records(tmp_path, "evaluation")
    run(dataset, tmp_path, "arch=dis", "max_minutes=2")
    assert [record["scores"] for record in records(tmp_path, "evaluation")] == [record["scores"] for record in before]
    assert capsys.readouterr().out.count("max_minutes=2: training ended at step 3 of") == 2
    run(dataset, tmp_path, "arch=dis", "max_minutes=3.5")
    assert ends(tmp_path) == [5]


def test_a_run_that_ended_otherwise_says_nothing_of_time(clock: list[float], dataset: Path, tmp_path: Path) -> None:
    run(dataset, tmp_path, "arch=dis", "max_minutes=60", "max_steps=2")
    assert ends(tmp_path) == []
    assert read_run(tmp_path).remarks == []


def test_the_time_left_of_a_run_that_its_minutes_end_is_theirs(
    clock: list[float],
    dataset: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(progress, "_LINE_SECONDS", 0.0)
    run(dataset, tmp_path, "arch=dis", "max_minutes=3", "log_interval=1", "epochs=10000000")
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("update ")]
    assert next(line for line in lines if line.startswith("update 2/")).endswith(", 1:00 left")


@pytest.mark.parametrize("minutes", ["2", "1"], ids=["both limits in one step", "a shorter time once all is done"])
def test_a_run_that_did_all_of_its_updates_says_nothing_of_time(
    minutes: str, clock: list[float], dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(dataset, tmp_path, "arch=dis", "max_minutes=2", "max_steps=3")
    run(dataset, tmp_path, "arch=dis", f"max_minutes={minutes}", "max_steps=3")
    assert ends(tmp_path) == []
    assert "max_minutes" not in capsys.readouterr().out


def test_a_reader_is_told_that_the_time_was_up(clock: list[float], dataset: Path, tmp_path: Path) -> None:
    run(dataset, tmp_path, "arch=dis", "max_minutes=2")
    assert read_run(tmp_path).remarks == ["the updates after step 3: max_minutes=2 ended the training there"]


def test_the_first_rank_s_clock_alone_counts(clock: list[float]) -> None:
    first, other, unlimited = TrainingTime(1, decides=True), TrainingTime(1, decides=False), TrainingTime(None, True)
    for training_time_of_rank in (first, other, unlimited):
        training_time_of_rank.resume({})
    clock[0] += 2 * MINUTE
    assert [first.due, other.due, unlimited.due] == [True, False, False]


def test_every_rank_learns_from_a_step_that_one_of_them_ends() -> None:
    trained = learner(dis())
    assert not trained.step(batch(8)).end
    result = trained.step(batch(8), end=True)
    assert (result.end, result.stop, result.save) == (True, False, False)

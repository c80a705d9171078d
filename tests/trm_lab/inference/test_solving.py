"""Answering a file of tasks: complete and valid whenever it ends, whatever the batches; test outputs are not seen."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.exportable import random_dis, write_run
from trm.batch import Batch
from trm.errors import UserError
from trm_lab.cluster.ranks import Ranks
from trm_lab.evaluation.rollout import SPENT, Rollout, roll_out
from trm_lab.evaluation.search import StopRule
from trm_lab.inference import answering, solving
from trm_lab.inference.answering import TaskAnswer, answer_task
from trm_lab.inference.solving import Solved, SolveSettings, solve, without_answer
from trm_lab.inference.task_puzzles import TaskPuzzles
from trm_lab.inference.test_time_training import Adapted, adapt
from trm_lab.inference.time_budget import TimeBudget
from trm_lab.inference.weight_training import WeightTraining
from trm_lab.runs.arc_outputs import FALLBACK_GRID, Submission
from trm_lab.runs.opened_checkpoint import OpenedCheckpoint, open_checkpoint

FALLBACK = {"attempt_1": FALLBACK_GRID, "attempt_2": FALLBACK_GRID}


def grid(seed: int, rows: int = 3, columns: int = 4) -> list[list[int]]:
    return np.random.default_rng(seed).integers(0, 10, (rows, columns)).tolist()


def task(seed: int, tests: int = 1) -> dict[str, Any]:
    train = [{"input": grid(seed), "output": grid(seed + 1, 2, 2)}, {"input": grid(seed + 2), "output": grid(seed + 3)}]
    return {"train": train, "test": [{"input": grid(seed + 10 + number)} for number in range(tests)]}


CHALLENGES = {"first": task(0), "second": task(100, tests=3), "third": task(200)}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> OpenedCheckpoint:
    return open_checkpoint(write_run(tmp_path_factory.mktemp("run") / "run", random_dis()))


class Clock:
    """Time that only the work takes: `an_example` seconds for each one answered, `an_adaptation`, and `an_update`."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, an_example: float, an_adaptation: float = 0.0, an_update: float = 0.0
    ) -> None:
        self.seconds = 0.0

        def roll(supervision: Any, batch: Batch, *more: Any) -> Rollout:
            self.seconds += an_example * len(batch.inputs)
            return roll_out(supervision, batch, *more)

        def fit(*words: Any, **settings: Any) -> Adapted:
            before, fitted = self.seconds, adapt(*words, **settings)
            self.seconds = before + an_adaptation  # whatever was answered for it
            return fitted

        def update(training: WeightTraining) -> None:
            self.seconds += an_update
            update_once(training)

        update_once = WeightTraining.step
        monkeypatch.setattr(WeightTraining, "step", update)
        monkeypatch.setattr(answering, "roll_out", roll)
        monkeypatch.setattr(solving, "adapt", fit)

    def __call__(self) -> float:
        return self.seconds


def answers(
    checkpoint: OpenedCheckpoint,
    challenges: dict[str, Any],
    now: Callable[[], float] = lambda: 0.0,
    started: float | None = None,
    **settings: Any,
) -> tuple[Solved, list[Submission]]:
    saved: list[Submission] = []
    usual: dict[str, Any] = {"augmentations": 5, "batch_size": 4}
    chosen = SolveSettings(**{**usual, **settings})

    def save(submission: Submission) -> None:
        saved.append(dict(submission))

    return solve(challenges, checkpoint, chosen, Ranks(), save, now, started), saved


def check_form(submission: Submission, challenges: dict[str, Any]) -> None:
    assert list(submission) == list(challenges)
    for name, entry in challenges.items():
        assert len(submission[name]) == len(entry["test"])
        for attempts in submission[name]:
            assert sorted(attempts) == ["attempt_1", "attempt_2"]
            for rows in attempts.values():
                assert rows
                assert {len(row) for row in rows} == {len(rows[0])}
                assert all(type(cell) is int and 0 <= cell <= 9 for row in rows for cell in row)


def test_every_test_input_has_two_attempts_at_every_moment(checkpoint: OpenedCheckpoint) -> None:
    solved, saved = answers(checkpoint, CHALLENGES)
    for submission in saved:
        check_form(submission, CHALLENGES)
    assert all(attempts == FALLBACK for outputs in saved[0].values() for attempts in outputs)
    assert solved.submission == saved[-1]
    assert (solved.answered, solved.predictions, solved.adapted) == (3, 5 * 6, 0)
    assert len(saved) == 1 + 3  # rounds of 1, 2 and the last 3 of 6 puzzles


def test_neither_the_batch_size_nor_what_a_file_says_of_test_outputs_changes_an_answer(
    checkpoint: OpenedCheckpoint,
) -> None:
    told = {
        name: {**entry, "test": [{**pair, "output": grid(7, 2, 3)} for pair in entry["test"]]}
        for name, entry in CHALLENGES.items()
    }
    few: dict[str, Any] = {"adapt": 1, "augmentations": 1}
    expected, _ = answers(checkpoint, CHALLENGES, **few)
    assert answers(checkpoint, told, **few)[0] == expected
    plain, other = (answers(checkpoint, CHALLENGES, augmentations=1, batch_size=size)[0] for size in (4, 100))
    assert other == plain


@pytest.mark.parametrize(("seconds", "batch_size"), [(0.0, 1), (3.0, 1), (10.0, 100)])
def test_nothing_starts_that_the_measured_pace_cannot_finish(
    checkpoint: OpenedCheckpoint, monkeypatch: pytest.MonkeyPatch, seconds: float, batch_size: int
) -> None:
    clock = Clock(monkeypatch, an_example=1.0)
    solved, saved = answers(
        checkpoint, CHALLENGES, clock, minutes=seconds / 60, batch_size=batch_size, augmentations=11
    )
    for submission in saved:
        check_form(submission, CHALLENGES)
    assert solved.submission == saved[-1]
    assert clock.seconds <= max(1.0, seconds)  # the first example has no measured pace
    assert clock.seconds == solved.predictions > 0.7 * seconds - 2 or seconds < 1
    assert solved.answered == 3 or solved.predictions < 5  # no task has a second vote before all have one
    fallback = [name for name, outputs in solved.submission.items() if outputs == [FALLBACK] * len(outputs)]
    assert len(fallback) >= 3 - solved.answered


def test_time_that_stopping_saves_goes_into_more_augmentations(
    checkpoint: OpenedCheckpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = [0.0]

    def timed(*words: Any) -> Rollout:
        rollout = roll(*words)
        spent = rollout.probes.get(SPENT, torch.full((len(rollout.loss),), rollout.network_calls[-1]))
        seconds[0] += float(spent.sum())
        return rollout

    roll = answering._roll_out
    monkeypatch.setattr(answering, "_roll_out", timed)
    predictions = {}
    for rule in ("confidence:0.999", "confidence:1e-9"):
        seconds[0] = 0.0
        few: dict[str, Any] = {"minutes": 120 / 60, "augmentations": 11, "stop": StopRule.parse(rule)}
        predictions[rule] = answers(checkpoint, CHALLENGES, lambda: seconds[0], **few)[0].predictions
    assert predictions["confidence:1e-9"] > 1.5 * predictions["confidence:0.999"] > 0


def test_the_first_example_starts_only_while_half_of_the_time_is_left(
    checkpoint: OpenedCheckpoint, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for gone, predictions in ((5.01, 0), (5.0, 4)):
        clock = Clock(monkeypatch, an_example=1.0)
        solved, saved = answers(checkpoint, CHALLENGES, clock, started=-gone, minutes=10 / 60)
        assert solved.predictions == predictions
        check_form(saved[-1], CHALLENGES)
    assert "more than half of the time is over" in capsys.readouterr().err


def test_a_batch_is_expected_to_take_no_longer_than_larger_and_smaller_ones_tell() -> None:
    moments = iter([0.0, 0.0, 9.0, 10.0, 11.5, 13.0, 13.0, 16.5])
    budget = TimeBudget(0.0, 20.0, lambda: next(moments))
    assert [budget.begin_batch(8) for _ in range(4)] == [1, 1, 2, 4]  # 9 s of them a warm-up
    budget.pause()
    assert [budget.seconds_of_batch(size) for size in (1, 2, 3, 4, 8)] == [1.0, 1.5, 1.5, 1.5, 3.0]
    assert [budget.begin_batch(8) for _ in range(2)] == [8, 4]  # 7 s are left, then 3.5


@pytest.mark.parametrize(("seconds", "expected"), [(26.0, 0), (32.0, 1)])
def test_no_adaptation_starts_that_could_not_end_and_the_answers_without_it_stay(
    checkpoint: OpenedCheckpoint, monkeypatch: pytest.MonkeyPatch, seconds: float, expected: int
) -> None:
    """Before the first one the pace of answering tells: 2 updates of 2 demonstrations, two fits, the tests."""
    few: dict[str, Any] = {"augmentations": 0, "batch_size": 100}
    without, _ = answers(checkpoint, CHALLENGES, **few)
    clock = Clock(monkeypatch, an_example=1.0, an_adaptation=15.0)
    solved, _ = answers(checkpoint, CHALLENGES, clock, minutes=seconds / 60, adapt=6, **few)
    assert clock.seconds <= seconds
    assert solved.adapted == expected
    changed = sum(solved.submission[name] != without.submission[name] for name in CHALLENGES)
    assert changed <= expected


ALL: dict[str, Any] = {"adapt": 8, "adapt_weights": "all"}


def test_all_weights_learn_together_and_all_tasks_are_answered_again(checkpoint: OpenedCheckpoint) -> None:
    before = {name: tensor.clone() for name, tensor in checkpoint.weights.items()}
    plain, _ = answers(checkpoint, CHALLENGES)
    solved, saved = answers(checkpoint, CHALLENGES, **ALL)
    assert (solved.answered, solved.predictions, solved.adapted, solved.updates) == (3, 2 * 5 * 6, 3, 8)
    assert len(saved) == 1 + 2 * 3  # the fallback, and rounds of 1, 2 and 3 puzzles with either model
    assert saved[3] == plain.submission
    assert solved.submission == saved[-1] != plain.submission
    for submission in saved:
        check_form(submission, CHALLENGES)
    assert all(tensor.equal(before[name]) for name, tensor in checkpoint.weights.items())
    assert answers(checkpoint, CHALLENGES, **ALL)[0] == solved


def test_both_models_vote_on_a_task_that_was_trained_on_and_the_adapted_one_alone_on_another(tmp_path: Path) -> None:
    names = ["<blank>", "first", *(f"other_{number}" for number in range(7))]
    opened = open_checkpoint(write_run(tmp_path / "run", random_dis(), row_names=names))
    adapted: dict[str, TaskAnswer] = {}

    def keep(training: WeightTraining, puzzles: Sequence[TaskPuzzles]) -> None:
        for of_task in puzzles:
            answer = answer_task(training.supervision, of_task, canvas=4, batch_size=4)
            adapted[of_task.task.name] = answer

    settings = SolveSettings(augmentations=5, batch_size=4, **ALL)
    plain = solve(CHALLENGES, opened, replace(settings, adapt=0), Ranks(), lambda _: None, lambda: 0.0).submission
    both = solve(CHALLENGES, opened, settings, Ranks(), lambda _: None, lambda: 0.0, keep=keep).submission
    for name in ("second", "third"):
        assert both[name] == adapted[name].submission() != plain[name]
    votes = [plain["first"][0]["attempt_1"], adapted["first"].submission()[0]["attempt_1"]]
    assert adapted["first"].puzzles.embedding == "fitted"
    assert sorted(both["first"][0].values()) == sorted(votes)  # one vote of each model, as it has no augmentations


@pytest.mark.parametrize("seconds", [70.0, 200.0, 500.0])
def test_as_many_updates_of_all_weights_are_made_as_leave_time_to_answer_again(
    checkpoint: OpenedCheckpoint, monkeypatch: pytest.MonkeyPatch, seconds: float, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock(monkeypatch, an_example=1.0, an_update=2.0)
    solved, saved = answers(checkpoint, CHALLENGES, clock, minutes=seconds / 60, adapt=60, adapt_weights="all")
    assert clock.seconds <= seconds
    check_form(saved[-1], CHALLENGES)
    assert (solved.updates == 60) == (seconds == 500.0)
    assert solved.updates > seconds / 10
    first = {70.0: 5 + 10, 200.0: 30, 500.0: 30}[seconds]  # no round begins after an eighth of the time
    assert solved.predictions >= first + 5  # each test input at least once more
    assert f"{solved.updates} of 60 updates" in capsys.readouterr().out


def test_the_answers_without_adaptation_stay_where_training_has_no_time_or_fails(
    checkpoint: OpenedCheckpoint, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, _ = answers(checkpoint, CHALLENGES)
    failed, _ = answers(checkpoint, CHALLENGES, **ALL, adapt_lr=1e30)
    assert failed == plain
    assert "is not finite\n  the answers without adaptation are submitted" in capsys.readouterr().err
    clock = Clock(monkeypatch, an_example=1.0, an_update=500.0)
    late, _ = answers(checkpoint, CHALLENGES, clock, minutes=1.2, **ALL)
    assert (late.updates, late.adapted) == (0, 0)
    assert "no time is left to adapt all weights" in capsys.readouterr().err


def test_tasks_that_cannot_be_answered_or_adapted_to_are_named_and_have_the_fallback(
    checkpoint: OpenedCheckpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    challenges = {
        "large": {"train": [], "test": [{"input": grid(1, 5, 2)}, {"input": grid(1)}]},
        "without demonstrations": {"test": CHALLENGES["first"]["test"]},
        "broken": {"train": [], "test": [{"input": [[1, 2], [3]]}]},
        "empty": {"train": [], "test": []},
    }
    solved, _ = answers(checkpoint, challenges, adapt=1)
    assert list(solved.submission) == list(challenges)
    assert solved.submission["large"] == [FALLBACK, FALLBACK]
    assert solved.submission["broken"] == [FALLBACK]
    assert solved.submission["empty"] == []
    assert (solved.answered, solved.adapted) == (1, 0)
    said = capsys.readouterr().err
    assert said.count("is submitted for it") == 3
    assert "its answer without adaptation is submitted" in said
    assert "task large" in said


def test_what_are_no_tasks_is_refused() -> None:
    for entry in (None, [], {"train": []}, {"test": {}}):
        with pytest.raises(UserError, match="has no list of test inputs"):
            without_answer({"a": entry})

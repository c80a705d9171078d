"""Answering a file of tasks: complete and valid whenever it ends, whatever the batches; test outputs are not seen."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.exportable import SUPERVISIONS, random_dis, write_run
from tests.models import act
from trm.distributed import Ranks
from trm.errors import UserError
from trm.evaluation.arc_outputs import FALLBACK_GRID, Submission
from trm.publishing.solving import Pace, Solved, SolveSettings, solve, without_answer
from trm.scoring.opened import OpenedCheckpoint, open_checkpoint

FALLBACK = {"attempt_1": FALLBACK_GRID, "attempt_2": FALLBACK_GRID}


def grid(seed: int, rows: int = 3, columns: int = 4) -> list[list[int]]:
    return np.random.default_rng(seed).integers(0, 10, (rows, columns)).tolist()


def task(seed: int, tests: int = 1) -> dict[str, Any]:
    train = [
        {"input": grid(seed), "output": grid(seed + 1, 2, 2)},
        {"input": grid(seed + 2), "output": grid(seed + 3)},
    ]
    return {"train": train, "test": [{"input": grid(seed + 10 + number)} for number in range(tests)]}


CHALLENGES = {"first": task(0), "second": task(100, tests=3), "third": task(200)}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> OpenedCheckpoint:
    return open_checkpoint(write_run(tmp_path_factory.mktemp("run") / "run", random_dis()), SUPERVISIONS)


class Clock:
    """Every look at it takes a second."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        self.seconds += 1.0
        return self.seconds


def answers(
    checkpoint: OpenedCheckpoint,
    challenges: dict[str, Any],
    now: Callable[[], float] = lambda: 0.0,
    **settings: Any,
) -> tuple[Solved, list[Submission]]:
    saved: list[Submission] = []
    usual: dict[str, Any] = {"augmentations": 5, "batch_size": 4}
    solved = solve(
        challenges,
        checkpoint,
        SUPERVISIONS,
        SolveSettings(**{**usual, **settings}),
        Ranks(),
        lambda submission: saved.append(dict(submission)),
        now,
    )
    return solved, saved


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


@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_the_batch_size_changes_no_answer(checkpoint: OpenedCheckpoint, batch_size: int) -> None:
    expected, _ = answers(checkpoint, CHALLENGES)
    assert answers(checkpoint, CHALLENGES, batch_size=batch_size)[0] == expected


def test_what_a_file_says_of_test_outputs_changes_no_answer(checkpoint: OpenedCheckpoint) -> None:
    told = {
        name: {**entry, "test": [{**pair, "output": grid(7, 2, 3)} for pair in entry["test"]]}
        for name, entry in CHALLENGES.items()
    }
    few = {"adapt": 1, "augmentations": 1}
    assert answers(checkpoint, told, **few)[0] == answers(checkpoint, CHALLENGES, **few)[0]


@pytest.mark.parametrize("minutes", [0.0, 0.1, 0.2, 0.3, 0.5, 1.0])
def test_when_the_time_is_up_what_there_is_is_submitted(checkpoint: OpenedCheckpoint, minutes: float) -> None:
    clock = Clock()
    solved, saved = answers(checkpoint, CHALLENGES, clock, minutes=minutes, batch_size=1, augmentations=50)
    check_form(solved.submission, CHALLENGES)
    assert clock.seconds <= 60 * minutes + 3
    assert solved.submission == saved[-1]
    assert (solved.predictions == 0) == (minutes < 0.1)
    assert solved.predictions <= 60 * minutes
    fallback = [name for name, outputs in solved.submission.items() if outputs == [FALLBACK] * len(outputs)]
    if minutes >= 0.3:
        assert solved.answered == 3
    assert len(fallback) >= 3 - solved.answered


def test_every_task_is_asked_before_any_is_asked_twice(checkpoint: OpenedCheckpoint) -> None:
    solved, _ = answers(checkpoint, CHALLENGES, Clock(), minutes=10 / 60, batch_size=1, augmentations=50)
    assert solved.predictions < 3 * 5
    assert solved.answered == 3


def test_a_pace_allows_what_fits_as_long_as_the_longest_so_far() -> None:
    moments = iter([0.0, 0.0, 3.0, 4.0, 6.0, 7.5])
    pace = Pace(10.0, lambda: next(moments))
    assert [pace.allows_another() for _ in range(5)] == [True, True, True, True, False]


@pytest.mark.parametrize("name", ["act", "dis"])
def test_both_methods_answer_and_adapt(name: str, tmp_path: Path) -> None:
    made = random_dis() if name == "dis" else act()
    opened = open_checkpoint(write_run(tmp_path / "run", made, name), SUPERVISIONS)
    solved, saved = answers(opened, CHALLENGES, augmentations=1, adapt=1)
    check_form(solved.submission, CHALLENGES)
    assert solved.adapted == 3
    assert len(saved) == 1 + 2 + 3


def test_adaptation_ends_in_time_and_leaves_the_answers_without_it(checkpoint: OpenedCheckpoint) -> None:
    without, _ = answers(checkpoint, CHALLENGES, augmentations=0, batch_size=100)
    solved, _ = answers(
        checkpoint, CHALLENGES, Clock(), minutes=8 / 60, augmentations=0, batch_size=100, adapt=2
    )
    assert 0 < solved.adapted < 3
    late = list(CHALLENGES)[solved.adapted :]
    assert [solved.submission[name] for name in late] == [without.submission[name] for name in late]


def test_tasks_that_cannot_be_answered_are_named_and_have_the_fallback(
    checkpoint: OpenedCheckpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    large = {"train": [], "test": [{"input": grid(1, 5, 2)}, {"input": grid(1)}]}
    broken = {"train": [], "test": [{"input": [[1, 2], [3]]}]}
    challenges = {
        "large": large,
        "ok": CHALLENGES["first"],
        "broken": broken,
        "empty": {"train": [], "test": []},
    }
    solved, _ = answers(checkpoint, challenges)
    assert list(solved.submission) == list(challenges)
    assert solved.submission["large"] == [FALLBACK, FALLBACK]
    assert solved.submission["broken"] == [FALLBACK]
    assert solved.submission["empty"] == []
    assert solved.answered == 1
    said = capsys.readouterr().err
    assert "task large" in said
    assert "task broken" in said
    assert "is submitted for it" in said


def test_without_demonstrations_a_task_is_answered_but_not_adapted_to(
    checkpoint: OpenedCheckpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    solved, _ = answers(checkpoint, {"bare": {"test": CHALLENGES["first"]["test"]}}, adapt=2)
    assert (solved.answered, solved.adapted) == (1, 0)
    assert "its answer without adaptation is submitted" in capsys.readouterr().err


@pytest.mark.parametrize("entry", [None, [], {"train": []}, {"test": {}}])
def test_what_are_no_tasks_is_refused(entry: Any) -> None:
    with pytest.raises(UserError, match="has no list of test inputs"):
        without_answer({"a": entry})

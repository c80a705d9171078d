"""Each way to adapt is measured on the same unseen tasks, and the table says what each brought and cost."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.adaptation import Way, as_text, measure, share_right, unseen_tasks
from tests.exportable import random_dis, write_run
from trm.errors import UserError

CANVAS = 4  # of the run
PAIR = {"input": [[1, 2]], "output": [[3]]}


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    challenges = {name: {"train": [PAIR], "test": [{"input": [[4, 5]]}]} for name in ("known", "small", "large")}
    challenges["large"]["test"] = [{"input": [[0] * (CANVAS + 1)]}]
    file = tmp_path / "arc_challenges.json"
    file.write_text(json.dumps(challenges))
    (tmp_path / "arc_solutions.json").write_text(json.dumps({name: [[[6]]] for name in challenges}))
    return file


def test_tasks_that_were_trained_on_or_do_not_fit_are_left_out(tasks: Path) -> None:
    assert [task.name for task in unseen_tasks([tasks, tasks], CANVAS, {"known"})] == ["small"]
    with pytest.raises(UserError, match="no unseen task"):
        unseen_tasks([tasks], CANVAS, {"known", "small"})


def test_every_way_answers_the_same_tasks(tasks: Path, tmp_path: Path) -> None:
    run = str(write_run(tmp_path / "run", random_dis()))
    ways = [Way("none", 0), Way("embedding", 2), Way("all", 2)]
    rows = [measure(way, 0, run, [tasks], 1, "cpu") for way in ways]
    assert [(row["tasks"], row["outputs"]) for row in rows] == [(2, 2)] * 3
    assert all(0 <= row["cells"] <= 1 and row["mebibytes"] >= 0 for row in rows)
    text = as_text([(way, 0) for way in ways], rows)
    for expected in ("2 unseen tasks, 2 test outputs", "not adapted", "embedding, 2 steps", "all, 2 steps"):
        assert expected in text


def test_cells_of_a_grid_of_another_shape_are_all_wrong() -> None:
    answer = np.array([[1, 2], [3, 4]])
    assert share_right(np.array([[1, 0], [3, 0]]), answer) == 0.5
    assert share_right(np.array([[1, 2]]), answer) == 0.0

"""Scores by category: each example counts in its own, in training and by evaluate.py, which prints a table."""

import json
import re
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.runs import train_here
from trm.errors import UserError
from trm_lab.evaluation.request import ScoringRequest
from trm_lab.evaluation.score import score
from trm_lab.evaluation.scores_table import categories_table
from trm_lab.evaluation.task_scores import CategoryTally
from trm_lab.puzzles.manifest import MANIFEST_FILE, CategoryNames, read_about, write_manifest
from trm_lab.puzzles.sudoku import builder_4x4
from trm_lab.runs.answers import Answers
from trm_lab.runs.recorded_evaluations import Evaluation


def answers(labels: list[list[int]], predictions: list[list[int]], first: int) -> Answers:
    rows = len(labels)
    return Answers(
        set_name="all",
        first=first,
        inputs=np.zeros((rows, 2), np.uint8),
        labels=np.array(labels, np.int16),
        puzzle_identifiers=np.zeros(rows, np.int32),
        predictions=np.array(predictions, np.uint8)[:, None],
        q_halt_logits=np.zeros((rows, 1), np.float32),
        confidence=np.zeros((rows, 1)),
        loss=np.zeros(rows),
        network_calls=[3],
    )


def test_each_example_counts_in_its_category_whatever_the_parts() -> None:
    names = CategoryNames("givens", ["17", "18", "19"])
    labels = [[1, 2], [1, 2], [-100, -100], [1, -100], [3, 4]]
    predictions = [[1, 2], [1, 9], [0, 0], [1, 7], [0, 0]]
    solved = np.array([True, True, False, True, False])
    for cuts in ([0, 5], [0, 2, 3, 5]):
        tally = CategoryTally(names, np.array([0, 2, 0, 2, 2]))
        for start, end in pairwise(cuts):
            part = answers(labels[start:end], predictions[start:end], start)
            tally.add(part, part.scored, solved[start:end])
        result = tally.result()
        assert (result.by, result.names) == ("givens", ["17", "19"]), "no example with a label has 18"
        assert (result.examples, result.exact, result.solved) == ([1, 3], [1, 1], [1, 2])
        assert result.cell_accuracy == [1.0, (0.5 + 1 + 0) / 3]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    builder_4x4.main(["--train-size", "40", "--test-size", "30", "--output-dir", str(folder / "data")])
    words = (
        "global_batch_size=8",
        "epochs=4",
        "eval_interval=4",
        "max_steps=2",
        "arch.halt_max_steps=2",
        "evaluators=[]",
    )
    place = (f"data_paths=[{folder / 'data'}]", f"checkpoint_path={folder / 'run'}")
    train_here("train_arc_tiny_corrupt.py", "arch=dis", *words, *place)
    return folder / "run"


def test_training_records_scores_by_category_that_add_up(run: Path) -> None:
    scores = json.loads((run / "evaluations/step_2/scores.json").read_text())
    categories = scores["tasks"][0]["categories"]
    assert categories["by"] == "givens"
    assert sum(categories["examples"]) == scores["examples"] == 30
    cells = np.dot(categories["cell_accuracy"], categories["examples"]) / 30
    assert cells == pytest.approx(scores["per_step"]["cell_accuracy"][-1])
    assert sum(categories["solved"]) == scores["tasks"][0]["verdicts"]["solved"]
    (task,) = Evaluation.from_record(scores, "scores.json").tasks
    assert task.categories is not None
    assert task.categories.names == categories["names"]
    damaged = scores | {"tasks": [scores["tasks"][0] | {"categories": categories | {"exact": [1]}}]}
    with pytest.raises(UserError, match="other numbers of categories"):
        Evaluation.from_record(damaged, "scores.json")


def test_evaluate_py_prints_a_table_or_says_why_there_is_none(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    request = ScoringRequest(str(run), output=tmp_path / "scored", device="cpu", by_category=True)
    score(request)
    table = categories_table(json.loads((tmp_path / "scored/scores.json").read_text()))
    printed = capsys.readouterr().out
    assert table in printed
    assert re.search(r"^data: .*, \d+ examples$", printed, re.MULTILINE)
    assert "sudoku-4x4 by givens" in table
    older = tmp_path / "older"
    shutil.copytree(run.parent / "data", older, ignore=shutil.ignore_patterns("*categories.npy", MANIFEST_FILE))
    about = read_about(run.parent / "data")
    assert about is not None
    write_manifest(older, about)
    without = ScoringRequest(
        str(run), data_paths=[str(older)], output=tmp_path / "none", device="cpu", by_category=True
    )
    with pytest.raises(UserError, match="does not say what its examples' categories are") as error:
        score(without)
    assert "fingerprint stay the same" in error.value.remedy
    assert not (tmp_path / "none").exists()

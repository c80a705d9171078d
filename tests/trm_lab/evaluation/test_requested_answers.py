"""What is asked is held against the tasks before anything is answered, where no manifest vouches for a dataset."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.models import act
from tests.trm_lab.puzzles.arc.small_arc import build
from trm.errors import UserError
from trm_lab.cluster.ranks import Ranks
from trm_lab.evaluation.arc_questions import check_test_inputs
from trm_lab.evaluation.evaluator import Evaluator
from trm_lab.puzzles.loading import EvaluationData
from trm_lab.puzzles.manifest import MANIFEST_FILE

Change = Callable[[Path], object]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, _ = build(tmp_path_factory.mktemp("asked"))
    (folder / MANIFEST_FILE).unlink()  # as the published builders leave it
    return folder


def names(old: str, new: str) -> Change:
    def change(folder: Path) -> None:
        file = folder / "identifiers.json"
        file.write_text(file.read_text().replace(old, new))

    return change


def other_input(folder: Path) -> None:
    file = folder / "test_puzzles.json"
    tasks = json.loads(file.read_text())
    tasks["mixed"]["test"][0]["input"] = [[1, 2]]
    file.write_text(json.dumps(tasks))


def blank(folder: Path) -> None:
    file = folder / "test" / "all__puzzle_identifiers.npy"
    identifiers = np.load(file)
    identifiers[-1] = 0
    np.save(file, identifiers)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (names("mixed|||t", "mixed|||q"), "is no augmentation"),
        (names("mixed", "m" * 5000), "is none of the task's 0 test inputs"),
        (other_input, "an example of task 'mixed' has a .* none of the task's 2 test inputs"),
        (blank, "test examples of the blank identifier"),
    ],
)
def test_an_example_that_is_no_question_of_its_task_is_refused_before_training(
    change: Change, problem: str, dataset: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(dataset, copy)
    data = EvaluationData([copy], global_batch_size=8)
    check_test_inputs(data)
    change(copy)
    data = EvaluationData([copy], global_batch_size=8)
    with pytest.raises(UserError, match=problem):
        Evaluator(act(), data, Ranks(), arc=True)

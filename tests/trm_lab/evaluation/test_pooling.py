"""Several checkpoints voting together: only when asked, under a name of its own, and only what belongs together."""

import json
from pathlib import Path

import pytest

from tests.trm_lab.inference.checkpoints_of import write_run
from trm.errors import UserError
from trm_lab.evaluation.arc_questions import questions_of
from trm_lab.evaluation.comparison import compare_folders
from trm_lab.evaluation.pooling import pool
from trm_lab.evaluation.request import ScoringRequest
from trm_lab.evaluation.score import score
from trm_lab.evaluation.voting import ArcVoting
from trm_lab.puzzles.loading import EvaluationData
from trm_lab.puzzles.selection import Selection
from trm_lab.runs.arc_outputs import read_outputs
from trm_lab.runs.rollout_store import RolloutStore


@pytest.fixture(scope="module")
def folders(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Evaluations of two seeds of DIS, of part of the tasks, and of TRM."""
    root = tmp_path_factory.mktemp("evaluations")
    made = {}
    for name, method, seed, selection in (
        ("a", "dis", 0, Selection()),
        ("b", "dis", 1, Selection()),
        ("part", "dis", 0, Selection(first_tasks=3)),
        ("trm", "act", 0, Selection()),
    ):
        run = write_run(root / "runs" / name, dataset, method, seed)
        made[name] = root / name
        request = ScoringRequest(str(run), output=made[name], selection=selection, device="cpu")
        score(request)
    return made


def test_pooled_votes_are_those_of_all_answers_in_any_order(
    folders: dict[str, Path], dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pool([folders["a"], folders["b"]], [], "count_confidence", tmp_path / "ab")
    pool([folders["b"], folders["a"]], [], "count_confidence", tmp_path / "ba")
    data = EvaluationData([dataset], global_batch_size=1)
    voting = ArcVoting(questions_of(data), confidence_kind="token_log_probability")
    for name in "ab":
        for made in RolloutStore.open(folders[name]).answers():
            last = made.confidence[:, -1]
            voting.add(made.puzzle_identifiers, made.inputs, made.predictions[:, -1], last)
    together = json.loads((tmp_path / "ab/pooled.json").read_text())
    assert together["scores"] == voting.result().scores
    assert read_outputs(tmp_path / "ab/outputs.jsonl") == voting.result().outputs
    assert read_outputs(tmp_path / "ab/outputs.jsonl") == read_outputs(tmp_path / "ba/outputs.jsonl")
    assert "pooled ARC/pass@2" in capsys.readouterr().out
    votes = [output.votes for output in read_outputs(folders["a"] / "outputs.jsonl")]
    assert [output.votes for output in voting.result().outputs] == [2 * count for count in votes]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a"], "two or more different"),
        (["a", "a"], "two or more different"),
        (["a", "part"], "different questions"),
        (["a", "trm"], "TRM with TRM"),
        (["a", "missing"], "no predictions.json"),
    ],
)
def test_what_does_not_belong_together_is_refused(
    folders: dict[str, Path], tmp_path: Path, names: list[str], message: str
) -> None:
    chosen = [folders.get(name, tmp_path / name) for name in names]
    with pytest.raises(UserError, match=message):
        pool(chosen, [], "count_confidence", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_two_evaluations_are_compared_task_by_task(
    folders: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    compare_folders(folders["a"], folders["trm"])
    said = capsys.readouterr().out
    assert "paired bootstrap" in said
    assert "exact sign test" in said
    assert "not of other seeds" in said
    with pytest.raises(UserError, match="only"):
        compare_folders(folders["a"], folders["part"])
    compare_folders(folders["a"], folders["part"], common=True)
    assert "3 tasks" in capsys.readouterr().out

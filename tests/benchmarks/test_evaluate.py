"""Evaluations are timed part by part, and nothing of the library stays wrapped."""

import json
from pathlib import Path

import pytest

from benchmarks import evaluate, results_table
from trm_lab.evaluation import predictor
from trm_lab.evaluation.arc_scores import ArcTally


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluation")
    before = (predictor.roll_out, ArcTally.add)
    words = "--models dis-tiny trm-tiny --max-grid-size 3 --num-aug 1 --repeats 2 --dtype float32 --device cpu"
    evaluate.main([*words.split(), "--batch", "64", "--output-dir", str(folder)])
    assert (predictor.roll_out, ArcTally.add) == before
    return folder


@pytest.mark.long
def test_the_parts_make_up_the_whole(measured: Path) -> None:
    report = json.loads((measured / "evaluate.json").read_text())
    assert [one["name"].split("-b")[0] for one in report["results"]] == ["dis-tiny", "trm-tiny"]
    for one in report["results"]:
        assert list(one["shares"]) == ["reading", "network", "transfer", "waiting", "voting", "rest"]
        assert sum(one["shares"].values()) == pytest.approx(1, abs=0.1)  # medians of two turns
        assert all(seconds > 0 for turn in one["turns"] for seconds in turn.values())
        speed = one["answers_per_second"]
        assert speed["high"] == pytest.approx(one["examples"] / min(sum(turn.values()) for turn in one["turns"]))


@pytest.mark.long
def test_the_table_and_figure_are_written(measured: Path) -> None:
    report = results_table.read(measured / "evaluate.json")
    assert (measured / "evaluate.txt").read_text() == results_table.as_text(report) + "\n"
    assert (measured / "evaluate.png").read_bytes().startswith(b"\x89PNG")
    assert (measured / "evaluate.pdf").read_bytes().startswith(b"%PDF")
    assert results_table.as_markdown(report).count("\n| dis-tiny") == 1


def test_a_part_within_a_part_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(evaluate.time, "perf_counter", lambda: now[0])
    clock = evaluate.Clock()
    with clock.part("network"):
        now[0] += 2
        with clock.part("voting"):
            now[0] += 5
        now[0] += 1
    assert clock.seconds == {"reading": 0, "network": 3, "transfer": 0, "waiting": 0, "voting": 5}

"""The summary of a run, as a command."""

import re
from pathlib import Path

import pytest

from analysis import summary
from tests.analysis.synthetic_run import write_run
from trm_lab.runs.recorded_run import read_run

pytestmark = pytest.mark.usefixtures("unrendered")


def test_the_summary_prints_the_scores_beside_copying_and_writes_both_figures(
    run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary.main([str(run_folder)])
    text = capsys.readouterr().out
    for line in (
        r"method +DIS",
        r"seed +0",
        r"training +12,000 updates in 12 min 00 s on NVIDIA H100, 533 examples a second",
        r"an answer takes +18 network calls, 3 in a supervision step",
        r"ARC/pass@1 +26\.7 % +\[\d+\.\d, \d+\.\d\] % +0\.0 %",
        r"outputs right, 1 attempt +26\.7 % \(12 of 45\) +\[16\.0, 41\.0\] % +0",
        r"outputs right, 2 attempts +33\.3 % \(15 of 45\)",
        r"cell accuracy +87\.4 % +– +71\.2 %",
        r"Votes ranked by count, then mean token log-probability",
        r"6 +18 +87\.4 % +30\.0 %",
    ):
        assert re.search(line, text), f"{line}\nnot in\n{text}"
    written = [Path(line) for line in text.splitlines() if line.startswith("/")]
    assert {path.name for path in written} == {
        f"{name}.{suffix}" for name in ("learning_curves", "arc_strips") for suffix in ("png", "pdf")
    }
    assert all(path.parent == run_folder / "figures" and path.is_file() for path in written)


def test_the_summary_names_the_dataset_and_gives_its_scorer_s_verdicts_beside_the_ceiling(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_run(tmp_path / "queens", steps=2, arc=False, training_steps=400, puzzles=["queens"])
    summary.main([str(folder)])
    text = capsys.readouterr().out
    for line in (
        r"\n  dataset +small-queens, version 1, protocol clean\n",
        r"copy the input +best possible\n +solved +50\.0 % \(20 of 40\) +\[35\.2, 64\.8\] % +– +–\n"
        r" +well formed +100\.0 % \(40 of 40\) +\[91\.2, 100\.0\] % +– +–\n",
        r"exact match +30\.0 % \(\d+ of 1,376\) +\[\S+ \S+\] % +0\.0 % +50\.0 %\n",
        r"exact match +solved .*\n +1 +3 +\S+ % +\S+ % +25\.0 % .*\n +2 +6 +\S+ % +30\.0 % +50\.0 % ",
        r"Best possible: ",
    ):
        assert re.search(line, text), f"{line}\nnot in\n{text}"
    assert not re.search("pass@|Votes", text)
    assert {path.stem for path in (folder / "figures").iterdir()} == {"learning_curves", "puzzle_strips"}


def test_scores_of_weights_that_are_mostly_the_first_ones_say_so(tmp_path: Path) -> None:
    for rate, expected in ((0.999, True), (0.99, False)):
        changes = {"ema": True, "ema_rate": rate}
        run = read_run(write_run(tmp_path / str(rate), steps=2, arc=False, training_steps=400, changes=changes))
        assert ("averaged weights (ema), 67 % of which is still where training" in summary.summary(run)) == expected


def test_of_many_supervision_steps_the_summary_shows_a_dozen_and_the_best(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run", steps=40, arc=False, training_steps=400))
    rows = re.findall(r"^ +\d+ +\d+ +\S+ % .*$", summary.summary(run), re.MULTILINE)
    assert 10 <= len(rows) <= 14
    assert "best of the 40 steps, on these questions: exact match" in summary.summary(run)


def test_what_could_not_be_read_is_named_beside_the_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_run(tmp_path / "run", arc=False, training_steps=400)
    with (folder / "metrics.jsonl").open("a") as stream:
        stream.write('{"kind": "tr')
    summary.main([str(folder)])
    assert "\nleft out: the last line of metrics.jsonl is not whole yet and was left out\n" in capsys.readouterr().out

"""Runs side by side, as a command."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from analysis import compare
from analysis.reading.run_directory import read_run
from tests.analysis.synthetic_run import write_run
from trm.errors import UserError

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("module", ["analysis.summary", "analysis.compare"])
def test_a_missing_run_ends_with_exit_2_and_three_parts_and_no_traceback(module: str) -> None:
    arguments = [sys.executable, "-m", module, "no/such/run", "nor/this"][
        : 4 + (module == "analysis.compare")
    ]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    given, allowed, remedy = done.stderr.strip().splitlines()
    assert "no/such/run" in given
    assert allowed.startswith("  allowed: ")
    assert remedy.startswith("  to do: ")


def test_a_comparison_lays_two_methods_side_by_side(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write_run(tmp_path / "trm", supervision="act", steps=16, calls_per_step=21, training_steps=2000)
    compare.main([str(run_folder), str(other), "--figures-dir", str(tmp_path / "figures")])
    text = capsys.readouterr().out
    assert re.search(r"method +DIS +TRM\n", text)
    assert re.search(r"network calls per answer +18 +336\n", text)
    assert re.search(r"outputs right, 2 attempts +15 of 45, 33\.3 % \[21\.4, 47\.9\] %", text)
    assert "Not like for like: the runs have different numbers of training steps." in text
    for suffix in ("png", "pdf"):
        assert (tmp_path / f"figures/accuracy_against_network_calls.{suffix}").stat().st_size > 5000


def test_the_comparison_draws_each_run_over_its_own_network_calls(run_folder: Path, tmp_path: Path) -> None:
    other = write_run(tmp_path / "trm", supervision="act", steps=16, calls_per_step=21, training_steps=400)
    cells, exact = compare.accuracy_against_calls([read_run(run_folder), read_run(other)]).axes
    for axes in (cells, exact):
        dis, trm, copied = axes.get_lines()
        assert [np.max(line.get_xdata()) for line in (dis, trm)] == [18, 336]
        assert copied.is_dashed()


def test_copying_scores_differently_on_other_data_but_has_one_legend_entry(
    run_folder: Path, tmp_path: Path
) -> None:
    other = write_run(tmp_path / "other", arc=False, training_steps=400)
    scores = other / "evaluations/step_400/scores.json"
    scores.write_text(scores.read_text().replace("0.712", "0.5"))
    fig = compare.accuracy_against_calls([read_run(run_folder), read_run(other)])
    assert len(fig.axes[0].get_lines()) == 4
    assert [text.get_text() for text in fig.legends[0].get_texts()].count("copy the input") == 1
    assert len(fig.legends[0].get_texts()) == 3


def two_runs(folder: Path, *kinds: str, protocols: tuple[str, str] = ("clean", "clean")) -> list[Path]:
    return [
        write_run(
            folder / method,
            method,
            steps,
            calls,
            arc=False,
            training_steps=400,
            puzzles=[kind],
            protocol=protocol,
        )
        for (method, steps, calls), kind, protocol in zip(
            (("dis", 6, 3), ("act", 16, 21)), kinds, protocols, strict=True
        )
    ]


def test_solved_is_compared_against_network_calls_where_one_scorer_judged_all_runs(tmp_path: Path) -> None:
    runs = [read_run(path) for path in two_runs(tmp_path, "queens", "queens")]
    *_, solved = compare.accuracy_against_calls(runs).axes
    assert solved.get_title(loc="left") == "Test: solved, small-queens"
    for line, run in zip(solved.get_lines(), runs, strict=True):
        assert list(line.get_xdata()) == run.evaluation.network_calls
        assert list(line.get_ydata()) == run.evaluation.tasks[0].solved_shares
    text = compare.comparison(runs)
    assert re.search(r"solved, small-queens +20 of 40, 50\.0 % .* 20 of 40", text)
    assert "dataset" not in text


@pytest.mark.parametrize(
    ("kinds", "protocols"),
    [(("queens", "maze"), ("clean", "clean")), (("queens", "queens"), ("clean", "published"))],
)
def test_runs_on_other_datasets_or_protocols_are_not_compared(
    kinds: tuple[str, str], protocols: tuple[str, str], tmp_path: Path
) -> None:
    first, second = two_runs(tmp_path, *kinds, protocols=protocols)
    with pytest.raises(UserError, match=f"small-{kinds[1]} .protocol {protocols[1]}") as error:
        compare.main([str(first), str(second)])
    assert str(first) in error.value.given
    assert str(second) in error.value.given
    assert not (first / "figures").exists()


def test_datasets_that_say_nothing_of_themselves_and_older_runs_are_compared(tmp_path: Path) -> None:
    queens, maze = (read_run(path) for path in two_runs(tmp_path, "queens", "maze"))
    older = replace(maze, evaluation=replace(maze.evaluation, tasks=[]))
    unknown = replace(maze.evaluation.tasks[0], version=0)
    unnamed = replace(maze, evaluation=replace(maze.evaluation, tasks=[unknown]))
    compare.check_same_datasets([queens, older, unnamed, queens])
    assert len(compare.accuracy_against_calls([queens, older]).axes) == 2
    assert "versions" not in " ".join(compare.differences([queens, older]))


def test_other_settings_and_versions_of_one_dataset_are_named(tmp_path: Path) -> None:
    run, _ = (read_run(path) for path in two_runs(tmp_path, "queens", "queens"))
    other = replace(run.evaluation.tasks[0], version=2, facts={"side": 4, "seed": 7})
    (warning,) = compare.differences([run, replace(run, evaluation=replace(run.evaluation, tasks=[other]))])
    assert "different versions of the dataset; different settings of the dataset" in warning


def test_runs_alike_are_compared_without_a_warning_and_other_test_data_is_named(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run", arc=False, training_steps=400))
    assert compare.differences([run, run]) == []
    scores = tmp_path / "run/evaluations/step_400/scores.json"
    scores.write_text(scores.read_text().replace("0.712", "0.5").replace('"seed": 0', '"seed": 1'))
    (warning,) = compare.differences([run, read_run(tmp_path / "run")])
    assert "test data" in warning
    assert "seeds" in warning
    assert "batch" not in warning


def test_one_run_is_too_few_to_compare(run_folder: Path) -> None:
    with pytest.raises(UserError, match="two or more run directories"):
        compare.main([str(run_folder)])

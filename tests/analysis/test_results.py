"""analysis/RESULTS.md and its tables say what the recorded runs say."""

import json
import re
import shlex
import statistics
from functools import cache
from pathlib import Path

import pytest
import yaml
from scipy import stats

from analysis import efficiency, search
from analysis.comparing.ablation import ablation
from analysis.comparing.comparability import by_dataset
from tests.runs import REPOSITORY
from trm_lab.runs.many_runs import read_runs

RESULTS = (REPOSITORY / "analysis/RESULTS.md").read_text()
COMMANDS = re.findall(r"^python -m analysis\.efficiency (.+)$", RESULTS, re.MULTILINE)
ARCHS = {  # what a row's method is, in a run's configuration
    "DIS (released code)": {"supervision": "dis", "feed": "prediction"},
    "DIS (paper)": {"supervision": "dis", "feed": "question"},
    "TRM, T=1, n=2": {"supervision": "act", "H_cycles": 1, "L_cycles": 2},
    "TRM, T=3, n=6": {"supervision": "act", "H_cycles": 3, "L_cycles": 6},
}
ROW = re.compile(
    r"^\| (?P<method>[^|]+) \| (?P<mean>[\d.]+) % \[(?:not estimable|(?P<low>[\d.]+), (?P<high>[\d.]+))\] "
    r"\| (?P<solved>\d+(?:, \d+)+) \|",
    re.MULTILINE,
)


@cache
def solved_by_seed(sweep: Path, method: str) -> tuple[list[int], int]:
    """Test examples solved at the last evaluation of a method's runs, in the order of their seeds; of how many."""
    found = {}
    for run in sweep.iterdir():
        config = yaml.safe_load((run / "config.yaml").read_text())
        if ARCHS[method].items() <= config["arch"].items():
            lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
            task = [line for line in lines if line["kind"] == "evaluation"][-1]["scores"]["tasks"][0]
            found[config["seed"]] = (task["solved_per_step"][-1], task["examples"])
    (examples,) = {of for _, of in found.values()}
    return [found[seed][0] for seed in sorted(found)], examples


def test_the_tables_that_are_kept_are_those_that_the_commands_make(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    assert len(COMMANDS) == 2
    for command in COMMANDS:
        sweep, *flags = shlex.split(command)
        options = dict(zip(flags[::2], flags[1::2], strict=True))
        read = read_runs([Path(sweep)])
        found = [
            ablation(runs, dataset, None, float(options["--target-accuracy"]))
            for dataset, runs in by_dataset(read.runs).items()
        ]
        kept = Path(options["--figures-dir"])
        assert efficiency.written(found, read) == tuple(
            (kept / f"efficiency.{kind}").read_text() for kind in ("md", "tex")
        )


@pytest.mark.parametrize("sweep", ["efficiency_nqueens", "efficiency_sudoku4"])
def test_means_intervals_and_counts_are_those_of_the_records(sweep: str) -> None:
    """Each sweep has a table of its own; recomputed here from metrics.jsonl alone."""
    folder = REPOSITORY / "analysis/recorded" / sweep
    rows = [(row, *solved_by_seed(folder, row["method"])) for row in ROW.finditer(RESULTS)]
    told = [(row, solved, of) for row, solved, of in rows if row["solved"] == ", ".join(map(str, solved))]
    assert {row["method"] for row, _, _ in told} == set(ARCHS)
    for row, solved, of in told:
        shares = [100 * count / of for count in solved]
        mean = statistics.fmean(shares)
        half = stats.t.ppf(0.975, len(shares) - 1) * stats.sem(shares)
        assert float(row["mean"]) == pytest.approx(mean, abs=0.051)
        assert (row["low"] is None) == (len(set(solved)) == 1)
        if row["low"] is None:
            continue
        assert float(row["low"]) == pytest.approx(max(0, mean - half), abs=0.051)
        assert float(row["high"]) == pytest.approx(min(100, mean + half), abs=0.051)


def test_every_figure_that_is_shown_is_there_and_no_record_names_a_machine_s_folders() -> None:
    shown = re.findall(r"\]\((recorded/[^)#]+)\)", RESULTS)
    assert shown
    for target in shown:
        assert (REPOSITORY / "analysis" / target).exists(), target
    for file in (REPOSITORY / "analysis/recorded").rglob("*"):
        if file.suffix in (".json", ".jsonl", ".yaml", ".md", ".tex"):
            assert not re.search(r"/(tmp|home|work|root)/", file.read_text()), file


@pytest.mark.parametrize("command", re.findall(r"^python -m analysis\.search (.+)$", RESULTS, re.MULTILINE))
def test_the_search_s_tables_are_those_that_the_commands_make(
    command: str, tmp_path: Path, unrendered: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(REPOSITORY)
    runs, _, figures = shlex.split(command)
    search.main([runs, "--figures-dir", str(tmp_path)])
    tables = (tmp_path / "search.md").read_text()
    assert tables == (Path(figures) / "search.md").read_text()
    in_short = RESULTS[RESULTS.index("| solved, mean over 3 seeds") :].split("\n\n")[0]
    column = 3 if "queens" in runs else 1
    for row in in_short.splitlines()[2:-1]:
        for cell in row.split("|")[column + 1 : column + 3]:
            share, interval = cell.strip().split(" % ")
            assert f"{share} % {interval}, n=3" in tables, cell

"""analysis/RESULTS.md says what the recorded runs say, in a length that is read."""

import json
import re

import pytest
import yaml

from analysis import results
from tests.runs import REPOSITORY
from trm.errors import UserError

TEXT = results.RESULTS.read_text(encoding="utf-8")
RECORDED = REPOSITORY / "analysis/recorded"
SMALL = ("DIS (released code)", "TRM T=1 n=2")
ARCHS = {  # what a row's method is, in a run's configuration
    "DIS (released code)": {"supervision": "dis", "feed": "prediction", "target_schedule": "linear"},
    "DIS (paper)": {"supervision": "dis", "feed": "question"},
    "TRM T=1 n=2": {"supervision": "act", "H_cycles": 1, "L_cycles": 2},
    "TRM T=3 n=6": {"supervision": "act", "H_cycles": 3, "L_cycles": 6},
}


def solved_by_seed(method: str) -> list[float]:
    """Shares of the test questions solved at the last evaluations of a method's queens runs, in % by seed."""
    shares = {}
    for run in (RECORDED / "queens").iterdir():
        config = yaml.safe_load((run / "config.yaml").read_text())
        if ARCHS[method].items() <= config["arch"].items():
            lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
            task = [line for line in lines if line["kind"] == "evaluation"][-1]["scores"]["tasks"][0]
            shares[config["seed"]] = 100 * task["solved_per_step"][-1] / task["examples"]
    return [shares[seed] for seed in sorted(shares)]


def test_every_number_is_what_the_records_give_today() -> None:
    assert results.rendered(results.TEMPLATE.read_text(encoding="utf-8")) == TEXT, "run: python -m analysis.results"


@pytest.mark.parametrize("method", ARCHS)
def test_a_method_s_row_is_what_metrics_jsonl_says(method: str) -> None:
    """Recomputed here from metrics.jsonl alone."""
    row = next(line.split(" | ") for line in TEXT.splitlines() if line.startswith(f"| {method} |") and "FLOP" in line)
    told = [float(share) for share in row[2].split(", ")]
    assert told == pytest.approx(solved_by_seed(method), abs=0.051)
    assert float(row[1].split(" %")[0]) == pytest.approx(sum(told) / len(told), abs=0.11)


@pytest.mark.parametrize(
    ("puzzles", "study", "methods"),
    [("8 queens", "queens", (*SMALL, "TRM T=3 n=6")), ("6×6 sudokus", "sudoku6", SMALL)],
)
def test_the_readme_s_rows_are_of_these_runs(puzzles: str, study: str, methods: tuple[str, ...]) -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    row = next(line.split(" | ") for line in readme.splitlines() if line.startswith(f"| {puzzles}, solved"))
    needs_no_learning = results.baseline(study, "most common answer")
    scores = [results.score(study, method) for method in methods]
    assert row[1:] == [*scores, *["–"] * (3 - len(scores)), f"{needs_no_learning} |"]
    assert f"DIS solves {results.mean_after('queens', 'DIS (released code)', 24)} and is" in readme
    calls = [results.calls_within("queens", method, 1) for method in ("TRM T=1 n=2", "TRM T=3 n=6")]
    assert "its score after {} (T=1) and {} (T=3)".format(*calls) in readme


def test_no_result_is_typed() -> None:
    """A share, a difference or a ratio in the prose is computed as those of the tables are."""
    template = re.sub(r"\{\{.+?\}\}", "", results.TEMPLATE.read_text(encoding="utf-8"))
    typed = re.findall(r"\d[\d.,]* ?(?:%|points|times)", template)
    assert set(typed) <= {"95 %", "80 %"}, "levels of a test are settings; all else is a result"


def test_it_is_short_enough_to_be_read() -> None:
    assert len(TEXT.splitlines()) <= 150


def test_every_figure_that_is_shown_is_kept_and_no_other() -> None:
    shown = {REPOSITORY / "analysis" / target for target in re.findall(r"\]\((recorded/.+?\.png)\)", TEXT)}
    assert shown == set(RECORDED.rglob("*.png"))


def test_no_record_names_a_machine_s_folders() -> None:
    for file in RECORDED.rglob("*"):
        if file.suffix in (".json", ".jsonl", ".yaml"):
            assert not re.search(r"/(tmp|home|work|root)/", file.read_text()), file


@pytest.mark.parametrize(
    ("place", "given"),
    [
        ('score("queens", "DIS (relesed code)")', "the method 'DIS (relesed code)'"),
        ('difference("queens", "TRM T=1 n=2", "TRM")', "the method 'TRM'"),
    ],
)
def test_a_template_that_names_no_method_is_refused(place: str, given: str) -> None:
    with pytest.raises(UserError) as caught:
        results.rendered(f"{{{{ {place} }}}}")
    assert caught.value.given == given
    assert "DIS (paper)" in caught.value.allowed

"""One page for a run: its numbers are those of the run's files, strangers' words stay words, its size is bounded."""

import json
import re
import shutil
from base64 import b64decode, b64encode
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import yaml
from matplotlib.figure import Figure

from analysis.comparing import probe_figures
from analysis.page import __main__ as command
from analysis.page import examples
from analysis.page.curves import step_figures, training_figures
from analysis.page.examples import browser_data
from analysis.self_contained import json_in_script
from tests.analysis.html_reader import Reader
from tests.analysis.recorded import DIS, DIS_SAMPLES, SCORED, TRM, scores
from tests.analysis.synthetic_run import write_run
from trm.errors import UserError
from trm_lab.commands.tables import UNKNOWN, percent, percent_range
from trm_lab.intervals import wilson_interval
from trm_lab.runs.recorded_run import Run, read_run
from trm_lab.runs.stored_answers import stored_answers

HOSTILE = '</script><script>window.hacked=1</script><img src=x onerror="window.hacked=2">&amp;$title'


@pytest.fixture(scope="module")
def dis(dis_page: str) -> Reader:
    return Reader(dis_page)


@pytest.fixture(autouse=True)
def without_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of the other tests have no curves: drawing them takes a second each."""
    monkeypatch.setattr(command, "training_figures", lambda *_: [])
    monkeypatch.setattr(command, "step_figures", lambda *_: [])


def test_the_scores_are_those_of_scores_json_with_their_intervals(dis: Reader) -> None:
    told = scores(DIS)
    rows = {name: cells for name, *cells in dis.tables["Scores"]}
    solved = told["tasks"][0]["verdicts"]["solved"]
    interval = percent_range(*wilson_interval(solved, 32))
    assert rows["solved"] == [f"{percent(solved / 32)} ({solved} of 32)", interval, UNKNOWN]
    cells = told["per_step"]["cell_accuracy"][-1], told["copy"]["cell_accuracy"]
    assert rows["cell accuracy"] == [percent(cells[0]), UNKNOWN, percent(cells[1])]
    assert rows["exact match"][0].startswith(percent(told["per_step"]["exact_accuracy"][-1]))


def test_each_supervision_step_s_numbers_are_those_of_scores_json(dis: Reader) -> None:
    told = scores(DIS)
    head, *rows = dis.tables["Each supervision step"]
    columns = dict(zip(head, zip(*rows, strict=True), strict=True))
    per_step, over = told["per_step"], told["over_steps"]
    assert columns["network calls"] == tuple(map(str, per_step["network_calls"]))
    assert columns["cell accuracy"] == tuple(map(percent, per_step["cell_accuracy"]))
    assert columns["exact match"] == tuple(map(percent, per_step["exact_accuracy"]))
    assert columns["solved"] == tuple(percent(n / 32) for n in told["tasks"][0]["solved_per_step"])
    assert columns["wrong cells"] == tuple(f"{cells:.2f}" for cells in per_step["hamming"])
    assert columns["cells changed"] == (UNKNOWN, *map(percent, per_step["changed"]))
    assert columns["right for the first time"] == tuple(map(str, over["first_right"][1:]))
    assert columns["margin > 0"] == tuple(map(percent, told["margin"]["share_positive"]))
    margins = [float(text.replace("−", "-")) for text in columns["advantage margin"]]
    np.testing.assert_allclose(margins, told["margin"]["mean"], rtol=6e-3)


def drawn(fig: Figure, panel: int) -> list[float]:
    """The first line of a panel."""
    return np.asarray(fig.axes[panel].get_lines()[0].get_ydata()).tolist()


def test_held_out_questions_of_the_run_choose_when_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    run, seen = read_run(DIS), []
    monkeypatch.setattr(probe_figures, "chosen_points", lambda method, _: (seen.extend(method.runs) or [], True))
    step_figures(run, run.evaluation, run.scored[0])
    assert seen == [run]


def test_the_curves_are_the_records_and_the_scores_and_each_has_a_name(dis: Reader) -> None:
    run, told = read_run(DIS), scores(DIS)
    (scored,) = run.scored
    (learning,) = training_figures(run)
    np.testing.assert_allclose(drawn(learning, 0), run.training.loss)
    accuracy, margin, _, guidance = step_figures(run, scored.evaluation, scored)
    assert drawn(accuracy, 0) == told["per_step"]["cell_accuracy"]
    assert drawn(margin, 1) == told["margin"]["mean"]
    assert guidance.axes[0].get_lines()[0].get_xdata().tolist() == [0, 0.5, 1, 1.5]
    pictures = [attributes for tag, attributes in dis.tags if tag == "img"]
    assert len(pictures) == 5
    assert all(one["alt"] and one["src"].startswith("data:image/svg+xml;base64,") for one in pictures)


def test_the_examples_are_the_answers_that_were_kept(dis: Reader) -> None:
    (part,) = stored_answers(read_run(DIS)).parts()
    (kept,) = dis.data["sets"]
    assert len(kept["examples"]) == 32
    one, row = kept["examples"][4], 4
    assert one["n"] == "example 5"
    assert b64decode(one["p"]) == part.preds[row].tobytes()
    assert b64decode(one["q"]) == part.inputs[row].tobytes()
    np.testing.assert_allclose(one["c"], part.confidence[row], rtol=1e-3)
    np.testing.assert_allclose(one["m"], part.margin[row].mean(-1), rtol=1e-3)
    levels = np.frombuffer(b64decode(one["g"]), np.int8).reshape(6, 16) / 127
    expected = np.clip(part.margin[row] / kept["limit"], -1, 1)
    np.testing.assert_allclose(np.sign(levels) * levels**2, expected, atol=0.01)
    assert one["w"] == (part.preds[row] != part.labels[row]).sum(-1).tolist()


def test_every_kind_of_puzzle_has_a_drawing_and_each_dataset_its_own(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run", steps=2, arc=False, training_steps=400, puzzles=["sudoku", "queens"]))
    sudoku, queens = (replace(task, examples=5) for task in run.evaluation.tasks)
    run = replace(run, evaluation=replace(run.evaluation, tasks=[sudoku, queens]))
    data, _ = browser_data(stored_answers(run), 200)
    assert [kept["title"].split(",")[0] for kept in data["sets"]] == ["small-sudoku", "small-queens"]
    assert [kept["examples"][0]["n"] for kept in data["sets"]] == ["example 1", "example 6"]
    unknown = replace(run.evaluation, tasks=[replace(sudoku, scorer=""), queens])
    data, remarks = browser_data(stored_answers(replace(run, evaluation=unknown)), 200)
    assert len(data["sets"]) == 1
    assert remarks[0].startswith("small-sudoku cannot be looked at: ")
    for kind, drawing in (("maze", "cells"), ("cube", "cube"), ("answer", "text")):
        run = read_run(write_run(tmp_path / kind, steps=2, arc=False, training_steps=400, puzzles=[kind]))
        data, remarks = browser_data(stored_answers(run), 200)
        assert (remarks, data["sets"][0]["drawing"]["kind"]) == ([], drawing)


def test_at_most_so_many_examples_are_embedded_some_of_each_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    source = stored_answers(read_run(TRM))
    data, _ = browser_data(source, 8)
    (kept,) = data["sets"]
    assert len(kept["examples"]) == 8
    assert any(any(one["k"]) and not one["k"][-1] for one in kept["examples"])  # the one that is broken late
    assert "the first 1 of each kind" in kept["rule"]
    monkeypatch.setattr(examples, "MOST_BYTES", 2 * 16 * 16 * 3)
    data, _ = browser_data(source, 200)
    assert len(data["sets"][0]["examples"]) == 3
    assert "the first 3, for the page's size" in data["sets"][0]["rule"]


def test_what_a_stranger_wrote_stays_text(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(DIS_SAMPLES, folder)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config |= {"run_name": HOSTILE, "project_name": HOSTILE}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    file = folder / "evaluations" / "step_248" / "rollout_samples.npz"
    with np.load(file) as stored:
        arrays = dict(stored)
    arrays["names"] = np.array([HOSTILE] * len(arrays["names"]))
    np.savez(file, **arrays)
    text = command.page(read_run(folder))
    plain, read = Reader(command.page(read_run(DIS_SAMPLES))), Reader(text)
    elements, expected = ([tag for tag, _ in page.tags] for page in (read, plain))
    assert elements == expected
    assert not any(name.startswith("on") for _, attributes in read.tags for name in attributes)
    assert dict(read.tables["Configuration"])["project_name"] == HOSTILE
    assert read.data["sets"][0]["examples"][0]["n"] == HOSTILE


def test_the_policy_lets_nothing_run_or_load_but_what_is_on_the_page(dis_page: str, dis: Reader) -> None:
    (policy,) = [a["content"] for tag, a in dis.tags if tag == "meta" and "http-equiv" in a]
    assert policy.startswith("default-src 'none'; img-src data:;")
    (style,) = re.findall("<style>(.*?)</style>", dis_page, re.DOTALL)
    for content in (style, dis.scripts[1]):
        assert f"'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'" in policy
    addresses = [a.get(key) or "" for _, a in dis.tags for key in ("src", "href")]
    assert all(re.match("data:|#|$", address) for address in addresses)
    requests = r"\bfetch\(|XMLHttpRequest|import\(|url\((?!data:)|@import|WebSocket"
    assert not re.search(requests, style + dis.scripts[1])


def test_the_same_run_gives_the_same_bytes_and_less_than_a_megabyte_and_a_half(dis_page: str, tmp_path: Path) -> None:
    """The bytes without curves; that one figure gives the same SVG is a test of `style`."""
    files = [tmp_path / name / "index.html" for name in ("a", "b")]
    for file in files:
        command.main([str(DIS), "--output", str(file)])
    assert files[0].read_bytes() == files[1].read_bytes()
    assert len(dis_page) < 1_500_000


def test_a_run_that_kept_no_answers_has_a_page_that_says_so(run: Run) -> None:
    text = command.page(replace(run, samples=None))
    assert Reader(text).data is None
    assert "no puzzles to look at" in text
    with pytest.raises(UserError, match="holds no evaluation 'x'"):
        command.page(run, "x")


def test_a_run_that_still_goes_on_has_a_page_with_what_is_there_and_says_what_is_not(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(DIS_SAMPLES, folder)
    (folder / "scored" / SCORED).rename(folder / "scored" / f"{SCORED}.unfinished")
    with (folder / "metrics.jsonl").open("a") as stream:
        stream.write('{"kind": "train", "st')
    text = command.page(read_run(folder))
    for remark in ("the last line of metrics.jsonl is not whole yet", "evaluate.py has not finished it"):
        assert remark in text


def test_json_in_a_script_cannot_end_it() -> None:
    hostile = {"</script>": ["<!--", "\u2028", "\ud800", "&"]}
    text = json_in_script(hostile)
    assert text.isascii()
    assert not set("<>&") & set(text)
    assert json.loads(text) == hostile
    with pytest.raises(ValueError, match="Out of range"):
        json_in_script(float("nan"))


def test_what_evaluate_py_found_is_shown_also_where_its_answers_were_not_kept(tmp_path: Path) -> None:
    """As of the runs in analysis/recorded."""
    folder = tmp_path / "run"
    shutil.copytree(DIS, folder)
    for file in (folder / "scored" / SCORED).glob("predictions.*"):
        file.unlink()
    run = read_run(folder)
    kept = Reader(command.page(read_run(DIS), SCORED))
    for read in (Reader(command.page(run)), Reader(command.page(run, SCORED))):
        assert read.tables["Each supervision step"] == kept.tables["Each supervision step"]
    with pytest.raises(UserError, match=f"holds of '{SCORED}' scores alone, no answers"):
        stored_answers(run, SCORED)
    text = command.page(run, SCORED)
    assert "GFLOP" in text
    assert f"samples that training kept, without margins: scored/{SCORED} kept scores alone" in text

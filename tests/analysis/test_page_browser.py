"""The page in a real browser without a window: it runs, asks nothing of anybody, and does what its controls say."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.page import __main__ as command
from tests.analysis.headless import NAMES, Tab, browser_tab, find_browser
from tests.analysis.recorded import DIS, TRM, scores
from tests.analysis.synthetic_run import write_run
from trm_lab.runs.recorded_run import read_run
from trm_lab.runs.stored_answers import stored_answers

PROGRAM = find_browser()
pytestmark = pytest.mark.skipif(PROGRAM is None, reason=f"no browser is installed: none of {', '.join(NAMES)}")

READOUT = "document.querySelector('.readout').textContent"
ITEMS = "[...document.querySelectorAll('.list li .name')].map(item => item.textContent)"
SELECTED = "document.querySelector('.list [aria-selected=true] .name').textContent"
DRAWN = "document.querySelectorAll('.boards figure').length > 2"


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with browser_tab(PROGRAM, tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.fixture(autouse=True)
def without_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all pages but one: drawing them takes a second each."""
    monkeypatch.setattr(command, "training_figures", lambda *_: [])
    monkeypatch.setattr(command, "step_figures", lambda *_: [])


def opened(tab: Tab, run: Path, file: Path, html: str = "", **how: Any) -> Tab:
    """The page of a run, newly loaded."""
    file.write_text(html or command.page(read_run(run)))
    tab.requests.clear()
    tab.complaints.clear()
    tab.open(file, **how)
    tab.wait_for(DRAWN)
    return tab


def slide(tab: Tab, step: int) -> None:
    """Move the slider as a hand would."""
    tab.value(
        f"(s => {{ s.value = {step}; s.dispatchEvent(new Event('input', {{bubbles: true}})) }})"
        "(document.querySelector('input[type=range]'))"
    )


def written(tab: Tab, board: int) -> list[tuple[int, int, str]]:
    """(row, column, digit) of everything in a board; boards are question, answer after the step, margin, solution."""
    found = tab.value(
        f"[...document.querySelectorAll('.boards figure')[{board}].querySelectorAll('text')]"
        ".map(t => [t.getAttribute('y') / 20 - .5, t.getAttribute('x') / 20 - .5, t.textContent])"
    )
    return sorted((round(row), round(column), digit) for row, column, digit in found)


def digits(tokens: np.ndarray) -> list[tuple[int, int, str]]:
    cells = tokens.reshape(4, 4)
    return [(row, column, str(cells[row, column] - 1)) for row, column in np.argwhere(cells > 1).tolist()]


def test_nothing_is_asked_for_and_nothing_is_complained_of(tab: Tab, tmp_path: Path, dis_page: str) -> None:
    file = tmp_path / "index.html"
    for how in ({"width": 390, "height": 800}, {"dark": True}):
        opened(tab, DIS, file, dis_page, **how)
        slide(tab, 3)
        assert [one for one in tab.requests if not one.startswith("data:")] == [file.resolve().as_uri()]
        assert tab.complaints == []
        assert tab.value("[...document.images].every(image => image.complete && image.naturalWidth > 100)")
        assert tab.value("document.documentElement.scrollWidth <= innerWidth")
        narrow = tab.value("[...document.querySelectorAll('.curves img')].map(i => i.currentSrc !== i.src)")
        assert narrow == [how.get("width") == 390] * 5, "figures a column wide in a narrow window"
    assert tab.value("(t => t.scrollWidth <= t.clientWidth)(document.querySelector('#scores .wide'))")


def test_slider_and_arrows_show_the_answer_after_each_step_and_mark_what_is_wrong(tab: Tab, tmp_path: Path) -> None:
    opened(tab, DIS, tmp_path / "index.html")
    (part,) = stored_answers(read_run(DIS)).parts()
    told = scores(DIS)
    for step in range(6):
        slide(tab, step + 1)
        assert written(tab, 1) == digits(part.preds[0, step])
        reading = tab.value(READOUT)
        wrong = int((part.preds[0, step] != part.labels[0]).sum())
        calls = told["per_step"]["network_calls"][step]
        verdict = "not solved" if wrong else "solved"
        assert reading.startswith(f"step {step + 1} of 6{calls} network calls{verdict}{wrong} wrong")
    assert written(tab, 0) == digits(part.inputs[0])
    assert written(tab, 3) == digits(part.labels[0])
    slide(tab, 3)
    marks = "document.querySelectorAll('.boards figure')[1].querySelectorAll('{}').length"
    assert tab.value(marks.format("circle")) == (part.preds[0, 2] != part.labels[0]).sum()
    assert tab.value(marks.format("path.changed")) == (part.preds[0, 2] != part.preds[0, 1]).sum()
    tab.value("document.querySelector('#puzzles').scrollIntoView({behavior: 'instant'})")
    for key, step, number in [("ArrowRight", 4, 1), ("ArrowDown", 4, 2), ("ArrowLeft", 3, 2)]:
        tab.press(key)
        assert (tab.value(SELECTED), tab.value(READOUT)[:11]) == (f"example {number}", f"step {step} of 6")


def test_filters_show_as_many_puzzles_as_scores_json_says(tab: Tab, tmp_path: Path) -> None:
    opened(tab, TRM, tmp_path / "index.html")
    told = scores(TRM)
    solved = told["tasks"][0]["verdicts"]["solved"]
    expected = {"all": 32, "solved": solved, "unsolved": 32 - solved}
    expected |= {f"{kind}-late": told["over_steps"][f"{kind}_late"] for kind in ("fixed", "broken")}
    for kind, count in expected.items():
        button = f"document.querySelector('[data-filter={kind}]')"
        assert tab.value(f"{button}.querySelector('.count').textContent") == str(count)
        assert tab.value(f"{button}.disabled") == (count == 0)
        if count:
            tab.value(f"{button}.click()")
            assert len(tab.value(ITEMS)) == count
            assert tab.value(f"{button}.getAttribute('aria-pressed')") == "true"
            assert tab.value(SELECTED) == tab.value("document.querySelector('.stage h3').textContent")


@pytest.mark.parametrize("kind", ["arc", "cube", "answer"])
def test_every_kind_of_puzzle_is_drawn_at_every_step(tab: Tab, tmp_path: Path, kind: str) -> None:
    puzzles = [] if kind == "arc" else [kind]
    run = write_run(tmp_path / kind, steps=2, arc=kind == "arc", training_steps=400, puzzles=puzzles)
    opened(tab, run, tmp_path / "index.html")
    pictures = "document.querySelectorAll('.boards svg, .boards pre').length"
    for step in (1, 2):
        slide(tab, step)
        assert tab.value(pictures) == 3
        assert tab.value("document.querySelector('.boards').innerHTML.includes('undefined')") is False
    assert tab.complaints == []


def test_a_run_in_a_folder_with_a_long_name_fits_a_narrow_window_and_is_headed_by_its_method(
    tab: Tab, tmp_path: Path
) -> None:
    run = write_run(tmp_path / ("efficiency_nqueens-086f2c" * 4), arc=False, training_steps=400, puzzles=["sudoku"])
    opened(tab, run, tmp_path / "index.html", width=420)
    assert tab.value("document.documentElement.scrollWidth <= innerWidth")
    assert tab.value("document.querySelector('h1').textContent") == "DIS (released code), seed 0, after 400 updates"


def test_a_stranger_s_words_do_nothing(tab: Tab, tmp_path: Path) -> None:
    hostile = "</script><img src=x onerror=window.hacked=1>"
    run = write_run(tmp_path / "run", steps=2, arc=False, training_steps=400, puzzles=["sudoku"])
    (run / "config.yaml").write_text(f"run_name: '{hostile}'\nseed: 0\n")
    file = run / "evaluations" / "step_400" / "rollout_samples.npz"
    with np.load(file) as stored:
        arrays = dict(stored)
    arrays["names"] = np.array([hostile] * len(arrays["names"]))
    np.savez(file, **arrays)
    opened(tab, run, tmp_path / "index.html")
    assert tab.value(
        "window.hacked === undefined && document.querySelectorAll('main img:not(.curves img)').length === 0"
    )
    assert tab.value("document.querySelector('.subtitle').textContent").endswith(hostile)
    assert tab.value("document.querySelector('.stage h3').textContent") == hostile
    assert tab.complaints == []
    assert len(tab.requests) == 1

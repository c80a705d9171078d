"""The page to play with in a real browser: its network computes as PyTorch does, its rules judge as the scorers do."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from analysis.page.puzzle_data import drawing
from analysis.play.__main__ import page
from dis_trm.supervision import DISConfig
from tests.analysis.headless import NAMES, Tab, browser_tab, find_browser
from tests.analysis.small_models import MAZE, MLP, QUEENS, SUDOKU, small_dis, small_trm, steps_of, written
from trm.losses import TOKEN_LOSSES
from trm.supervision import Supervision
from trm_lab.puzzles.kinds import KINDS
from trm_lab.puzzles.maze.generation import MazeKind, generate_mazes
from trm_lab.puzzles.queens.boards import boards, solutions
from trm_lab.puzzles.sudoku.geometry import GEOMETRIES
from trm_lab.puzzles.sudoku.grids import sample_grids
from trm_lab.runs.opened_checkpoint import open_checkpoint

PROGRAM = find_browser()
pytestmark = pytest.mark.skipif(PROGRAM is None, reason=f"no browser is installed: none of {', '.join(NAMES)}")

PAPER = DISConfig(halt_max_steps=3, feed="question", step_index="continuous", loss_type="softmax_cross_entropy")
MODELS: dict[str, Supervision[Any]] = {
    "DIS, MLP, fed its prediction": small_dis(SUDOKU, **MLP),
    "TRM, attention, puzzle embedding": small_trm(SUDOKU),
    "DIS of the paper, learned positions": small_dis(QUEENS, PAPER, pos_encodings="learned"),
    "TRM, MLP, two layers": small_trm(QUEENS, **MLP, L_layers=2, H_cycles=1, L_cycles=1),
    "TRM, single latent": small_trm(QUEENS, recursion="single_z"),
    "DIS, six latents": small_dis(QUEENS, recursion="six_z"),
    "HRM": small_trm(QUEENS, recursion="hrm", H_layers=2, H_cycles=1, L_cycles=2),
    "plain transformer": small_trm(QUEENS, recursion="none", num_heads=7, H_layers=2),  # 7 heads of 2 for 16
    "DIS, attention": small_dis(MAZE, puzzle_emb_ndim=0),
}
ANSWERED = "PLAY.networks.every(network => network.answers.length === network.steps)"
VERDICTS = "[...document.querySelectorAll('.panel .verdict')].map(words => words.textContent)"
READOUTS = "[...document.querySelectorAll('.panel .readout')].map(words => words.textContent)"


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """The page with all models, opened in a browser."""
    folder = tmp_path_factory.mktemp("play")
    checkpoints = [open_checkpoint(written(folder / str(at), each)) for at, each in enumerate(MODELS.values())]
    (folder / "play.html").write_text(page(checkpoints))
    with browser_tab(PROGRAM, folder / "profile") as tab:
        tab.open(folder / "play.html")
        yield tab


@pytest.fixture
def fresh(tab: Tab) -> Tab:
    """The page as it is when it is opened."""
    tab.call("Page.reload")
    tab.wait_for(f"document.readyState === 'complete' && typeof PLAY === 'object' && {ANSWERED}")
    return tab


@pytest.mark.parametrize("name", MODELS)
def test_the_page_s_network_computes_every_step_as_pytorch_does(tab: Tab, name: str) -> None:
    supervision, place = MODELS[name], list(MODELS).index(name)
    shape, generator = supervision.model.shape, torch.Generator().manual_seed(place)
    question = torch.randint(1, shape.vocab_size, (shape.seq_len,), generator=generator, dtype=torch.int32)
    steps = tab.value(
        "(() => { const network = new Network(SETS.flatMap(set => set.models)[" + str(place) + "]), steps = [];"
        f"let state = network.start(Uint8Array.from({question.tolist()}));"
        "while (state.step < 2 * network.steps) { state = network.step(state);"
        "steps.push([[...state.logits], [...state.predictions], [...state.confidence], state.halt]); }"
        "return steps; })()"
    )
    expected = steps_of(supervision, question, longer=2)
    assert len(steps) == len(expected) > supervision.max_steps
    for step, ((logits, predictions, confidence, halt), output) in enumerate(zip(steps, expected, strict=True), 1):
        tolerance = 1e-4 if step <= supervision.max_steps else 1e-3  # float32 of either kind drifts apart
        torch.testing.assert_close(torch.tensor(logits), output.logits.flatten(), rtol=0, atol=tolerance)
        assert halt == pytest.approx(output.q_halt_logits.item(), abs=tolerance)
        assert predictions == output.predictions[0].tolist()
        losses = TOKEN_LOSSES[supervision.loss_type](output.logits, output.predictions)  # -log p of each cell
        np.testing.assert_allclose(confidence, losses[0].neg().exp(), atol=tolerance)


def solved(kind: str) -> tuple[dict[str, int], NDArray[np.uint8], NDArray[np.uint8]]:
    """Facts, questions and right answers of a kind, `[E, L]` each."""
    generator = np.random.default_rng(0)
    if kind == "sudoku":
        geometry = GEOMETRIES[4]
        answers = sample_grids(geometry, 4, generator) + 1
        questions = np.where(generator.random(answers.shape) < 0.5, answers, 1)
        return {"size": 4, "box_rows": 2, "box_columns": 2}, questions, answers
    if kind == "queens":
        answers = boards(solutions(6))
        return {"side": 6}, np.where(generator.random(answers.shape) < 0.5, answers, 1), answers
    mazes = generate_mazes(MazeKind(7, 6, 3), 6, seed=0)  # with rings: a longer way is not solved
    questions, answers = (cells.reshape(6, -1) for cells in mazes)
    return {"side": 7}, questions, answers


@pytest.mark.parametrize("kind", ["sudoku", "queens", "maze"])
def test_the_page_judges_answers_as_the_scorer_does(tab: Tab, kind: str) -> None:
    facts, questions, answers = solved(kind)
    tokens = int(answers.max()) + 1
    changed = [answers]
    for cell in range(answers.shape[1]):  # every cell of every answer in turn is another token
        other = answers.copy()
        other[:, cell] = (other[:, cell] + 1 + cell % (tokens - 1)) % tokens
        changed.append(other)
    given, candidates = np.concatenate([questions] * len(changed)), np.concatenate(changed)
    labels = np.concatenate([answers] * len(changed)).astype(np.int32)
    verdicts = KINDS[kind].scorer(facts)(given, labels, candidates)["solved"]
    cases = json.dumps([given.tolist(), candidates.tolist()])
    rules = f"new RULES.{kind}({json.dumps(drawing(KINDS[kind].picture(facts)))})"
    judged = tab.value(
        f"(([given, answers]) => given.map((question, at) => {rules}.judge(question, answers[at]).solved))({cases})"
    )
    assert judged == verdicts.tolist()
    assert verdicts[: len(answers)].all()


def test_a_click_a_key_and_a_text_set_the_question_and_every_method_answers_it(fresh: Tab) -> None:
    first = "[...QUESTIONS['sudoku 36'][0]].map(sign => sign === '.' ? 1 : Number(sign) + 1)"
    assert fresh.value("[...PLAY.question]") == fresh.value(first)
    fresh.value("[...document.querySelectorAll('button')].find(each => each.textContent === 'Clear').click()")
    assert fresh.value("PLAY.question.every(token => token === 1)")
    fresh.value("document.querySelector('.brushes [data-token=\"4\"]').click()")
    left, top, side = fresh.value(
        "(box => [box.left, box.top, box.width])(PLAY.board.firstChild.getBoundingClientRect())"
    )
    x, y = left + 0.92 * side, top + 0.42 * side
    for kind in ("mousePressed", "mouseReleased"):
        fresh.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
    assert fresh.value("PLAY.question.indexOf(4)") == 2 * 6 + 5
    fresh.value("PLAY.board.focus()")
    fresh.press("ArrowLeft")
    fresh.value("PLAY.board.dispatchEvent(new KeyboardEvent('keydown', {key: '3'}))")
    assert fresh.value("[...PLAY.question.subarray(16, 18)]") == [4, 4]
    assert fresh.value("PLAY.spoken.textContent") == "row 3, column 5: 3"
    assert fresh.value("PLAY.objection.textContent").startswith("Your digits break the rules already")
    too_short, strange = "The text has 2 cells, and this puzzle has 36.", "“x” is no sign of this puzzle"
    for text, words in (("12", too_short), ("1x", strange)):
        fresh.value(f"PLAY.text.value = '{text}'; PLAY.readText()")
        assert words in fresh.value("PLAY.objection.textContent")
    fresh.value("PLAY.text.value = '1.....\\n'.repeat(6); PLAY.readText()")
    assert fresh.value("[...PLAY.question.subarray(0, 8)]") == [2, 1, 1, 1, 1, 1, 2, 1]
    fresh.wait_for(ANSWERED)
    question = torch.tensor(fresh.value("[...PLAY.question]"), dtype=torch.int32)
    for place, supervision in enumerate(list(MODELS.values())[:2]):
        last = steps_of(supervision, question)[-1].predictions[0].tolist()
        assert fresh.value(f"[...PLAY.networks[{place}].answers.at(-1).predictions]") == last


def test_more_steps_than_trained_go_on_from_the_answers_that_are_there(fresh: Tab) -> None:
    before = fresh.value("PLAY.networks[0].answers.map(answer => [...answer.predictions])")
    fresh.value("PLAY.show(3); PLAY.longer.box.click()")
    assert fresh.value(READOUTS)[0] == "step 3 of 12 · 24 of 96 network calls"
    fresh.wait_for(ANSWERED)
    after = fresh.value("PLAY.networks[0].answers.map(answer => [...answer.predictions])")
    question = torch.tensor(fresh.value("[...PLAY.question]"), dtype=torch.int32)
    steps = steps_of(MODELS["DIS, MLP, fed its prediction"], question, longer=4)
    assert (after[: len(before)], after) == (before, [output.predictions[0].tolist() for output in steps])
    fresh.value("PLAY.show(12); PLAY.longer.box.click()")
    assert fresh.value(READOUTS)[0] == "step 3 of 3 · 24 of 24 network calls · finished"


def test_slider_and_buttons_go_through_the_steps_and_the_calls_are_counted(fresh: Tab) -> None:
    press = "[...document.querySelectorAll('.controls button')].find(each => each.textContent === '{}').click()"
    assert fresh.value(VERDICTS) == ["The question; press Play or Step."] * 2
    fresh.value(press.format("Step"))
    assert fresh.value(READOUTS)[0] == "step 1 of 3 · 8 of 24 network calls"
    assert all(words.startswith("Not solved: ") for words in fresh.value(VERDICTS))
    fresh.value("(s => { s.value = 4; s.dispatchEvent(new Event('input', {bubbles: true})) })(PLAY.slider)")
    first, second = fresh.value(READOUTS)
    assert first == "step 3 of 3 · 24 of 24 network calls · finished"
    assert second.startswith("step 4 of 4 · 32 of 32 network calls · would halt here: ")
    wrong = fresh.value("PLAY.rules.judge([...PLAY.question], [...PLAY.networks[0].answers.at(-1).predictions]).wrong")
    circles = "document.querySelectorAll('.panel')[0].querySelectorAll('circle').length"
    assert fresh.value(circles) == sum(wrong.values()) > 0
    fresh.value("PLAY.marking.box.click(); PLAY.shading.box.click()")
    assert fresh.value("document.querySelectorAll('.panel circle, .panel .unsure').length") == 0
    fresh.value(press.format("Play"))
    fresh.wait_for("PLAY.step === 1")
    fresh.value(press.format("Pause"))
    fresh.value(press.format("Back"))
    assert fresh.value("PLAY.step") == 0


def test_every_kind_fits_a_narrow_window_and_nothing_is_asked_for(fresh: Tab) -> None:
    for at in range(3):
        fresh.value(f"PLAY.tabs[{at}].click(); PLAY.show(2)")
        fresh.wait_for(ANSWERED)
        for width in (390, 1280):
            fresh.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
            assert fresh.value("document.documentElement.scrollWidth <= innerWidth")
        assert fresh.value("document.querySelectorAll('.panel svg').length") == fresh.value("PLAY.networks.length")
    assert fresh.complaints == []
    assert {each for each in fresh.requests if not each.startswith("data:")} == {fresh.value("location.href")}

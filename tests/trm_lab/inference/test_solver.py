"""The Python API: every checkpoint answers puzzles of its kind, as an evaluation would, without its dataset."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.image import imread

import evaluate
import trm_lab
from tests.runs import environment
from tests.trm_lab.inference.described_runs import PUZZLES, QUESTIONS, write_run
from trm.errors import UserError
from trm_lab.cluster.ranks import Ranks
from trm_lab.evaluation.predictor import Predictor
from trm_lab.evaluation.search import Search, StopRule
from trm_lab.inference.solve_settings import RANGES
from trm_lab.inference.solver import Solver
from trm_lab.puzzles.loading import EvaluationData
from trm_lab.puzzles.manifest import About
from trm_lab.puzzles.writer import Examples, write_plain_dataset
from trm_lab.release.exporting import ExportRequest, export
from trm_lab.runs import checkpoint_forms
from trm_lab.runs.puzzle_description import PuzzleDescription

GRID = [[1, 2, 3], [0, 4, 0]]
TASK = {"train": [{"input": GRID, "output": [[1]]}], "test": [{"input": [[7, 8]]}, {"input": GRID}]}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    return {kind: write_run(folder / kind, puzzle) for kind, puzzle in PUZZLES.items()}


@pytest.fixture(scope="module")
def solvers(runs: dict[str, Path]) -> dict[str, Solver]:
    return {kind: trm_lab.load(run, device="cpu") for kind, run in runs.items()}


@pytest.mark.parametrize("kind", QUESTIONS)
def test_every_kind_is_answered_drawn_and_saved(kind: str, solvers: dict[str, Solver], tmp_path: Path) -> None:
    answer = solvers[kind].solve(QUESTIONS[kind])
    assert len(answer.steps) == 3
    assert answer.network_calls == 9
    assert 0 < answer.confidence < 1
    assert answer.valid is (None if kind in ("answer", "tokens") else False)
    natural = {"cube": list, "answer": str}.get(kind, np.ndarray)
    assert isinstance(answer.grid, natural)
    assert f"{len(answer.steps)} supervision steps, 9 network calls" in str(answer)
    answer.save(tmp_path / "answer.png")
    assert imread(tmp_path / "answer.png").shape[0] > 100
    assert json.loads(json.dumps(answer.record()))["kind"] == kind


SEARCHES: list[dict[str, Any]] = [
    {},
    {"width": 3, "noise": 0.5, "select": "convergence"},
    {"width": 2, "symmetries": True, "stop": "agreement:1"},
    {"width": 2, "start": "random", "select": "valid", "order": "in-turn"},
]


@pytest.mark.parametrize("search", SEARCHES)
def test_an_answer_is_the_one_that_an_evaluation_gives(
    search: dict[str, Any], solvers: dict[str, Solver], tmp_path: Path
) -> None:
    solver, generator = solvers["queens"], np.random.Generator(np.random.Philox(0))
    questions = generator.integers(1, 3, (5, 16), dtype=np.uint8)
    examples = Examples(questions, questions)
    about = About("q4", 1, "test", "queens", {"side": 4})
    write_plain_dataset(tmp_path / "q", about, {"train": examples, "test": examples}, vocab_size=3, allow_overlap=True)
    data = EvaluationData([tmp_path / "q"], global_batch_size=2)
    stop = StopRule.parse(search["stop"]) if "stop" in search else None
    predictor = Predictor(solver.supervision, data, Ranks(), seed=5, search=Search(**search | {"stop": stop}))
    parts = [*predictor.answers()]
    answers = solver.solve_many([question.reshape(4, 4) - 1 for question in questions], batch_size=2, seed=5, **search)
    expected = np.concatenate([part.predictions for part in parts])
    assert [answer.grid.tolist() for answer in answers] == [
        (p == 2).reshape(4, 4).astype(int).tolist() for p in expected[:, -1]
    ]
    logarithms = np.concatenate([part.confidence for part in parts])[:, -1]
    assert np.allclose([answer.confidence for answer in answers], np.exp(logarithms))
    calls = [answer.network_calls for answer in answers]
    if stop is None:
        assert calls == [9 * search.get("width", 1)] * 5
    else:
        assert calls == np.concatenate([part.probes["network_calls_spent"] for part in parts]).tolist()
        assert max(calls) <= 18


def test_an_arc_task_is_answered_from_a_dictionary_and_a_file(solvers: dict[str, Solver], tmp_path: Path) -> None:
    (tmp_path / "tasks.json").write_text(json.dumps({"a": TASK, "b": TASK}))
    solver = solvers["arc"]
    answer = solver.solve(TASK, augmentations=2, attempts=1)
    assert [len(attempts) for attempts in answer.grid] == [1, 1]
    assert [len(grids) for grids in answer.steps] == [2, 2, 2]
    assert answer.network_calls == 9 * 3 * 2
    assert answer.valid is None
    assert 0 < answer.confidence <= 1
    assert "test input 1" in str(answer)
    answer.save(tmp_path / "task.png")
    wide = solver.solve(TASK, augmentations=0, width=3, noise=0.2, select="vote")
    assert (wide.network_calls, wide.record()["search"]["width"]) == (9 * 3 * 2, 3)
    again = solver.solve(f"{tmp_path}/tasks.json:a", augmentations=0, adapt=1)
    assert again.record()["adaptation"]["steps"] == 1
    with pytest.raises(UserError, match="attempts=3"):
        solver.solve(TASK, attempts=3)
    with pytest.raises(UserError, match="1x5"):
        solver.solve({"test": [{"input": [[0] * 5]}]})


def test_every_form_of_a_checkpoint_gives_the_same_answer(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = runs["maze"]
    monkeypatch.setattr(checkpoint_forms, "located", lambda address: tmp_path / "hub")  # tests/trm_lab/runs/test_hub.py
    forms: list[Any] = [run, run / "checkpoints/step_7", "hf://owner/maze"]
    for form in ("hub", "published"):
        export(ExportRequest(str(run), form, tmp_path / form))
        forms.append(tmp_path / form)
    answers = [trm_lab.load(form, device="cpu").solve(QUESTIONS["maze"]) for form in forms]
    for answer in answers:
        assert answer.grid.tolist() == answers[0].grid.tolist()
        assert answer.confidence == answers[0].confidence


def test_an_older_checkpoint_is_described_by_its_dataset_or_by_its_published_shape(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = write_run(tmp_path / "old", PUZZLES["queens"], described=False)
    assert trm_lab.load(old, device="cpu").puzzle.name == "nqueens-8"  # as published: nothing else is known
    assert "those of nqueens-8, which have 3 different tokens as well, are assumed" in capsys.readouterr().out
    question = np.ones((4, 16), np.uint8)
    examples = Examples(question, question)
    about = About("q4", 1, "test", "queens", {"side": 4})
    write_plain_dataset(tmp_path / "q", about, {"train": examples, "test": examples}, vocab_size=3, allow_overlap=True)
    assert trm_lab.load(old, data=tmp_path / "q", device="cpu").solve(QUESTIONS["queens"]).grid.shape == (4, 4)
    (tmp_path / "q").rename(tmp_path / "old/nowhere")
    assert trm_lab.load(old, device="cpu").puzzle.name == "q4"
    export(ExportRequest(str(old), "hub", tmp_path / "exported"))
    (tmp_path / "old/nowhere").rename(tmp_path / "away")
    assert trm_lab.load(tmp_path / "exported", device="cpu").puzzle.name == "q4"
    unknown = write_run(tmp_path / "unknown", PUZZLES["cube"], described=False)
    with pytest.raises(UserError, match="does not say which puzzles") as caught:
        trm_lab.load(unknown)
    assert "--data-path" in caught.value.remedy
    with pytest.raises(UserError, match="weights='averaged'"):
        trm_lab.load(old, weights="averaged")
    with pytest.raises(UserError, match="no dataset at"):
        trm_lab.load(unknown, data=tmp_path / "none")


def test_a_checkpoint_that_names_no_kind_is_asked_in_its_tokens(tmp_path: Path) -> None:
    for length, vocab_size, tokens in ((8, 12, list(range(8))), (9, 5, "123\n400\n321")):
        run = write_run(tmp_path / str(length), PuzzleDescription("own", "", length, vocab_size))
        answer = trm_lab.load(run, device="cpu").solve(tokens)
        assert answer.grid.size == length
        answer.save(tmp_path / f"{length}.png")
    with pytest.raises(UserError, match="puzzles of the kind 'chess'"):
        trm_lab.load(write_run(tmp_path / "chess", PuzzleDescription("own", "chess", 8, 5)), device="cpu")


def test_an_answer_takes_other_steps_and_the_next_one_the_trained_ones(solvers: dict[str, Solver]) -> None:
    solver = solvers["sudoku"]
    assert len(solver.solve(QUESTIONS["sudoku"], steps=5).steps) == 5
    assert len(solver.solve(QUESTIONS["sudoku"]).steps) == 3


def test_a_stopped_answer_shows_the_steps_that_it_took(solvers: dict[str, Solver]) -> None:
    solver, question = solvers["queens"], QUESTIONS["queens"]
    sooner = solver.solve(question, width=2, noise=0.3, order="in-turn", stop="confidence:1e-9")
    assert (sooner.network_calls, len(sooner.steps)) == (3, 1)
    assert sooner.grid.tolist() == solver.solve(question).steps[0].tolist()
    whole = solver.solve(question, width=2, noise=0.3, stop="confidence:0.999999")
    assert (whole.network_calls, len(whole.steps)) == (18, 3)


def test_steps_of_a_stopped_answer_are_said_to_be_the_most(solvers: dict[str, Solver]) -> None:
    stopped = str(solvers["sudoku"].solve(QUESTIONS["sudoku"], width=2, noise=0.3, stop="agreement:1"))
    assert "; at most 2 rollouts of 3 supervision steps, " in stopped
    assert "at most" not in str(solvers["sudoku"].solve(QUESTIONS["sudoku"]))


def test_puzzles_are_read_from_files(solvers: dict[str, Solver], tmp_path: Path) -> None:
    solver, text = solvers["sudoku"], QUESTIONS["sudoku"]
    grid = [[int(sign) for sign in row] for row in text.replace(".", "0").splitlines()]
    (tmp_path / "s.txt").write_text(text)
    (tmp_path / "s.json").write_text(json.dumps(grid))
    np.save(tmp_path / "s.npy", np.array(grid))
    files: list[Any] = [tmp_path / "s.txt", str(tmp_path / "s.json"), tmp_path / "s.npy"]
    questions = [solver.read(file).tolist() for file in files]
    assert questions == [solver.read(text).tolist()] * 3
    for name, content in (("no.txt", None), ("x.json", b"{"), ("x.npy", b"\x80\x04"), ("y.txt", b"\xff")):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=name):
            solver.solve(tmp_path / name)


def test_a_setting_of_arc_s_is_refused_for_other_puzzles(solvers: dict[str, Solver]) -> None:
    for settings in ({"adapt": 3}, {"attempts": 1}, {"augmentations": 4}, {"embedding": "mean"}):
        with pytest.raises(UserError, match="of the kind sudoku"):
            solvers["sudoku"].solve(QUESTIONS["sudoku"], **settings)
    with pytest.raises(UserError, match="adapt_weights=all without adapt"):
        solvers["arc"].solve(TASK, adapt_weights="all")
    with pytest.raises(UserError, match="did you mean steps"):
        solvers["sudoku"].solve(QUESTIONS["sudoku"], step=3)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    "settings",
    [
        {"width": 2.5, "noise": 0.3},
        {"noise": "0.3"},
        {"noise": float("nan")},
        {"seed": -1},
        {"batch_size": 0},
        {"symmetries": "no", "width": 2},
        {"steps": None, "batch_size": True},
        {"width": None},
    ],
)
def test_a_setting_of_another_type_or_out_of_range_is_refused_by_name(
    settings: dict[str, Any], solvers: dict[str, Solver]
) -> None:
    with pytest.raises(UserError, match="|".join(f"^{name}=" for name in settings)):
        solvers["sudoku"].solve(QUESTIONS["sudoku"], **settings)


def test_a_setting_of_arc_s_out_of_range_is_refused(solvers: dict[str, Solver]) -> None:
    for settings in ({"augmentations": -1}, {"adapt": 1.5}, {"adapt": 10**13}, {"attempts": 0}, {"embedding": None}):
        with pytest.raises(UserError, match=f"{next(iter(settings))}="):
            solvers["arc"].solve(TASK, **settings)
    with pytest.raises(UserError, match=r"adapt_freeze=0\.5 where only embeddings learn"):
        solvers["arc"].solve(TASK, adapt=1, adapt_freeze=0.5)


def test_settings_have_the_ranges_of_the_flags() -> None:
    names = {"augmentations": "num_aug"}
    flags = {action.dest: action.type for action in evaluate.command_line()._actions}
    compared = {name: flags[names.get(name, name)].range for name in RANGES if name != "attempts"}
    assert compared == {name: RANGES[name] for name in compared}


def test_numbers_and_rows_of_arrays_inside_lists_are_read(solvers: dict[str, Solver]) -> None:
    solver, board = solvers["queens"], np.eye(4, dtype=np.int64)
    question = solver.read(board.tolist()).tolist()
    for puzzle in (list(board), [list(row) for row in board], [*torch.from_numpy(board)], np.arange(1, 5)):
        assert solver.read(puzzle).tolist() == question
    assert solver.solve_many(board[None], steps=np.int64(2), seed=np.int64(1))[0].record()["seed"] == 1
    with pytest.raises(UserError, match="a board of shape"):
        solver.solve(torch.from_numpy(board).to_sparse())


def test_several_puzzles_are_no_text_and_may_be_none(solvers: dict[str, Solver]) -> None:
    assert solvers["sudoku"].solve_many([]) == []
    with pytest.raises(UserError, match="solve_many of a single str"):
        solvers["sudoku"].solve_many(QUESTIONS["sudoku"])
    with pytest.raises(UserError, match="an empty question"):
        solvers["answer"].solve("\n")


def test_an_empty_puzzle_from_the_shell_is_an_empty_puzzle(runs: dict[str, Path]) -> None:
    with pytest.raises(UserError, match="a sudoku: 0 rows"):
        evaluate.job(evaluate.command_line().parse([str(runs["sudoku"]), "--puzzle", "", "--device", "cpu"]))()


def test_symbols_that_a_described_model_does_not_have_are_refused(tmp_path: Path) -> None:
    described = PuzzleDescription("q4", "maze", 16, 3, {"side": 4})  # a maze has the tokens 1 to 5
    with pytest.raises(UserError, match="token 4 for a model of 3 different tokens"):
        trm_lab.load(write_run(tmp_path / "run", described), device="cpu").solve(QUESTIONS["maze"])


def test_a_picture_replaces_none_but_ours(solvers: dict[str, Solver], tmp_path: Path) -> None:
    answer, file = solvers["queens"].solve(QUESTIONS["queens"]), tmp_path / "answer.png"
    file.write_bytes(b"holiday")
    with pytest.raises(UserError, match="no answer that we wrote"):
        answer.save(file)
    assert file.read_bytes() == b"holiday"
    for name in ("other.png", "other.png", "other.pdf"):
        answer.save(tmp_path / name)
    assert (tmp_path / "other.png").read_bytes() == answer._repr_png_()
    with pytest.raises(UserError, match=r"answer\.svg"):
        answer.save(tmp_path / "answer.svg")


def test_importing_the_package_imports_no_torch() -> None:
    code = "import sys, trm_lab; sys.exit('torch' in sys.modules or 'load' not in dir(trm_lab))"
    assert subprocess.run([sys.executable, "-c", code], env=environment()).returncode == 0

"""docs/python_api.md and the docstrings of the Python API: every block of code and every example runs."""

import doctest
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import trm_lab
from tests.runs import REPOSITORY
from trm.errors import UserError
from trm_lab.inference import solver
from trm_lab.puzzles.queens import builder as queens
from trm_lab.puzzles.sudoku import builder_4x4 as sudoku
from trm_lab.training import python_api

PAGE = (REPOSITORY / "docs/python_api.md").read_text()
SMALL = {
    "arch.hidden_size": 32,
    "arch.num_heads": 2,
    "arch.L_layers": 1,
    "arch.forward_dtype": "float32",
    "global_batch_size": 8,
    "device": "cpu",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working folder with 4×4 sudokus and boards of 5 queens."""
    where = tmp_path_factory.mktemp("python")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(where)
        sudoku.main(["--train-size", "100", "--test-size", "20"])
        queens.main(["--size", "5", "--train-size", "30", "--test-size", "8", "--output-dir", "data/queens"])
        yield where


def test_every_block_of_the_page_runs(folder: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    code = (
        "\n".join(blocks)
        .replace("max_steps=600", "max_steps=5")
        .replace('"global_batch_size": 64', '"global_batch_size": 8')
    )
    assert len(blocks) == 6
    exec(compile(code, "python_api.md", "exec"), {})
    assert (folder / "runs/sudoku4/checkpoints/step_5").is_dir()
    assert (folder / "answer.png").is_file()


def test_the_block_of_the_readme_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [code] = re.findall(r"```python\n(.*?)```", (REPOSITORY / "README.md").read_text(), re.DOTALL)
    exec(code, {})
    assert "valid; " in capsys.readouterr().out


def test_the_examples_of_the_docstrings_run(folder: Path) -> None:
    trm_lab.train("dis", data="data/queens", max_steps=1, overrides=SMALL | {"checkpoint_path": "runs/queens"})
    for module in (solver, python_api):
        outcome = doctest.testmod(module)
        assert outcome.attempted >= 4
        assert outcome.failed == 0


def test_the_same_call_again_resumes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = SMALL | {"checkpoint_path": "runs/more", "lr": 1e-3}
    first = trm_lab.train("trm", data=folder / "data/queens", max_steps=1, overrides=words)
    again = trm_lab.train("trm", data=[folder / "data/queens"], max_steps=2, overrides=words)
    assert (first.path, first.step, again.step) == (again.path, 1, 2)
    assert again.recorded.training.step.tolist() == [1, 2]
    assert "resuming from" in capsys.readouterr().out
    assert trm_lab.load(again.path).checkpoint.arch.supervision == "act"


def test_what_a_command_would_refuse_is_refused_alike() -> None:
    for overrides, problem in (
        ({"archh.hidden_size": 64}, "archh.hidden_size"),
        ({"lr": object()}, "of type object"),
        ({"arch.hidden_size": "wide"}, "hidden_size"),
    ):
        with pytest.raises(UserError, match=problem):
            trm_lab.train("dis", data="data/queens", overrides=overrides)
    with pytest.raises(UserError, match="diss"):
        trm_lab.train("diss", data="data/queens")
    with pytest.raises(UserError, match="overrides of type list"):
        trm_lab.train("dis", data="data/queens", overrides=["lr=1"])  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"data_paths=\[5\]"):
        trm_lab.train("dis", data=5)  # type: ignore[arg-type]


def test_one_method_does_not_train_the_experiment_of_another() -> None:
    with pytest.raises(UserError, match="whose method is TRM"):
        trm_lab.train("dis", experiment="nqueens_trm", data="none")
    with pytest.raises(UserError, match="no dataset at none"):
        trm_lab.train("trm", experiment="nqueens_trm", data="none", overrides={"build_missing_data": False})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ema", True),
        ("max_steps", None),
        ("epochs", 3),
        ("lr", 1e-05),
        ("run_name", 'a "b", c=d'),
        ("run_name", "1e3"),
        ("data_paths", ["a b", "c,d"]),
    ],
)
def test_a_value_arrives_as_it_is(key: str, value: object) -> None:
    assert python_api.composition("cfg_pretrain", {key: value})[key] == value

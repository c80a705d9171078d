"""The notebooks: stored without outputs, and run from top to bottom on the recorded runs."""

import ast
import json
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import pytest
from matplotlib.figure import Figure

from analysis.inline import Shown
from tests.runs import REPOSITORY

FOLDER = REPOSITORY / "analysis" / "notebooks"
SHOWN = {  # of each notebook: figures at least, and words that its outputs hold
    "compare_methods": (
        6,
        ["DIS (released code) (2 seeds)", "TRM T=1 n=2 (2 seeds)", "seen at 80 %", "one seed of each", "1 broken late"],
    ),
    "efficiency": (2, ["network calls", "N·T·(n+1) = 6·1·(2+1) = 18, the tables say 18"]),
    "inside_a_step": (2, ["DISSupervision, update 12", "step 6: wrong cells", "call 3: updates z_H"]),
}
SHORTER = {"UPDATES = 240": "UPDATES = 12", "update % 60": "update % 12"}  # no test of learning


def test_every_notebook_is_looked_at() -> None:
    assert {file.stem for file in FOLDER.glob("*.ipynb")} == set(SHOWN)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", SHOWN)
def test_a_notebook_is_stored_without_outputs_and_runs_from_top_to_bottom(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = json.loads((FOLDER / f"{name}.ipynb").read_text())
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
    assert set(notebook["metadata"]["language_info"]) == {"name"}
    assert notebook["cells"][0]["source"][0].startswith("# ")
    assert any(line.startswith(("RUNS = ", "RUN = ")) for line in notebook["cells"][1]["source"])
    monkeypatch.chdir(FOLDER)
    displayed: list[Any] = []
    variables: dict[str, Any] = {"display": displayed.append, "__name__": name}
    with redirect_stdout(StringIO()) as printed:
        for cell in notebook["cells"]:
            assert cell["metadata"] == {}
            if cell["cell_type"] == "code":
                assert (cell["outputs"], cell["execution_count"]) == ([], None)
                displayed.append(last_value("".join(cell["source"]), variables))
    contents = [one.content for one in displayed if isinstance(one, Shown)]
    figures = [content for content in contents if isinstance(content, Figure)]
    words = printed.getvalue() + "".join(map(repr, displayed))
    least, expected = SHOWN[name]
    assert len(figures) >= least
    assert [part for part in expected if part not in words] == []


def last_value(source: str, variables: dict[str, Any]) -> Any:
    """Run a cell; the value of its last line where that is an expression, which a notebook shows."""
    for long, short in SHORTER.items():
        source = source.replace(long, short)
    *statements, last = ast.parse(source).body
    exec(compile(ast.Module(statements, []), "cell", "exec"), variables)
    if isinstance(last, ast.Expr):
        return eval(compile(ast.Expression(last.value), "cell", "eval"), variables)
    exec(compile(ast.Module([last], []), "cell", "exec"), variables)
    return None

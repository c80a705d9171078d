"""The notebooks: stored without outputs, and run from top to bottom on the recorded runs."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.runs import REPOSITORY

FOLDER = REPOSITORY / "analysis" / "notebooks"
NOTEBOOKS = ("compare_methods", "efficiency", "inside_a_step")
SHOWN = {  # of each notebook: figures at least, and words that its outputs hold
    "compare_methods": (
        6,
        [
            "DIS (released code) (2 seeds)",
            "TRM T=1 n=2 (2 seeds)",
            "p (Welch)",
            "over examples",
            "1 broken late",
        ],
    ),
    "efficiency": (2, ["network calls", "N·T·(n+1) = 6·1·(2+1) = 18, the tables say 18"]),
    "inside_a_step": (2, ["DISSupervision, update 60", "step 6: wrong cells", "call 3: updates z_H"]),
}
SECONDS = 240  # a cell may take
SHORTER = {"UPDATES = 240": "UPDATES = 60"}  # what a network learns is not what the test is about


def read(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.ipynb").read_text())


def test_every_notebook_is_looked_at() -> None:
    assert {file.stem for file in FOLDER.glob("*.ipynb")} == set(NOTEBOOKS)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_is_stored_without_outputs_and_without_what_an_editor_adds(name: str) -> None:
    notebook = read(name)
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
    assert set(notebook["metadata"]["language_info"]) == {"name"}
    for cell in notebook["cells"]:
        assert cell["metadata"] == {}
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_says_what_it_shows_before_it_does(name: str) -> None:
    first, second, *_ = read(name)["cells"]
    assert first["source"][0].startswith("# ")
    assert any(line.startswith(("RUNS = ", "RUN = ")) for line in second["source"])


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_from_top_to_bottom(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nbclient = pytest.importorskip(
        "nbclient", reason="pip install nbclient ipykernel, as requirements.txt does"
    )
    nbformat = pytest.importorskip("nbformat")
    for variable in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")]))
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        for long, short in SHORTER.items():
            cell.source = cell.source.replace(long, short)
    client = nbclient.NotebookClient(
        notebook, timeout=SECONDS, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}}
    )
    client.execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    complaints = [one.text for one in outputs if one.output_type == "stream" and one.name == "stderr"]
    assert complaints == []
    figures = [one for one in outputs if "image/png" in one.get("data", {})]
    words = " ".join(str(one.get("text", one.get("data", ""))) for one in outputs)
    least, expected = SHOWN[name]
    assert len(figures) >= least
    assert [part for part in expected if part not in words] == []

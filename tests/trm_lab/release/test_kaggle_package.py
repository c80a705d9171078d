"""The offline package, end to end: in an environment with the dependencies, without a network, from elsewhere."""

import ast
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

from tests.exportable import random_dis, write_run
from tests.trm_lab.inference.test_solving import CHALLENGES, check_form
from trm.errors import UserError
from trm_lab.commands.project_root import PROJECT_ROOT
from trm_lab.inference.solve_command import read_challenges
from trm_lab.release.exporting import ExportRequest, export
from trm_lab.release.kaggle import CELL, NEEDED, SCRIPT, notebook

NO_NETWORK = """
import socket

def refused(self, address):
    if self.family in (socket.AF_INET, socket.AF_INET6):
        raise OSError(f"this test has no network: {address}")
    return connect(self, address)

connect = socket.socket.connect
socket.socket.connect = socket.socket.connect_ex = refused
"""


@dataclass(frozen=True)
class Elsewhere:
    """A place without the repository: a package, a virtual environment, and a folder to stand in."""

    package: Path
    python: Path
    folder: Path

    def call(self, *words: str, code: int = 0, **more: str) -> str:
        """What the environment's Python prints; it sees neither the repository nor a network."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PIP_", "VIRTUAL_ENV"))}
        done = subprocess.run(
            [str(self.python), *words],
            cwd=self.folder,
            env={**kept, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", **more},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory, built: Path) -> Elsewhere:
    root = tmp_path_factory.mktemp("elsewhere")
    run = write_run(root / "run", random_dis())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("trm_lab.release.kaggle.build_wheel", lambda to: shutil.copy(built, to))
        export(ExportRequest(str(run), "kaggle", root / "package"))
    venv.create(root / "venv", with_pip=False, symlinks=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(root / "venv")}))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (site / "sitecustomize.py").write_text(NO_NETWORK)
    (root / "standing").mkdir()
    place = Elsewhere(root / "package", root / "venv/bin/python", root / "standing")
    assert "No module named 'trm'" in place.call("-c", "import trm", code=1)
    refused = "import socket; socket.create_connection(('127.0.0.1', 9))"
    assert "this test has no network" in place.call("-c", refused, code=1)
    return place


def challenges(folder: Path, tasks: Mapping[str, Any] = CHALLENGES) -> Path:
    file = folder / "arc-agi_test_challenges.json"
    file.write_text(json.dumps(tasks))
    return file


@pytest.mark.long
def test_the_notebook_writes_the_same_submission(elsewhere: Elsewhere) -> None:
    """Its cells one after the other, with the two places of Kaggle as folders here."""
    competition = elsewhere.folder / "arc-prize-2025"
    competition.mkdir()
    file = challenges(competition)
    program = elsewhere.folder / "cells.py"
    program.write_text(
        "import json, sys\n"
        "cells = json.load(open(sys.argv[1]))['cells']\n"
        "names = {'__name__': '__main__'}\n"
        "for cell in cells:\n"
        "    if cell['cell_type'] == 'code':\n"
        "        source = ''.join(cell['source']).replace('/kaggle/input', sys.argv[2])\n"
        '        exec(source.replace("*SETTINGS]", repr(sys.argv[3:])[1:]), names)\n'
    )
    words = ("--input", str(file), "--augmentations", "3", "--device", "cpu")
    elsewhere.call(str(elsewhere.package / "solve.py"), *words, "--output", "script.json")
    elsewhere.call(str(program), str(elsewhere.package / "solve.ipynb"), str(elsewhere.package.parent), *words)
    by_notebook = json.loads((elsewhere.folder / "submission.json").read_text())
    assert by_notebook == json.loads((elsewhere.folder / "script.json").read_text())
    check_form(by_notebook, CHALLENGES)


def test_the_dependency_note_lists_what_the_code_imports() -> None:
    ours, waiting, foreign = set[Path](), ["trm_lab.inference.solve_command"], set[str]()
    while waiting:
        name = waiting.pop()
        if name.partition(".")[0] not in ("trm", "dis_trm", "trm_lab"):
            foreign.add(name.partition(".")[0])
            continue
        place = PROJECT_ROOT / name.replace(".", "/")
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.is_file() and file not in ours:
                ours.add(file)
                waiting += [*imported(file), name.rpartition(".")[0] or name]
    projects = {packages_distributions()[top][0].lower() for top in foreign - sys.stdlib_module_names}
    assert projects == {name.lower() for name in NEEDED}


def test_the_solver_starts_where_hydra_is_not_installed() -> None:
    """Nor is it in the dependency note: what is imported within a function is not seen by the test above."""
    program = "import sys; sys.modules['hydra'] = None; import trm_lab.inference.solve_command"
    subprocess.run([sys.executable, "-c", program], cwd=PROJECT_ROOT, check=True)


def imported(file: Path) -> Iterator[str]:
    """Modules, and names of `from` imports that may be some, that a module imports as soon as it is imported."""
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_the_notebook_is_the_script_cut_at_its_marks() -> None:
    _, *cells = notebook(SCRIPT)["cells"]
    joined = ["".join(cell["source"]) for cell in cells]
    assert joined == [part.strip() for part in SCRIPT.split(CELL)[1:]]
    assert len({cell["id"] for cell in cells}) == len(cells)
    compile(SCRIPT, "solve.py", "exec")


def test_an_input_without_tasks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file"):
        read_challenges(tmp_path)
    problems = {"{}": "no tasks in it", '{"a"': "not JSON", "[" * 100_000: "nested too deeply|not JSON"}
    for content, problem in problems.items():
        (tmp_path / "arc-agi_test_challenges.json").write_text(content)
        with pytest.raises(UserError, match=problem):
            read_challenges(tmp_path)

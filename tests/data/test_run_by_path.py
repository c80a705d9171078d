"""Every command runs as published ones are typed: `python data/build_….py`, from any folder, with nothing installed."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("data", "analysis", "benchmarks")
COMMANDS = sorted(
    file
    for room in ROOMS
    for file in (ROOT / room).rglob("*.py")
    if 'if __name__ == "__main__"' in file.read_text()
)


def run(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=100
    )


@pytest.mark.parametrize("name", ["data/build_sudoku_4x4_dataset.py", "analysis/puzzle_gallery.py"])
def test_a_command_runs_by_its_path_from_any_folder(name: str, tmp_path: Path) -> None:
    done = run([str(ROOT / name), "--help"], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "--output" in done.stdout


@pytest.mark.parametrize("file", COMMANDS, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_every_command_finds_our_modules_before_it_imports_one(file: Path) -> None:
    """The same lines everywhere, so that two commands need to be run to show that they work."""
    body = ast.parse(file.read_text()).body
    ours = [
        n
        for n, node in enumerate(body)
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").split(".")[0] in {*ROOMS, "trm", "dis_trm", "trm_lab"}
    ]
    guards = [
        n
        for n, node in enumerate(body)
        if isinstance(node, ast.If) and "__package__" in ast.unparse(node.test)
    ]
    assert guards
    assert guards[0] < ours[0]
    up = len(file.relative_to(ROOT).parts) - 1
    assert ast.unparse(body[guards[0]]).endswith(f"sys.path[0] = str(Path(__file__).resolve().parents[{up}])")


def test_the_published_module_s_name_is_answered_with_ours(tmp_path: Path) -> None:
    done = run(["-m", "dataset.build_sudoku_dataset", "--num-aug", "3"], ROOT)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "error: there is no dataset.build_sudoku_dataset here; the same builder is: python -m data.build_sudoku_dataset"
    ]

"""Every command runs as published ones are typed: `python data/build_….py`, from any folder, with nothing installed."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("data", "analysis", "benchmarks")
PACKAGES = (*ROOMS, "trm", "dis_trm", "trm_lab")
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


def test_a_command_runs_by_its_path_from_any_folder(tmp_path: Path) -> None:
    process = run([str(ROOT / "data/build_sudoku_4x4_dataset.py"), "--help"], tmp_path)
    assert (process.returncode, process.stderr) == (0, "")
    assert "--output" in process.stdout


def test_every_command_finds_our_modules_before_it_imports_one() -> None:
    """The same lines everywhere, so that a single command needs to be run to show that they work."""
    assert COMMANDS
    for file in COMMANDS:
        lines = file.read_text().splitlines()
        first_import = next(
            n for n, line in enumerate(lines) if re.match(rf"from ({'|'.join(PACKAGES)})\b", line)
        )
        up = len(file.relative_to(ROOT).parts) - 1
        guard = next(n for n, line in enumerate(lines) if line.startswith("if not __package__:"))
        assert guard < first_import, file
        assert lines[guard + 1] == f"    sys.path[0] = str(Path(__file__).resolve().parents[{up}])", file


def test_the_published_module_s_name_is_answered_with_ours(tmp_path: Path) -> None:
    process = run(["-m", "dataset.build_sudoku_dataset", "--num-aug", "3"], ROOT)
    assert process.returncode == 1
    assert process.stderr.splitlines() == [
        "error: there is no dataset.build_sudoku_dataset here; the same builder is: python -m data.build_sudoku_dataset"
    ]

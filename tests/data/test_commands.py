"""Every command runs as published ones are typed, from any folder, and data/README.md shows each builder's."""

import importlib
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("data", "analysis", "benchmarks")
PACKAGES = (*ROOMS, "trm", "dis_trm", "trm_lab")
COMMANDS = sorted(
    file for room in ROOMS for file in (ROOT / room).rglob("*.py") if 'if __name__ == "__main__"' in file.read_text()
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
        first_import = next(n for n, line in enumerate(lines) if re.match(rf"from ({'|'.join(PACKAGES)})\b", line))
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


PAGE = (ROOT / "data/README.md").read_text()
README_COMMANDS = [
    line for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines() if line
]

BUILDERS = sorted(f"data.{file.stem}" for file in (ROOT / "data").glob("build_*.py"))


def test_every_command_is_one_that_its_builder_takes_and_every_builder_has_one() -> None:
    for command in README_COMMANDS:
        python, flag, module, *words = shlex.split(command)
        assert (python, flag) == ("python", "-m")
        flags = importlib.import_module(module).command_line().parse(words)
        assert flags.output_dir.parent == Path("data"), command
    assert sorted({shlex.split(command)[2] for command in README_COMMANDS}) == BUILDERS


@pytest.mark.parametrize("module", BUILDERS)
def test_every_builder_shows_an_example_and_its_seed(module: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(module).main(["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert all(words in shown for words in ("example:", f"python -m {module}", "--seed"))


def test_every_file_that_the_page_points_to_is_there() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", PAGE):
        assert (ROOT / "data" / target).exists(), target

"""The process's standard streams: every terminal, and none."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.runs import environment

PRINTS = """
import sys
from trm_lab.commands.command_line import run_command
from trm.errors import UserError

def main():
    for _ in range(3):
        print('a → b ± 3 · é … ★ \\udcff', flush=True)
        print('zu Ende', file=sys.stderr, flush=True)
    open('done', 'w', encoding='utf-8').close()
    sys.exit()  # as --help does

run_command(main)
"""


def run(folder: Path, shell: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """Run the program above in a shell's command line, where {} stands for it."""
    (folder / "program.py").write_text(PRINTS, encoding="utf-8")
    words = shell.replace("{}", f"{sys.executable} program.py")
    environ = {**environment(), **variables}
    return subprocess.run(["bash", "-c", words], cwd=folder, env=environ, capture_output=True, timeout=60)


@pytest.mark.parametrize(
    "variables",
    [
        {"PYTHONIOENCODING": "latin-1"},
        {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "COLUMNS": "nonsense"},
    ],
    ids=["latin-1", "C"],
)
def test_a_terminal_without_the_signs_gets_others(variables: dict[str, str], tmp_path: Path) -> None:
    done = run(tmp_path, "{}", **variables)
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert done.stdout.count(b"\n") == 3
    assert b" -> b " in done.stdout


@pytest.mark.parametrize("shell", ["{} | true", "{} >&- 2>&-", "{} <&- >&- 2>&-"])
def test_nothing_ends_because_nobody_reads_it(shell: str, tmp_path: Path) -> None:
    """Nor does a file opened later become the standard output."""
    done = run(tmp_path, f"set -o pipefail; {shell}")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "done").read_bytes() == b""
    assert b"Traceback" not in done.stdout + done.stderr
    assert b"Exception ignored" not in done.stdout + done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_output_that_could_not_be_written_is_told_at_the_end(tmp_path: Path) -> None:
    done = run(tmp_path, "{} > /dev/full")
    assert done.returncode == 74
    assert b"standard output: No space left on device" in done.stderr
    assert b"Traceback" not in done.stderr
    assert (tmp_path / "done").exists()

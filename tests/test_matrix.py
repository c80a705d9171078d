"""`make test-matrix` fails where a pair failed, and says what it could not try."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import matrix


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(matrix, "FOLDER", tmp_path / "matrix")
    monkeypatch.delenv("PAIRS", raising=False)
    return tmp_path / "matrix"


def has(folder: Path, pair: str, status: int) -> None:
    """An environment whose tests end with this status."""
    python = folder / pair / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\necho 3 passed in 1 s; echo a late warning\nexit {status}\n")
    python.chmod(0o755)
    (folder / pair / "complete").touch()


@pytest.mark.parametrize(("second", "status"), [(0, 0), (1, 1)])
def test_one_failed_pair_fails_the_matrix_and_missing_pythons_are_named(
    folder: Path, second: int, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(matrix, "interpreters", lambda version: iter(()))
    has(folder, "3.12-2.11.0", 0)
    has(folder, "3.13-2.13.0", second)
    assert matrix.main() == status
    lines = {line.partition(":")[0]: line for line in capsys.readouterr().out.splitlines()}
    assert list(lines) == matrix.PAIRS
    assert "passed: 3 passed in 1 s" in lines["3.12-2.11.0"]
    assert ("FAILED" in lines["3.13-2.13.0"]) == bool(second)
    assert "not tried: no python3.11 on this machine" in lines["3.11-2.11.0"]


def test_a_matrix_of_which_nothing_could_be_tried_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "interpreters", lambda version: iter(()))
    assert matrix.main() == 1


def test_a_pair_that_there_is_not_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAIRS", "3.12-2.11.0 2.7-0.1")
    with pytest.raises(SystemExit, match=r"PAIRS has 2\.7-0\.1"):
        matrix.main()


@pytest.mark.parametrize(("argument", "status"), [("--help", 0), ("3.12-2.11.0", 2)])
def test_explaining_itself_or_refusing_an_argument_makes_no_environment(argument: str, status: int) -> None:
    words = [sys.executable, "-m", "tests.matrix", argument]
    done = subprocess.run(words, cwd=matrix.REPOSITORY, env={**os.environ, "PAIRS": "none"}, capture_output=True)
    assert (done.returncode, done.stdout.startswith(b"usage: ")) == (status, status == 0)


def test_every_part_of_the_core_and_what_it_leaves_out_exists() -> None:
    left_out = [f"trm_lab/{part}" for part in matrix.LEFT_OUT]
    assert [part for part in (*matrix.CORE, *left_out) if not (matrix.REPOSITORY / "tests" / part).exists()] == []

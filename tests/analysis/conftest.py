"""One invented DIS run for all tests that only read it."""

from pathlib import Path

import pytest

from analysis.reading.run_directory import Run, read_run
from tests.analysis.synthetic_run import write_run


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "dis")


@pytest.fixture(scope="session")
def run(run_folder: Path) -> Run:
    return read_run(run_folder)

"""One invented DIS run for tests that only read it."""

from pathlib import Path

import pytest

from tests.analysis.synthetic_run import write_run
from trm_lab.runs.recorded_run import Run, read_run


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "dis")


@pytest.fixture(scope="session")
def run(run_folder: Path) -> Run:
    return read_run(run_folder)

"""One small dataset, and one invented run, for all tests of the laboratory that only read them."""

from pathlib import Path

import pytest

from tests.analysis.synthetic_run import write_run
from tests.runs import build_small_arc
from trm_lab.runs.recorded_run import Run, read_run


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_small_arc(tmp_path_factory.mktemp("data") / "arc-small")


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "dis")


@pytest.fixture(scope="session")
def run(run_folder: Path) -> Run:
    return read_run(run_folder)

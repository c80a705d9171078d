"""One invented DIS run and the page of a recorded one, for tests that only read them."""

from pathlib import Path

import pytest

from analysis.page import __main__ as page_command
from tests.analysis.recorded import DIS
from tests.analysis.synthetic_run import write_run
from trm_lab.runs.recorded_run import Run, read_run


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "dis")


@pytest.fixture(scope="session")
def run(run_folder: Path) -> Run:
    return read_run(run_folder)


@pytest.fixture(scope="session")
def dis_page() -> str:
    """The page of the recorded DIS run, with its curves."""
    return page_command.page(read_run(DIS))

"""The page of a recorded run, for tests that only read it."""

import pytest

from analysis.page import __main__ as page_command
from tests.analysis.recorded import DIS
from trm_lab.runs.recorded_run import read_run


@pytest.fixture(scope="session")
def dis_page() -> str:
    """The page of the recorded DIS run, with its curves."""
    return page_command.page(read_run(DIS))

"""A warm server, a small real dataset and undisturbed runs for the tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.launching import WarmServer
from tests.chaos.rounds import Arena
from tests.runs import build_small_arc


@pytest.fixture(scope="session")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    folder = tmp_path_factory.mktemp("chaos")
    server = WarmServer()
    yield Arena(folder, build_small_arc(folder / "arc-small"), server, mount=None)
    server.close()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Where a test's run goes, beside its log."""
    return tmp_path / "run"

"""One small dataset for all tests of the laboratory that only read it."""

from pathlib import Path

import pytest

from tests.runs import build_small_arc


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_small_arc(tmp_path_factory.mktemp("data") / "arc-small")

"""The stand-in library, and the real one where it is installed."""

from pathlib import Path
from typing import Any

import pytest

from tests.trm_lab.puzzles.reasoning_gym.stub_library import install_stub


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_stub(tmp_path / "library", monkeypatch)


@pytest.fixture
def library() -> Any:
    return pytest.importorskip("reasoning_gym", reason='pip install -e ".[reasoning-gym]"')

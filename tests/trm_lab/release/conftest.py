"""The project's wheel, built once for all tests here."""

from pathlib import Path

import pytest

from trm_lab.release.wheel import build_wheel


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's file."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture
def no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packages hold an empty file in place of the wheel."""
    monkeypatch.setattr(
        "trm_lab.release.kaggle.build_wheel", lambda to: (to / "trm_lab-1-py3-none-any.whl").write_text("")
    )

"""How the suite runs on a shared machine; figures unrendered; a small run."""

from pathlib import Path

import hypothesis
import pytest
import torch
from matplotlib.figure import Figure

from analysis import style
from tests.analysis.synthetic_run import write_run
from trm_lab.files.whole_files import mark
from trm_lab.runs.recorded_run import Run, read_run

hypothesis.settings.register_profile("shared machine", deadline=None, derandomize=True)  # no clock, no luck
hypothesis.settings.load_profile("shared machine")
torch.set_num_threads(1)  # the suite runs one process a core


@pytest.fixture
def unrendered(monkeypatch: pytest.MonkeyPatch) -> None:
    """`style.save` writes files of the right names with our mark: rendering takes seconds for each figure."""

    def save(fig: Figure, file: Path, flag: str = "") -> list[Path]:
        file.parent.mkdir(parents=True, exist_ok=True)
        paths = [file.with_name(f"{file.name}.{suffix}") for suffix in ("png", "pdf")]
        for path in paths:
            path.write_text(mark("figure"))
        return paths

    monkeypatch.setattr(style, "save", save)


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "dis")


@pytest.fixture(scope="session")
def run(run_folder: Path) -> Run:
    return read_run(run_folder)

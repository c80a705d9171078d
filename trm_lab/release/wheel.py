"""The project's wheel, built from the checkout without a network."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from trm.errors import UserError, shown
from trm_lab.commands.project_root import IS_CHECKOUT, PROJECT_ROOT

# 1980, where dates in archives begin: the same sources, the same bytes
NO_DATE = {"SOURCE_DATE_EPOCH": "315532800"}
FOLDERS = ("trm", "dis_trm", "trm_lab", "analysis", "configs", "pretrained")  # `data` holds datasets too
SUFFIXES = (
    ".py",
    ".yaml",
    ".html",
    ".css",
    ".js",
    ".safetensors",
    ".json",
    ".md",
)  # of what the code imports and opens
_BUILD = "-m pip wheel . --no-deps --no-build-isolation --no-index --disable-pip-version-check --quiet --wheel-dir"


def build_wheel(folder: Path) -> Path:
    """Write the project's wheel, see setup.py, into an existing folder; returns its file.

    It is built from a copy of the sources: an older build's leftovers would get into it, and its own into the checkout.

    Raises:
        UserError: this is no checkout, or setuptools is missing or too old.
    """
    if not IS_CHECKOUT:
        raise UserError(
            "this is an installed wheel, which does not build another one",
            "a checkout of the project, from which the wheel is built",
            "give the same command in a checkout",
        )
    with tempfile.TemporaryDirectory() as copy:
        _copy_sources(Path(copy))
        command = [sys.executable, *_BUILD.split(), str(folder.resolve())]
        done = subprocess.run(
            command, cwd=copy, env={**os.environ, **NO_DATE}, capture_output=True, text=True, check=False
        )
    built = sorted(folder.glob("*.whl"))
    if done.returncode or len(built) != 1:
        said = [line for line in done.stderr.splitlines() if line.strip()] or [f"{len(built)} wheels"]
        raise UserError(
            f"the wheel was not built: {shown(said[-1])}",
            "Python's pip and setuptools 77 or newer",
            "pip install -r requirements.txt, or pip install 'setuptools>=77'",
        )
    return built[0]


def _copy_sources(copy: Path) -> None:
    """What the wheel is made of, and nothing that was built or trained here."""
    for source in _sources():
        target = copy / source.relative_to(PROJECT_ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def _sources() -> Iterator[Path]:
    yield from (PROJECT_ROOT / name for name in ("pyproject.toml", "README.md", "LICENSE"))
    yield from sorted([*PROJECT_ROOT.glob("*.py"), *(PROJECT_ROOT / "data").glob("*.py")])
    for folder in FOLDERS:
        files = (PROJECT_ROOT / folder).rglob("*")
        yield from sorted(file for file in files if file.suffix in SUFFIXES and file.is_file())

"""The project's wheel, built from the checkout without a network."""

import fnmatch
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from trm.errors import UserError
from trm.untrusted import shown

CHECKOUT = Path(__file__).resolve().parents[2]
_BUILD = (
    "-m pip wheel . --no-deps --no-build-isolation --no-index --disable-pip-version-check --quiet --wheel-dir"
)


def build_wheel(folder: Path) -> Path:
    """Write the wheel of `trm`, `dis_trm` and the rest of the project into an existing folder; returns its file.

    It is built from a copy of the sources: an older build's leftovers would get into it, and its own into the checkout.

    Raises:
        UserError: this is no checkout, or setuptools is missing or too old.
    """
    if not (CHECKOUT / "pyproject.toml").is_file():
        raise UserError(
            f"{CHECKOUT} has no pyproject.toml",
            "a checkout of the project, from which the wheel is built",
            "give the same command in a checkout",
        )
    with tempfile.TemporaryDirectory() as copy:
        _copy_sources(Path(copy))
        command = [sys.executable, *_BUILD.split(), str(folder.resolve())]
        done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
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
    """What pyproject.toml lists, and nothing that was built or trained here."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    listed = project["tool"]["setuptools"]
    names = [f"{module}.py" for module in listed["py-modules"]]
    for name in [
        "pyproject.toml",
        project["project"]["readme"],
        *project["project"]["license-files"],
        *names,
    ]:
        shutil.copyfile(CHECKOUT / name, copy / name)
    for package in sorted(CHECKOUT.glob("*/__init__.py")):
        top = package.parent.name
        if any(fnmatch.fnmatchcase(top, pattern) for pattern in listed["packages"]["find"]["include"]):
            for source in _sources(package.parent):
                target = copy / source.relative_to(CHECKOUT)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)


def _sources(folder: Path) -> list[Path]:
    """The modules of a package and of the packages in it."""
    inner = [inside.parent for inside in sorted(folder.glob("*/__init__.py"))]
    return [*sorted(folder.glob("*.py")), *(source for package in inner for source in _sources(package))]

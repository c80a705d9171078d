"""The suite's core on every pair of a Python and a PyTorch that is supported: make test-matrix

Each pair has an environment in .matrix/, made once, and a log beside it. A Python that is missing, or a pair that
cannot be installed, is named and left out. The exit status is 1 where tests failed, or where no pair could be tried.

TORCH_ARGS: more arguments for the pip that fetches PyTorch, such as an index that has its builds for CPUs.
PAIRS: only some of them, such as "3.12-2.11.0 3.13-2.13.0".
"""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
FOLDER = REPOSITORY / ".matrix"
PYTHONS, TORCHES = ("3.11", "3.12", "3.13"), ("2.11.0", "2.13.0")
PAIRS = [f"{python}-{torch}" for torch in TORCHES for python in PYTHONS]
# What depends on Python, NumPy and PyTorch: numbers, strangers' files, compiling, checkpoints, training.
LABORATORY = (
    "cluster",
    "configuration",
    "files",
    "puzzles/test_layout.py",
    "puzzles/test_loading.py",
    "runs",
    "training",
)
CORE = ("trm", "dis_trm", "golden", "security", *(f"trm_lab/{part}" for part in LABORATORY))
# whole commands, waits of processes for each other: slow, and the same on every Python
LEFT_OUT = ("training/test_entries.py", "training/test_errors.py", "cluster/test_watchdog.py", "runs/test_hub.py")


class NotTriedError(Exception):
    """A pair that cannot be tried on this machine, and why."""


def chosen_pairs() -> list[str]:
    """The pairs that PAIRS names, or all."""
    names = os.environ.get("PAIRS", "").split() or PAIRS
    if unknown := [name for name in names if name not in PAIRS]:
        sys.exit(f"error: PAIRS has {' '.join(unknown)}\n  allowed: {' '.join(PAIRS)}\n  to do:   correct PAIRS")
    return names


def interpreters(version: str) -> Iterator[Path]:
    """Where a Python of this version may be: on the path, and among pyenv's."""
    if on_path := shutil.which(f"python{version}"):
        yield Path(on_path)
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from sorted(pyenv.glob(f"versions/{version}.*/bin/python"), reverse=True)


def interpreter(version: str) -> Path:
    """A Python of this version that runs; pyenv's own python3.12 on the path may be of no version."""
    question = f"import sys, venv; sys.exit('%d.%d' % sys.version_info[:2] != {version!r})"
    for candidate in interpreters(version):
        if subprocess.run([candidate, "-c", question], capture_output=True).returncode == 0:
            return candidate
    raise NotTriedError(f"no python{version} on this machine")


def run(command: Sequence[str | Path], log: Path) -> int:
    """The exit status of a command, whose output goes to the log."""
    with log.open("a", encoding="utf-8") as output:
        return subprocess.run(command, cwd=REPOSITORY, stdout=output, stderr=subprocess.STDOUT).returncode


def environment(pair: str, log: Path) -> Path:
    """The Python of the pair's environment, which is made unless it is there and complete."""
    version, torch = pair.split("-")
    folder = FOLDER / pair
    python, complete = folder / "bin" / "python", folder / "complete"
    if complete.exists():
        return python
    pinned = (REPOSITORY / "requirements.txt").read_text(encoding="utf-8")
    requirements = FOLDER / "requirements.txt"
    requirements.write_text("\n".join(line for line in pinned.split("\n") if not line.startswith("torch==")))
    pip: list[str | Path] = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    steps: list[list[str | Path]] = [
        [interpreter(version), "-m", "venv", "--clear", folder],
        [*pip, *shlex.split(os.environ.get("TORCH_ARGS", "")), f"torch=={torch}"],
        [*pip, "-r", requirements],
    ]
    for step in steps:
        if run(step, log):
            raise NotTriedError(f"{shlex.join(map(str, step))} failed, see {log}")
    complete.touch()
    return python


def passes(pair: str) -> bool:
    """Whether the core passes on the pair; prints pytest's summary."""
    log, start = FOLDER / f"{pair}.log", time.monotonic()
    log.write_text("", encoding="utf-8")
    tests = [*(f"tests/{part}" for part in CORE), *(f"--ignore=tests/trm_lab/{part}" for part in LEFT_OUT)]
    python = environment(pair, log)
    status = run([python, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", *tests], log)
    lines = log.read_text(encoding="utf-8").splitlines()
    summary = next((line for line in reversed(lines) if re.search(r"\d (passed|failed|error)", line)), "no summary")
    result = "passed" if status == 0 else "FAILED"
    print(f"{pair}: {result}: {summary} ({time.monotonic() - start:.0f} s); {log}", flush=True)
    return status == 0


def main(arguments: Sequence[str] = ()) -> int:
    """Try the pairs, one after the other; there are no arguments but `--help`."""
    layout = argparse.RawDescriptionHelpFormatter
    argparse.ArgumentParser("python -m tests.matrix", description=__doc__, formatter_class=layout).parse_args(arguments)
    pairs, results = chosen_pairs(), []
    FOLDER.mkdir(exist_ok=True)
    for pair in pairs:
        try:
            results.append(passes(pair))
        except NotTriedError as reason:
            print(f"{pair}: not tried: {reason}", flush=True)
    return 0 if results and all(results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Starting infra's scripts with the stub trainer, and waiting for what it writes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.runs import REPOSITORY, environment

INFRA = REPOSITORY / "infra"
STUBS = Path(__file__).parent / "stubs"
STUB_TRAINER = Path(__file__).with_name("stub_trainer.py")


def started(words: Sequence[str], folder: Path, **variables: str) -> subprocess.Popen[str]:
    """A script in a process group of its own, with this Python as `python`."""
    env = {**environment(), "PYTHON": sys.executable, "STUB_CALLS": str(folder / "calls"), **variables}
    env["PATH"] = f"{STUBS}:{Path(sys.executable).parent}:{env['PATH']}"
    return subprocess.Popen(
        words, cwd=folder, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )


def torchrun(folder: Path, *words: str, ranks: int = 1, **variables: str) -> subprocess.Popen[str]:
    """infra/torchrun.sh on the stub trainer."""
    options = ["--standalone", f"--nproc-per-node={ranks}", "--max-restarts=1"]
    command = [str(INFRA / "torchrun.sh"), *options, str(STUB_TRAINER), f"folder={folder}", *words]
    return started(command, folder, **variables)


def wait_for(folder: Path, event: str, count: int, process: subprocess.Popen[str]) -> None:
    """Until `count` ranks wrote this event."""
    begin = time.monotonic()
    while len(list(folder.glob(f"{event}_*"))) < count:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() - begin < 120, f"no {event}"
        time.sleep(0.05)


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code and output; what is left of the process's group is killed."""
    try:
        output, _ = process.communicate(timeout=180)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, output

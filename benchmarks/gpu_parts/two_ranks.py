"""Part 8: two ranks train as one does, and a rank that fails ends the job."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from benchmarks.gpu_parts.agreement import farthest
from benchmarks.gpu_parts.part import Row, verdict

NAME = "dis-compact-nqueens-b256-float32-off"
ALLOWED = 1e-3  # of a loss, relative, after ten steps
PATIENCE = 60.0  # seconds within which the job must have ended
OUTER_JOB = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


def measure(device: torch.device, name: str = NAME) -> Iterator[Row]:
    """Losses of one rank and of two, then the job whose second rank fails."""
    with tempfile.TemporaryDirectory() as folder:
        one, two, failed = (Path(folder) / file for file in ("one.json", "two.json", "failed"))
        for ranks, file in ((1, one), (2, two)):
            start(ranks, name, str(file), device.type).wait()
        losses = [
            json.loads(file.read_text(encoding="utf-8")) if file.exists() else [float("nan")] for file in (one, two)
        ]
        yield {"table": "Two ranks", "what": "losses beside those of one rank", **compared(*losses)}
        yield {"table": "Two ranks", "what": "a rank that fails ends the job", **ended(name, failed, device.type)}


def start(ranks: int, *words: str) -> subprocess.Popen[bytes]:
    """Start `rank_steps` on this many ranks of this machine."""
    environment = {key: value for key, value in os.environ.items() if key not in OUTER_JOB}
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={ranks}"]
    return subprocess.Popen(
        [sys.executable, *launcher, "-m", "benchmarks.gpu_parts.rank_steps", *words], env=environment
    )


def compared(one: list[float], two: list[float]) -> Row:
    """The largest relative difference of the losses."""
    difference = farthest(two, one) if len(one) == len(two) else float("nan")
    return {"measured": difference, "allowed": ALLOWED, "": verdict(difference, ALLOWED)}


def ended(name: str, failed: Path, device: str) -> Row:
    """Seconds from a rank's failure to the end of the job, which must end in time and with an error."""
    job = start(2, name, str(failed), device, "--failing")
    while not failed.exists() and job.poll() is None:
        time.sleep(0.1)
    began = time.monotonic()
    try:
        code = job.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        job.terminate()
        job.wait()
        code = 0
    seconds = time.monotonic() - began
    happened = failed.exists() and code != 0
    return {"measured": seconds, "allowed": PATIENCE, "": verdict(seconds if happened else float("nan"), PATIENCE)}

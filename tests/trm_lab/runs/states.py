"""Small training states, and a file system that is soon full."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.runs import REPOSITORY, environment
from trm_lab.runs import checkpoints
from trm_lab.runs.checkpoints import TrainingState


def state(step: int) -> dict[str, Any]:
    return {
        "step": step,
        "data": {"iteration": 1, "set": 0, "cursor": step},
        "records_bytes": 0,
        "config": {"lr": 1e-4},
    }


def content(step: int, numbers: int = 12) -> TrainingState:
    """A state whose every part says which step it is of."""
    tensors = {"a": torch.full((numbers,), float(step)), "b": torch.tensor(step)}
    carry = {"halted": torch.tensor([True, False]), "z_H": torch.ones(2, 3, dtype=torch.bfloat16).expand(2, 3)}
    return TrainingState(model=tensors, ema={}, optimizer=tensors, carry=carry, state=state(step))


def save(root: Path, step: int, keep: bool = False) -> Path:
    folder = root / f"step_{step}"
    checkpoints.save(folder, content(step), keep)
    return folder


def names(root: Path) -> list[str]:
    """The checkpoints there, and nothing else that looks like one."""
    return sorted(p.name for p in root.glob("step_*"))


def run_on_small_disk(program: str, folder: Path, kibibytes: int) -> str:
    """What a program prints whose first argument is an empty file system of that size, gone with the process."""
    if sys.platform != "linux" or shutil.which("unshare") is None:
        pytest.skip("needs Linux's unshare")
    folder.mkdir()
    mount = f'mount -t tmpfs -o size={kibibytes}k small "$1" && exec "$2" -c "$3" "$1"'
    words = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount]
    if subprocess.run([*words[:4], "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine does not let a user mount a tmpfs")
    done = subprocess.run(
        [*words, "sh", str(folder), sys.executable, program],
        cwd=REPOSITORY,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def flip(file: Path, position: int, mask: int = 1) -> None:
    """Change the bits of `mask` in one byte."""
    data = bytearray(file.read_bytes())
    data[position] ^= mask
    file.write_bytes(data)

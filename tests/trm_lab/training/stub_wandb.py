"""Stands in for the package `wandb` in the process that mirrors a run; what it is told goes to the file STUB_WANDB_LOG.

STUB_WANDB says what goes wrong: `no key`, `silent server`, `init`, `log`, `finish`, and any number of them.
"""

import json
import os
import time
from types import SimpleNamespace
from typing import Any

FAULTS = os.environ.get("STUB_WANDB", "")
HANGS = 1000.0  # seconds


class Error(Exception):
    """As the package's own."""


class Settings(SimpleNamespace):
    """As the package's own."""


def told(**what: Any) -> None:
    with open(os.environ["STUB_WANDB_LOG"], "a") as log:
        log.write(json.dumps(what) + "\n")


class Run:
    """A run; the server has the records before step STUB_WANDB_STEP of it."""

    def __init__(self) -> None:
        self.step = int(os.environ.get("STUB_WANDB_STEP", 0))
        self.resumed = self.step > 0

    def log(self, numbers: dict[str, float], step: int) -> None:
        if "log" in FAULTS:
            raise OSError(28, "No space left on device")
        told(step=step, loss=numbers.get("train/loss"))

    def finish(self) -> None:
        if "finish" in FAULTS:
            time.sleep(HANGS)
        told(finished=True)


def init(mode: str, **given: Any) -> Run:
    if "init" in FAULTS and mode == "online":
        raise Error("permission denied\nat length")
    told(mode=mode, id=given["id"], project=given["project"], dir=given["dir"], seed=given["config"]["seed"])
    return Run()


def login(verify: bool) -> bool:
    if "no key" in FAULTS:
        raise Error("No API key configured. Use `wandb login` to log in.")
    if verify and "silent server" in FAULTS:
        time.sleep(HANGS)
    return True


def setup() -> Any:
    raise AssertionError("the address is in WANDB_BASE_URL")


def teardown() -> None:
    told(teardown=True)

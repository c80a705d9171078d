"""Further places for a run's records: wandb, TensorBoard. metrics.jsonl is the truth; no mirror delays or ends a run.

A mirror is a process of its own (`mirror_process`) that follows metrics.jsonl. Whether it can work is known before the
run starts; whatever happens to it later is said in a line.
"""

import json
import netrc
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from trm.errors import UserError, shown
from trm_lab.commands.project_root import PROJECT_ROOT
from trm_lab.configuration.train_config import TrainConfig
from trm_lab.runs.run_directory import RunDirectory

IMPORT_SECONDS = 60.0  # for a mirror's package, from a disk that may be slow
CONNECT_SECONDS = 12.0  # for wandb's server to answer and to take the key
FINISH_SECONDS = 20.0  # after the run's end, for what is still to be sent
WANDB_HOSTS = ("api.wandb.ai", "api.forge.coreweave.com")  # where keys are by default, by the version of the package
MODES = {"online": "online", "run": "online", "offline": "offline", "dryrun": "offline", "disabled": "disabled"}


class Mirror:
    """A process that shows the records of one run elsewhere."""

    def __init__(self, kind: str, **request: Any) -> None:
        """Start it; `refusal` says whether it can work."""
        environment = {key: value for key, value in os.environ.items() if key != "WANDB_MODE"}
        paths = filter(None, [str(PROJECT_ROOT), os.environ.get("PYTHONPATH")])
        self.kind = kind
        self._process = subprocess.Popen(
            [sys.executable, "-m", "trm_lab.training.mirror_process", kind, str(FINISH_SECONDS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**environment, "PYTHONPATH": os.pathsep.join(paths)},
            start_new_session=True,  # not ended with the run, but at its end
        )
        self._send(request)

    def refusal(self) -> str | None:
        """Why it cannot work; None where it can. Waits so long as an import and a connection may take."""
        word, why = self._answer(IMPORT_SECONDS)
        if word == "key":
            word, why = self._answer(CONNECT_SECONDS)
        return None if word == "ready" else why

    def follow(self, run: Mapping[str, Any]) -> None:
        """Show the records of a run, whose `metrics` and `folder` are there, from now on."""
        self._send(run)

    def close(self) -> None:
        """Let it end, and end it where it does not."""
        if self._process.poll() is None:
            with suppress(OSError):
                assert self._process.stdin is not None
                self._process.stdin.close()
            try:
                self._process.wait(FINISH_SECONDS + 5)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """End it now."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _send(self, message: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        with suppress(OSError):  # it has ended, and said why
            self._process.stdin.write((json.dumps(message) + "\n").encode())
            self._process.stdin.flush()

    def _answer(self, seconds: float) -> tuple[str, str]:
        """The next line that it answers: a word, and why."""
        assert self._process.stdout is not None
        line, until = b"", time.monotonic() + seconds
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, until - time.monotonic()))
            part = os.read(self._process.stdout.fileno(), 1) if ready else b""
            if not part:
                return "refused", "it ended at once" if ready else f"no answer within {seconds:g} seconds"
            line += part
        answered = json.loads(line)
        return answered["word"], answered["why"]


def open_mirrors(config: TrainConfig) -> list[Mirror]:
    """The mirrors that the configuration asks for, before anything of the run starts.

    Raises:
        UserError: one that was asked for cannot work; `wandb=auto` does without, and says so.
    """
    folder = RunDirectory.of(config).path
    mode = wandb_mode(config.wandb)
    if mode != "disabled":
        _check_place(folder / "wandb", "wandb=disabled")
    mirrors = []
    if config.tensorboard:
        _check_place(folder / "tensorboard", "tensorboard=False")
        mirrors.append(_tensorboard())
    try:
        return mirrors + _wandb(mode, chosen=config.wandb != "auto")
    except UserError:
        for mirror in mirrors:
            mirror.kill()
        raise


def wandb_mode(choice: str) -> str:
    """online, offline or disabled; `auto` is what WANDB_MODE says, else online where the user has logged in.

    Raises:
        UserError: WANDB_MODE is something else.
    """
    if choice == "disabled":
        return choice
    variable = os.environ.get("WANDB_MODE", "").strip()
    if variable and variable not in MODES:
        raise UserError(
            f"WANDB_MODE={shown(variable, 40)} in the environment",
            "online, offline or disabled, or no such variable",
            "correct it or unset it, or say wandb=disabled",
        )
    if choice != "auto":
        return choice
    if variable:
        return MODES[variable]
    return "online" if _logged_in() else "disabled"


def follow_run(mirrors: list[Mirror], config: TrainConfig, run: RunDirectory, offset: int) -> None:
    """Show what a run records; of its records the first `offset` bytes are of earlier launches."""
    if not mirrors:
        return
    project = config.project_name or f"{Path(config.data_paths[0]).name}-{config.arch['supervision']}"
    for mirror in mirrors:
        mirror.follow(
            {
                "folder": str(run.path.resolve()),
                "name": run.path.name,
                "metrics": str(run.metrics.resolve()),
                "project": project,
                "identity": run.identity(),
                "config": vars(config),
                "offset": offset,
            }
        )


def _wandb(mode: str, chosen: bool) -> list[Mirror]:
    """wandb in this mode or, if that is not the user's own choice, as near to it as can be."""
    if mode == "disabled":
        return []
    mirror = Mirror("wandb", mode=mode)
    why = mirror.refusal()
    if why is None:
        return [mirror]
    mirror.kill()
    if chosen:
        raise UserError(
            f"wandb={mode} cannot work: {shown(why)}",
            "a key (`wandb login`, or WANDB_API_KEY) and a network that reaches wandb, or wandb=offline | disabled",
            "log in, or say wandb=offline (to send it later with `wandb sync`) or wandb=disabled",
        )
    if mode == "online":
        print(f"wandb cannot be used online ({shown(why)}): recorded offline, for `wandb sync`", flush=True)
        return _wandb("offline", chosen=False)
    print(f"wandb cannot be used ({shown(why)}): the records are in metrics.jsonl alone", flush=True)
    return []


def _tensorboard() -> Mirror:
    mirror = Mirror("tensorboard")
    why = mirror.refusal()
    if why is None:
        return mirror
    mirror.kill()
    raise UserError(
        f"tensorboard=True cannot work: {shown(why)}",
        "the package tensorboard, or tensorboard=False",
        "pip install tensorboard",
    )


def _check_place(folder: Path, remedy: str) -> None:
    """UserError unless a mirror may write into this folder of the run: never through a link."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise UserError(
            f"{folder} is {'a link' if folder.is_symlink() else 'no folder'}",
            "a folder of the run's own, or none",
            f"move it away, choose another checkpoint_path, or say {remedy}",
        )


def _logged_in() -> bool:
    """Whether there is a key for wandb's server."""
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    address = os.environ.get("WANDB_BASE_URL")
    hosts = [urlsplit(address).netloc] if address else WANDB_HOSTS
    try:
        logins = netrc.netrc(os.environ.get("NETRC"))
        return any(logins.authenticators(host) for host in hosts)
    except (OSError, ValueError, netrc.NetrcParseError):
        return False

"""Launches of an entry on one rank or several: forked from a warm process, or by the true command line."""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.runs import NARROW, REPOSITORY, environment

GRACE_SECONDS = 4.0  # from SIGTERM to SIGKILL for the peers of a rank that died
POLL_SECONDS = 0.002


class WarmServer:
    """Starts launches from a process that has made the imports."""

    def __init__(self) -> None:
        self._codes: dict[int, int] = {}
        self._started: list[int] = []
        self._unread = b""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.warm"],
            cwd=REPOSITORY,
            env={**environment(), "OPENBLAS_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        threads = json.loads(self._process.stdout.readline())["threads"]
        assert threads == 1, f"{threads} threads: a fork would not be the same as a start"
        os.set_blocking(self._process.stdout.fileno(), False)

    def start(self, words: Sequence[str], folder: Path, log: Path, variables: Mapping[str, str]) -> int:
        """The process number of a new launch."""
        request = {"words": [*words], "folder": str(folder), "log": str(log), "variables": {**variables}}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        while not self._started:
            self._listen(1.0)
        return self._started.pop()

    def code(self, pid: int) -> int | None:
        """How a launch ended (negative: by that signal); None while it runs."""
        self._listen(0.0)
        return self._codes.get(pid)

    def close(self) -> None:
        """End the server."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _listen(self, seconds: float) -> None:
        stream = self._process.stdout
        assert stream is not None
        if not select.select([stream], [], [], seconds)[0]:
            return
        received = os.read(stream.fileno(), 65_536)
        assert received, "the warm server ended"
        *lines, self._unread = (self._unread + received).split(b"\n")
        for line in lines:
            reply = json.loads(line)
            if "started" in reply:
                self._started.append(reply["started"])
            else:
                self._codes[reply["ended"]] = reply["code"]


class Launch:
    """One launch under way. code: how it ended, None while it runs."""

    code: int | None = None

    def ranks(self) -> list[int]:
        """Process numbers of its ranks now."""
        raise NotImplementedError

    def look(self) -> None:
        """Notice what ended; see to the rest as torchrun does."""
        raise NotImplementedError

    def kill(self) -> None:
        """SIGKILL to all of it at once."""
        raise NotImplementedError

    def ask(self, number: signal.Signals) -> None:
        """Send every rank a signal, as a scheduler does."""
        for pid in self.ranks():
            send(pid, number)

    def wait(self, seconds: float) -> None:
        """Until it ends; killed after `seconds`, which fails the round."""
        deadline = time.monotonic() + seconds
        while self.code is None:
            self.look()
            if time.monotonic() > deadline:
                self.kill()
                raise TimeoutError(f"a launch was still running after {seconds:.0f} s")
            time.sleep(POLL_SECONDS)


class WarmLaunch(Launch):
    """Forked ranks; when one dies, its peers get SIGTERM and all start again while `restarts` last."""

    def __init__(
        self,
        server: WarmServer,
        script: str,
        overrides: Sequence[str],
        folder: Path,
        log: Path,
        ranks: int = 1,
        restarts: int = 0,
        first_rank: Mapping[str, str] | None = None,
    ) -> None:
        """
        Args:
            first_rank: variables of the first rank's first start.
        """
        self._server, self._folder, self._log, self._size = server, folder, log, ranks
        self._words, self._restarts = [str(REPOSITORY / script), *NARROW, *overrides], restarts
        self._stopping_since: float | None = None
        self._pids = self._start(first_rank or {})

    def _start(self, first_rank: Mapping[str, str]) -> list[int]:
        common: dict[str, str] = {}
        if self._size > 1:
            port = str(free_port())
            common |= {"WORLD_SIZE": str(self._size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
            common |= {"LOCAL_WORLD_SIZE": str(self._size)}
        pids = []
        for rank in range(self._size):
            own = {"RANK": str(rank), "LOCAL_RANK": str(rank)} if self._size > 1 else {}
            variables = {**common, **own, **(first_rank if rank == 0 else {})}
            pids.append(self._server.start(self._words, self._folder, self._log, variables))
        return pids

    def ranks(self) -> list[int]:
        return [pid for pid in self._pids if self._server.code(pid) is None]

    def look(self) -> None:
        codes = [self._server.code(pid) for pid in self._pids]
        ended = [code for code in codes if code is not None]
        if len(ended) == len(codes):
            self._all_ended(ended)
        elif any(ended):
            now = time.monotonic()
            if self._stopping_since is None:
                self._stopping_since, self._reason = now, next(code for code in ended if code)
                self.ask(signal.SIGTERM)
            elif now - self._stopping_since > GRACE_SECONDS:
                self.ask(signal.SIGKILL)

    def _all_ended(self, codes: list[int]) -> None:
        failed = [code for code in codes if code]
        code = self._reason if self._stopping_since is not None else (failed[0] if failed else 0)
        self._stopping_since = None
        if code in (0, 2) or self._restarts == 0:  # as infra/torchrun.sh: a user error is not tried again
            self.code = code
            return
        self._restarts -= 1
        self._pids = self._start({})

    def kill(self) -> None:
        self._restarts = 0
        self.ask(signal.SIGKILL)
        while self.ranks():
            time.sleep(POLL_SECONDS)
        self.code = -signal.SIGKILL


class CommandLaunch(Launch):
    """The true command line: python, or torchrun with restarts."""

    def __init__(
        self, script: str, overrides: Sequence[str], folder: Path, log: Path, ranks: int = 1, restarts: int = 0
    ) -> None:
        launcher = [sys.executable]
        if ranks > 1:
            launcher += ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={ranks}"]
            launcher += [f"--max-restarts={restarts}"]
        words = [*launcher, str(REPOSITORY / script), *NARROW, *overrides]
        self._several = ranks > 1
        variables = {**environment(), "TORCH_ELASTIC_SHUTDOWN_TIMEOUT": str(int(GRACE_SECONDS))}
        with log.open("a") as stream:
            self._process = subprocess.Popen(words, cwd=folder, env=variables, stdout=stream, stderr=subprocess.STDOUT)

    def ranks(self) -> list[int]:
        if not self._several:
            return [self._process.pid] if self._process.poll() is None else []
        return children(self._process.pid)

    def look(self) -> None:
        self.code = self._process.poll()

    def ask(self, number: signal.Signals) -> None:
        """torchrun passes SIGTERM on; of SIGUSR1 it would die."""
        self._process.send_signal(signal.SIGTERM if self._several else number)

    def kill(self) -> None:
        ranks = self.ranks()
        self._process.kill()
        for pid in ranks:
            send(pid, signal.SIGKILL)
        self.code = self._process.wait()
        while any(alive(pid) for pid in ranks):
            time.sleep(POLL_SECONDS)


def children(pid: int) -> list[int]:
    """The processes that a process started and that still run."""
    found = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


def alive(pid: int) -> bool:
    """Whether a process runs, zombies apart."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return text[text.rindex(")") + 2] not in "ZX"


def send(pid: int, number: signal.Signals) -> None:
    """A signal to a process that may be gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])

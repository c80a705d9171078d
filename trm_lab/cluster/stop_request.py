"""Being asked to stop: SIGTERM and SIGUSR1 let the loop save first and leave with a code that means "requeue me".

What torchrun does with them (2.13, measured; infra/ relies on it):

- SIGTERM to torchrun goes on to every worker at once; after `--shutdown-timeout` (30 s) those that still run get
  SIGKILL. Workers are sessions of their own: a signal to torchrun's process group does not reach them otherwise.
- SIGUSR1 to torchrun ends it at once, and the workers run on without it, unless
  `--signals-to-handle=SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1` is given: then it is passed on as SIGTERM is.
- Asked like this torchrun restarts nobody, whatever `--max-restarts` says, and always exits with 1, whatever its
  workers exit with: who asked has to remember it. A worker that exits with 75 unasked is a failure like any other:
  its peers get SIGTERM, and all are restarted while `--max-restarts` lasts.
"""

import os
import signal
import threading
from collections import deque
from types import FrameType
from typing import Any

from trm_lab.cluster.arriving import Arriving
from trm_lab.cluster.ranks import Ranks

EXIT_REQUEUE = 75  # EX_TEMPFAIL of sysexits.h: the same command again goes on
STOPPING = (signal.SIGTERM, signal.SIGUSR1)


class Requeue(SystemExit):
    """Raised once everything is saved: the process ends with `EXIT_REQUEUE`, and no traceback."""

    def __init__(self, asked_by: str) -> None:
        self.asked_by = asked_by
        super().__init__(EXIT_REQUEUE)


class StopRequest:
    """Notes the first SIGTERM or SIGUSR1 for the loop to act on; SIGINT stays KeyboardInterrupt.

    Handlers belong to the main thread: in another one nothing is installed, and nothing is ever requested.
    """

    def __init__(self) -> None:
        self.requested: str | None = None
        self._of_all: deque[Arriving] = deque()  # ranks with a request, at calls of `of_any`
        self._before: dict[signal.Signals, Any] = {}
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in STOPPING}

    def of_any(self, ranks: Ranks) -> bool:
        """Whether any rank has a request; every rank calls it.

        On a GPU the answer is that of the call before, so that the host need not wait for the work queued since.
        """
        self._of_all.append(Arriving(ranks.sum_(ranks.on_device([self.requested is not None]))))
        return len(self._of_all) > (ranks.device.type == "cuda") and self._of_all.popleft().read()[0] > 0

    def close(self) -> None:
        """Give the signals back to whoever handled them before."""
        before, self._before = self._before, {}
        for number, handler in before.items():
            # None: installed by something that is not Python, and cannot be put back from here
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def __enter__(self) -> "StopRequest":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _note(self, number: int, frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if self.requested is None:
            self.requested = name
            _say(f"{name}: saving after this step, then leaving")
        else:
            _say(f"{name} again: already saving; SIGKILL would lose the steps since the last checkpoint")


def _say(text: str) -> None:
    """Straight to the descriptor: a handler may interrupt a print, which is not made for it."""
    try:
        os.write(2, f"{text}\n".encode())
    except OSError:  # nobody reads any more
        return

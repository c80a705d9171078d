"""Imported first by a command: an interrupt while its libraries load ends it in one line, without a traceback."""

import os
import sys
from types import TracebackType


def _hook(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
        return
    print("interrupted", file=sys.stderr, flush=True)
    os._exit(130)  # as `command_line.EXIT_INTERRUPTED`, which is slow to import


sys.excepthook = _hook

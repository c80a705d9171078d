"""A process with an entry's imports already made, which forks a child for each launch that it is asked for.

A child is the entry: it gets the command line, folder, environment and output of the request, runs the script as
`__main__` and ends as an interpreter does, its threads awaited and its exit functions called, but for freeing memory.
The server has a single thread, so a fork leaves nothing half-held.

    python -m tests.chaos.warm      requests on stdin and replies on stdout, one JSON object a line
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import select
import sys
import threading
import traceback
from typing import Any

POLL_SECONDS = 0.004
IMPORTS = (  # an entry's own, and what torch and Hydra import at the first optimizer and override
    "dis_trm.supervision",
    "tests.chaos.hooks",
    "trm.act",
    "trm_lab.training.launch",
    "torch._dynamo",
    "torch.distributed.elastic.multiprocessing.errors",
    "hydra._internal.hydra",
    "hydra.core.override_parser.overrides_parser",
    "hydra._internal.core_plugins.basic_launcher",
    "hydra._internal.core_plugins.basic_sweeper",
)


def serve() -> dict[str, Any] | None:
    """Fork for each request until stdin ends; in a child: its request, in the server: None."""
    print(json.dumps({"threads": len(os.listdir("/proc/self/task"))}), flush=True)
    unread = b""
    while True:
        _report_ended()
        if not select.select([0], [], [], POLL_SECONDS)[0]:
            continue
        received = os.read(0, 65_536)
        if not received:
            return None
        *lines, unread = (unread + received).split(b"\n")
        for line in lines:
            pid = os.fork()
            if pid == 0:
                return dict(json.loads(line))
            print(json.dumps({"started": pid}), flush=True)


def become(request: dict[str, Any]) -> None:
    """Be the launch that was asked for: words, folder, log, variables."""
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor, source in ((0, nothing), (1, log), (2, log)):
        os.dup2(source, descriptor)
    os.environ.update(request["variables"])
    os.chdir(request["folder"])
    script, *words = request["words"]
    sys.argv = [script, *words]
    sys.path[0] = os.path.dirname(script)
    from tests.chaos.hooks import install

    install()
    code: object = 0
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as left:
        code = left.code
    except BaseException:
        traceback.print_exc()
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0)


def _report_ended() -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        print(json.dumps({"ended": pid, "code": os.waitstatus_to_exitcode(status)}), flush=True)


def _import() -> None:
    """What an entry imports by itself or at its first step."""
    for name in IMPORTS:
        importlib.import_module(name)
    gc.freeze()


if __name__ == "__main__":
    _import()
    mine = serve()
    if mine is not None:
        become(mine)

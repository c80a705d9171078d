"""A process of its own that shows a run's records elsewhere: wandb, TensorBoard.

It follows metrics.jsonl, so that whatever the other side does (hang, raise, ask, take its time to end) happens here and
never to the run. `mirrors.py` starts it: `python -m trm_lab.training.mirror_process wandb|tensorboard SECONDS`.
Each line of its input is a JSON object: first a request, which it answers, then which run to show; the end of the
input is the end of the run.
"""

import json
import os
import queue
import signal
import ssl
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn, Protocol

from trm.errors import report

POLL_SECONDS = 1.0  # between two looks at metrics.jsonl
REACH_SECONDS = 5  # for an answer of wandb's server
INIT_SECONDS = 30.0  # for wandb to begin a run

Json = dict[str, Any]
Answer = Callable[[str, str], None]  # a word, and why


class Sink(Protocol):
    """Where records go."""

    def write(self, record: Json) -> None: ...

    def close(self) -> None: ...


class RefusedError(Exception):
    """This mirror cannot work, and why."""


class WandbSink:
    """A wandb run; `identity` stays the same over the launches of one run and no other."""

    def __init__(self, run: Json) -> None:
        import wandb

        self._wandb, self._first = wandb, 0
        settings = wandb.Settings(init_timeout=INIT_SECONDS)
        settings_of_run = {key: run[key] for key in ("project", "name", "config")}
        settings_of_run |= {"dir": run["folder"], "id": run["identity"], "resume": "allow", "settings": settings}
        try:
            self._run = wandb.init(mode=run["mode"], **settings_of_run)
        except wandb.Error as error:
            if run["mode"] == "offline":
                raise
            say("wandb", error, "the run is recorded offline; `wandb sync` sends it later")
            self._run = wandb.init(mode="offline", **settings_of_run)
        if run["mode"] == "online" and self._run.resumed:
            self._first = self._run.step  # behind what the server has

    @staticmethod
    def check(request: Json, answer: Answer) -> None:
        """RefusedError if wandb is not there or, online, if there is no key or a server that takes it."""
        try:
            import wandb
        except ImportError as error:
            raise RefusedError(f"the package cannot be imported ({error}): pip install wandb") from error
        if request["mode"] == "offline":
            return
        try:
            if not wandb.login(verify=False):
                raise RefusedError("there is no API key")
            answer("key", "")
            reach(os.environ.get("WANDB_BASE_URL") or wandb.setup().settings.base_url)
            wandb.login(verify=True)
        except wandb.Error as error:
            raise RefusedError(one_line(error)) from error

    def write(self, record: Json) -> None:
        if record["step"] >= self._first:
            self._run.log(dict(numbers(record, record["kind"])), step=record["step"])

    def close(self) -> None:
        self._run.finish()
        self._wandb.teardown()


class TensorBoardSink:
    """Event files in the run's folder, made anew from all records by each launch: so no record is there twice."""

    def __init__(self, run: Json) -> None:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self._event, self._summary = Event, Summary
        folder = Path(run["folder"]) / "tensorboard"
        folder.mkdir(exist_ok=True)
        for file in folder.glob("events.out.tfevents.*"):
            file.unlink()
        self._writer = EventFileWriter(str(folder), flush_secs=5)
        start = SessionLog(status=SessionLog.START)  # a viewer drops what it has read of an earlier launch
        self._writer.add_event(Event(step=0, wall_time=time.time(), session_log=start))

    @staticmethod
    def check(request: Json, answer: Answer) -> None:
        """RefusedError if the package is not there."""
        try:
            import tensorboard.summary.writer.event_file_writer  # noqa: F401
        except ImportError as error:
            raise RefusedError(f"the package cannot be imported ({error}): pip install tensorboard") from error

    def write(self, record: Json) -> None:
        values = [
            self._summary.Value(tag=tag, simple_value=value)
            for tag, value in numbers(record, record["kind"])
            if tag != f"{record['kind']}/step"
        ]
        event = self._event(step=record["step"], wall_time=time.time(), summary=self._summary(value=values))
        self._writer.add_event(event)

    def close(self) -> None:
        self._writer.close()


SINKS: dict[str, Any] = {"wandb": WandbSink, "tensorboard": TensorBoardSink}


def numbers(record: Any, prefix: str) -> Iterable[tuple[str, float]]:
    """Every number of a nested record under a slashed name."""
    if isinstance(record, Mapping):
        pairs: Iterable[tuple[Any, Any]] = record.items()
    elif isinstance(record, list):
        pairs = enumerate(record, start=1)
    else:
        if isinstance(record, int | float) and not isinstance(record, bool):
            yield prefix, record
        return
    for key, value in pairs:
        yield from numbers(value, f"{prefix}/{key}")


def reach(address: str) -> None:
    """RefusedError unless a web server answers; whatever it answers."""
    try:
        urllib.request.urlopen(address, timeout=REACH_SECONDS).close()
    except urllib.error.HTTPError:
        return
    except (OSError, ValueError) as error:
        if isinstance(getattr(error, "reason", None), ssl.SSLError):
            return  # wandb may be told to trust it
        raise RefusedError(f"{address} cannot be reached: {one_line(error)}") from error


def follow(sink: Sink, metrics: Path, start: int, ended: threading.Event) -> None:
    """Give the sink every whole record of a file that grows, from byte `start`, until the run has ended."""
    with metrics.open("rb") as stream:
        stream.seek(start)
        while True:
            last = ended.is_set()  # before reading: the run writes nothing afterwards
            while True:
                position = stream.tell()
                line = stream.readline()
                if not line.endswith(b"\n"):
                    stream.seek(position)
                    break
                sink.write(json.loads(line))
            if last:
                return
            ended.wait(POLL_SECONDS)


def one_line(error: object) -> str:
    """The first line of what an error says."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def say(kind: str, error: object, consequence: str) -> None:
    """Say on stderr what went wrong with this mirror."""
    report(f"{kind}: {one_line(error)}", f"training goes on; {consequence}")


def mirror(kind: str, request: Json, answer: Answer, runs: "queue.SimpleQueue[Json]", ended: threading.Event) -> None:
    """Check whether it can work, then show the run that comes through `runs` until it has `ended`.

    Works in a thread of its own, so that the process ends in time whatever a library does.
    """
    ready = False

    def complain(failure: threading.ExceptHookArgs) -> None:
        """What a library raised, in place of its traceback."""
        if ready:
            say(kind, failure.exc_value, f"{kind} gets no more records; metrics.jsonl has them all")
        else:
            answer("refused", one_line(failure.exc_value))

    threading.excepthook = complain
    sink_class = SINKS[kind]
    try:
        sink_class.check(request, answer)
    except RefusedError as refusal:
        answer("refused", str(refusal))
        return
    answer("ready", "")
    ready = True
    run = {**request, **runs.get()}
    sink = sink_class(run)
    start = run["offset"] if run.get("mode") == "offline" else 0
    follow(sink, Path(run["metrics"]), start, ended)
    sink.close()


def main(kind: str, seconds: float) -> NoReturn:
    """Mirror one run, and end within `seconds` of the end of the input."""
    replies = os.dup(1)
    os.dup2(2, 1)  # what libraries print goes to stderr
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a run that is stopped still has its last records shown

    def answer(word: str, why: str) -> None:
        os.write(replies, (json.dumps({"word": word, "why": why}) + "\n").encode())

    request, run = sys.stdin.readline(), ""
    if request:
        runs, ended = queue.SimpleQueue[Json](), threading.Event()
        arguments = (kind, json.loads(request), answer, runs, ended)
        thread = threading.Thread(target=mirror, args=arguments, daemon=True)
        thread.start()
        run = sys.stdin.readline()
    if run:
        runs.put(json.loads(run))
        sys.stdin.read()  # to its end, which is the run's
        ended.set()
        thread.join(seconds)
        if thread.is_alive():
            late = f"it did not end within {seconds:g} seconds"
            say(kind, late, "what was not sent stays here; metrics.jsonl has all records")
    sys.stderr.flush()
    if os.getpgid(0) == os.getpid():
        os.killpg(0, signal.SIGKILL)  # with the helpers of the library
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))

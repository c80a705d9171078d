"""SIGTERM and SIGUSR1 are noted, not obeyed at once; the process leaves with a code that asks to be queued again."""

import os
import signal
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest

from tests.runs import REPOSITORY, environment
from tests.several_ranks import on_ranks
from trm_lab.cluster.ranks import Ranks
from trm_lab.cluster.stop_request import EXIT_REQUEUE, Requeue, StopRequest


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_is_noted_and_a_second_one_ignored_with_a_word(
    number: signal.Signals, capfd: pytest.CaptureFixture[str]
) -> None:
    with StopRequest() as stop:
        assert stop.requested is None
        os.kill(os.getpid(), number)
        assert stop.requested == number.name
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.requested == number.name
    said = capfd.readouterr().err.splitlines()
    assert said[0].startswith(f"{number.name}: saving")
    assert said[1].startswith("SIGTERM again")


def test_the_handlers_of_before_come_back() -> None:
    got: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: got.append(number))
    try:
        with pytest.raises(RuntimeError, match="fell over"), StopRequest():
            raise RuntimeError("fell over")
        os.kill(os.getpid(), signal.SIGUSR1)
        assert got == [signal.SIGUSR1]
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_an_interrupt_from_the_keyboard_stays_one() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it
    with StopRequest() as stop, pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
    signal.signal(signal.SIGINT, before)
    assert stop.requested is None


def request_on(rank: int, ranks: Ranks) -> bool:
    with StopRequest() as stop:
        stop.requested = "SIGTERM" if ranks.rank == rank else None
        return stop.of_any(ranks)


def test_a_request_to_one_rank_is_known_to_all(tmp_path: Path) -> None:
    assert on_ranks(2, partial(request_on, 1), tmp_path / "asked") == [True, True]
    assert on_ranks(2, partial(request_on, 9), tmp_path / "unasked") == [False, False]


def test_in_another_thread_nothing_is_installed() -> None:
    before = signal.getsignal(signal.SIGTERM)
    found: list[StopRequest] = []
    thread = threading.Thread(target=lambda: found.append(StopRequest()))
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) is before
    found[0].close()
    assert found[0].requested is None


LOOP = """
import time
from trm_lab.cluster.stop_request import Requeue, StopRequest
with StopRequest() as stop:
    print("ready", flush=True)
    while stop.requested is None:
        time.sleep(0.01)
    time.sleep(0.3)
    print("saved", flush=True)
    raise Requeue(stop.requested)
"""


def test_a_loop_that_is_asked_twice_saves_and_leaves_to_be_queued_again() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", LOOP],
        cwd=REPOSITORY,
        env=environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGUSR1)
    output, errors = process.communicate(timeout=20)
    assert output == "saved\n"
    assert process.returncode == EXIT_REQUEUE == 75
    assert "Traceback" not in errors


def test_leaving_passes_every_handler_of_errors() -> None:
    with pytest.raises(SystemExit) as leaving:
        raise Requeue("SIGUSR1")
    assert leaving.value.code == EXIT_REQUEUE
    assert not isinstance(leaving.value, Exception)

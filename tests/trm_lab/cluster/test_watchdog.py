"""A rank that hangs is reported within the timeout: what, where in the code, who is behind; then it ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.runs import REPOSITORY, environment
from trm_lab.cluster.watchdog import EXIT_HUNG, EXIT_OTHER_FAILED, Watchdog, lag
from trm_lab.commands.command_line import EXIT_SYSTEM_REFUSED


def run(program: str, **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        env={**environment(), **variables},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


HANGING = """
import threading, time
from trm_lab.cluster.watchdog import Watchdog

def waits_for_a_lock_forever():
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()

class DeadStore:
    def set(self, key, value): time.sleep(1000)
    def get(self, key): time.sleep(1000)
    def check(self, keys): time.sleep(1000)

watchdog = Watchdog(1.0, rank=1, world_size=2, store=DeadStore())
for step in range(30):
    watchdog.beat(f"step {step}")
    time.sleep(0.05)
watchdog.beat("compiling", within=100)
time.sleep(1.5)
watchdog.beat("step 30")
waits_for_a_lock_forever()
"""


def test_a_hang_is_reported_with_its_stack_and_ends_the_process_though_the_store_is_dead() -> None:
    began = time.monotonic()
    process = run(HANGING)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == EXIT_HUNG == 70
    assert time.monotonic() - began < 30
    assert "rank 1 of 2 hangs: no sign of life for 1 s in: step 30" in errors
    assert "waits_for_a_lock_forever" in errors
    assert "the store has not answered for" in errors
    assert "rank 0 has never been heard of" in errors
    assert "to do:" in errors


HOLDING_THE_INTERPRETER = """
import re, sys, time
from trm_lab.cluster.watchdog import Watchdog
Watchdog(0.3).beat("step 1")
time.sleep(0.2)

def never_gives_up_the_interpreter():
    re.match("(a+)+$", "a" * 40 + "b")

never_gives_up_the_interpreter()
"""


def test_the_stacks_of_a_loop_that_never_gives_up_the_interpreter_are_printed_too() -> None:
    process = run(HOLDING_THE_INTERPRETER)
    assert process.stderr is not None
    try:
        seen = ""
        for line in process.stderr:
            seen += line
            if "never_gives_up_the_interpreter" in line:
                break
        assert "Timeout" in seen
        assert "never_gives_up_the_interpreter" in seen
    finally:
        process.kill()
        process.communicate()


SUSPENDED = """
import time
from trm_lab.cluster.watchdog import Watchdog
watchdog = Watchdog(1.0)
print("ready", flush=True)
for step in range(60):
    watchdog.beat(f"step {step}")
    time.sleep(0.03)
watchdog.close()
print("done", flush=True)
"""


@pytest.mark.long
def test_a_process_that_was_stopped_itself_is_not_taken_for_hung_when_it_goes_on() -> None:
    process = run(SUSPENDED)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGSTOP)
    time.sleep(2.5)
    process.send_signal(signal.SIGCONT)
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert "done" in output
    assert "hangs" not in errors


def test_a_closed_watchdog_leaves_the_process_alone() -> None:
    with Watchdog(0.2) as watchdog:
        watchdog.beat("step 1")
    time.sleep(0.6)


TWO = """
import os, time
import torch
import torch.distributed as dist
from trm_lab.cluster.ranks import Ranks
from trm_lab.cluster.watchdog import Watchdog
rank = int(os.environ["RANK"])
store = dist.TCPStore("127.0.0.1", int(os.environ["PORT"]), 2, rank == 0, wait_for_workers=False)
print(store.port, flush=True)
dist.init_process_group("gloo", store=store, rank=rank, world_size=2)
ranks = Ranks(rank, 2)
with Watchdog.over(ranks, 3.0) as watchdog:
    for step in range(10_000):
        watchdog.beat(f"step {step}")
        ranks.sum_(torch.ones(1))
        if step == 5:
            print("running", flush=True)
        time.sleep(0.01)
"""


ONE_FAILS = """
import os, time
import torch
import torch.distributed as dist
from trm_lab.cluster import watchdog
from trm_lab.cluster.ranks import Ranks
watchdog.LOOK_SECONDS, watchdog.FAREWELL_SECONDS = 0.1, 0.5
rank = int(os.environ["RANK"])
store = dist.TCPStore("127.0.0.1", int(os.environ["PORT"]), 2, rank == 0, wait_for_workers=False)
print(store.port, flush=True)
dist.init_process_group("gloo", store=store, rank=rank, world_size=2)
with Ranks(rank, 2) as ranks, watchdog.Watchdog.over(ranks, 1000.0) as watching:
    watching.beat("step 7")
    if rank == 1:
        raise KeyError("no luck")
    time.sleep(1000)
"""


@contextmanager
def two_ranks(program: str = TWO) -> Iterator[list[subprocess.Popen[str]]]:
    """Two ranks that have met at a port which the system gave the first one."""
    first = run(program, RANK="0", PORT="0")
    assert first.stdout is not None
    port = first.stdout.readline().strip()
    second = run(program, RANK="1", PORT=port)
    assert second.stdout is not None
    assert second.stdout.readline().strip() == port
    try:
        yield [first, second]
    finally:
        for process in (first, second):
            process.kill()
            process.communicate()


@pytest.mark.parametrize(
    "stopped", [1, pytest.param(0, marks=pytest.mark.long)], ids=["peer", "the rank that hosts the store"]
)
def test_of_two_ranks_the_one_that_waits_names_the_one_that_was_stopped(stopped: int) -> None:
    with two_ranks() as processes:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "running\n"
        os.kill(processes[stopped].pid, signal.SIGSTOP)
        waiting = processes[1 - stopped]
        _, errors = waiting.communicate(timeout=60)
        assert waiting.returncode == EXIT_HUNG, errors
        assert f"rank {1 - stopped} of 2 hangs" in errors
        assert f"behind: rank {stopped} has" in errors
        assert "all_reduce" in errors  # where the one that waits stands
        assert ("the store has not answered" in errors) == (stopped == 0)


def test_a_rank_that_waits_on_after_another_one_failed_says_so_and_ends() -> None:
    with two_ranks(ONE_FAILS) as (waiting, _):
        _, errors = waiting.communicate(timeout=120)
        assert waiting.returncode == EXIT_OTHER_FAILED == EXIT_SYSTEM_REFUSED
        assert "error: rank 1 failed: KeyError: 'no luck'" in errors
        assert "waited for it in: step 7" in errors


def test_who_is_behind_is_judged_by_beats_and_silence() -> None:
    post = {"what": "batch 7", "beats": 10, "age": 5.0}
    assert lag(post, heard=100.0, now=101.0, beats=10, patience=4.0) == ""
    assert lag(post, 100.0, 101.0, beats=11, patience=4.0) == "is 1 beats behind: batch 7, for 6 s"
    assert "not been heard of for 9 s" in lag(post, 100.0, 109.0, beats=10, patience=4.0)

"""A rank that dies takes the job back by itself; several nodes give what one does; a rank that hangs is named."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos.judging import differences
from tests.chaos.launching import CommandLaunch, Launch, free_port, send
from tests.chaos.rounds import METHODS, STEPS, Arena, Variant
from tests.infra.processes import INFRA, ended, started
from tests.runs import NARROW, REPOSITORY, environment, records

TWO = Variant("dis", ema=False, ranks=2)
ONE = Variant("dis", ema=False, ranks=1)
SECONDS = 240.0
LONGER = ("hang_timeout=20",)  # the imports at the first step count as well


def reached(run: Path, step: int) -> bool:
    """Whether the records have come to a step."""
    file = run / "metrics.jsonl"
    if not file.is_file() or not file.read_text().endswith("\n"):
        return False
    return any(record["step"] >= step for record in records(run, "train"))


def until(condition: Callable[[], bool], launch: Launch | None = None) -> None:
    """Wait for a condition, which must come true while the launch lasts."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        if launch is not None:
            launch.look()
            assert launch.code is None, "it ended too early"
        assert time.monotonic() < deadline
        time.sleep(0.002)


def with_torchrun(arena: Arena, run: Path, *more: str) -> CommandLaunch:
    """Two ranks and two restarts, logging beside the run."""
    overrides = [*TWO.overrides(arena.dataset, run), *more]
    return CommandLaunch(METHODS["dis"][0], overrides, run.parent, run.parent / "log", ranks=2, restarts=2)


@pytest.mark.long
def test_a_killed_rank_takes_the_job_back_by_itself(arena: Arena, run: Path) -> None:
    whole = arena.undisturbed(TWO).ending
    launch = with_torchrun(arena, run)
    until(lambda: reached(run, 6), launch)
    send(launch.ranks()[1], signal.SIGKILL)
    launch.wait(SECONDS)
    output = (run.parent / "log").read_text()
    assert launch.code == 0, output
    assert "resuming from" in output
    assert differences(run, STEPS, whole, bitwise=True) == []


@pytest.mark.long
def test_a_stopped_rank_is_named_by_the_other_and_the_job_goes_on(arena: Arena, run: Path) -> None:
    whole = arena.undisturbed(TWO).ending
    launch = with_torchrun(arena, run, *LONGER)
    until(lambda: reached(run, 6), launch)
    send(launch.ranks()[1], signal.SIGSTOP)
    launch.wait(SECONDS)
    output = (run.parent / "log").read_text()
    assert launch.code == 0, output
    assert "behind: rank 1" in output
    assert differences(run, STEPS, whole, bitwise=True) == []


@pytest.mark.long
def test_two_nodes_equal_one_process(arena: Arena, run: Path) -> None:
    whole = arena.undisturbed(ONE).ending
    words = [sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc_per_node=1"]
    words += ["--rdzv_backend=c10d", f"--rdzv_endpoint=localhost:{free_port()}", "--rdzv_id=chaos"]
    words += [str(REPOSITORY / METHODS["dis"][0]), *NARROW, *ONE.overrides(arena.dataset, run)]
    nodes = [
        subprocess.Popen(
            words, cwd=run.parent, env=environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        for _ in range(2)
    ]
    for node in nodes:
        output, _ = node.communicate(timeout=SECONDS)
        assert node.returncode == 0, output
    assert differences(run, STEPS, whole, bitwise=False) == []


@pytest.mark.long
def test_a_preempted_job_saves_everything_and_the_same_command_goes_on(arena: Arena, run: Path) -> None:
    whole = arena.undisturbed(TWO).ending
    script = str(REPOSITORY / METHODS["dis"][0])
    words = [str(INFRA / "torchrun.sh"), "--standalone", "--nproc-per-node=2", script, *NARROW]
    words += TWO.overrides(arena.dataset, run)
    first = started(words, run.parent)
    until(lambda: reached(run, 4))
    first.send_signal(signal.SIGTERM)
    code, output = ended(first)
    assert code == 75, output
    asked = next(line for line in output.splitlines() if line.startswith("asked to stop: step "))
    step = int(asked.split()[4])
    assert (run / f"checkpoints/step_{step}/manifest.json").is_file()
    code, output = ended(started(words, run.parent))
    assert code == 0, output
    assert f"resuming from {run}/checkpoints/step_{step}" in output
    assert differences(run, STEPS, whole, bitwise=True) == []

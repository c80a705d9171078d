"""infra/torchrun.sh with real torchrun: who is signalled, how long a save may take, which exit code comes out."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.infra.processes import ended, torchrun, wait_for


def events(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


@pytest.mark.long
def test_every_rank_is_asked_once_saves_and_the_scheduler_is_told_to_start_again(tmp_path: Path) -> None:
    process = torchrun(tmp_path, "save=1", ranks=2)
    wait_for(tmp_path, "started", 2, process)
    process.send_signal(signal.SIGTERM)
    code, output = ended(process)
    assert code == 75, output
    assert events(tmp_path) == {f"{e}_{r}_0" for e in ("started", "asked", "saved") for r in (0, 1)}


@pytest.mark.long
def test_impatient_signals_cut_no_save_short(tmp_path: Path) -> None:
    process = torchrun(tmp_path, "save=2")
    wait_for(tmp_path, "started", 1, process)
    process.send_signal(signal.SIGUSR1)
    wait_for(tmp_path, "asked", 1, process)
    for _ in range(4):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
    code, output = ended(process)
    assert code == 75, output
    assert "saved_0_0" in events(tmp_path)


@pytest.mark.long
def test_a_rank_that_died_is_started_again_and_a_run_that_ends_says_so(tmp_path: Path) -> None:
    code, output = ended(torchrun(tmp_path, "end=9"))
    assert code == 0, output
    assert events(tmp_path) == {"started_0_0", "started_0_1"}


def test_a_user_error_is_not_tried_again(tmp_path: Path) -> None:
    code, output = ended(torchrun(tmp_path, "end=2", "end_rank=1", ranks=2))
    assert code == 2, output
    assert {e for e in events(tmp_path) if e.endswith("_1")} == set()
    assert output.startswith("infra/torchrun.sh: starting the ranks"), "before the launcher has loaded torch"
    assert "Traceback" not in output
    assert "the lines above that begin with 'error' say what is wrong" in output.splitlines()[-1]


@pytest.mark.long
def test_a_save_may_take_longer_than_torchrun_allows_by_itself(tmp_path: Path) -> None:
    process = torchrun(tmp_path, "save=35")
    wait_for(tmp_path, "started", 1, process)
    process.send_signal(signal.SIGTERM)
    code, output = ended(process)
    assert (code, "saved_0_0" in events(tmp_path)) == (75, True), output


@pytest.mark.long
def test_a_save_that_takes_too_long_is_killed_and_the_run_still_started_again(tmp_path: Path) -> None:
    process = torchrun(tmp_path, "save=600", SAVE_SECONDS="1")
    wait_for(tmp_path, "started", 1, process)
    process.send_signal(signal.SIGTERM)
    code, output = ended(process)
    assert (code, "saved_0_0" in events(tmp_path)) == (75, False), output


@pytest.mark.long
def test_ranks_do_not_outlive_a_torchrun_that_was_killed(tmp_path: Path) -> None:
    process = torchrun(tmp_path, "save=1")
    wait_for(tmp_path, "started", 1, process)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for child in children:
        os.kill(int(child), signal.SIGKILL)
    code, output = ended(process)
    assert code != 0, output
    assert "saved_0_0" in events(tmp_path)


@pytest.mark.long
def test_a_rank_that_lost_its_peers_does_not_hide_that_the_others_saved(tmp_path: Path) -> None:
    process = torchrun(tmp_path, "save=1", "lost_rank=0", ranks=2)
    wait_for(tmp_path, "started", 2, process)
    process.send_signal(signal.SIGTERM)
    code, output = ended(process)
    assert (code, "saved_1_0" in events(tmp_path)) == (75, True), output


@pytest.mark.long
@pytest.mark.parametrize("end", [70, 75, 3])
def test_the_rank_s_own_code_comes_out_when_the_restarts_are_used_up(end: int, tmp_path: Path) -> None:
    code, output = ended(torchrun(tmp_path, f"end={end}", "always=yes"))
    assert code == end, output
    assert "Traceback" not in output
    assert f"rank 0 was the first to fail, with exit code {end}" in output


@pytest.mark.long
def test_before_there_is_a_rank_a_preempted_run_is_started_again(tmp_path: Path) -> None:
    process = torchrun(tmp_path)
    time.sleep(0.7)
    process.send_signal(signal.SIGTERM)
    code, output = ended(process)
    assert code == 75, output
    assert events(tmp_path) <= {"asked_0_0", "started_0_0", "saved_0_0"}

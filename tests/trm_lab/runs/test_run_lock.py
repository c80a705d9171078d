"""Two runs on one directory: the second is refused with who and where; what a dead run left blocks nobody."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.runs import REPOSITORY, environment
from trm.errors import UserError
from trm_lab.cluster.ranks import Ranks
from trm_lab.runs.run_lock import RunLock, only_run

HOLDING = """
import sys, time
from pathlib import Path
from trm_lab.runs.run_lock import RunLock
with RunLock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def start_holder(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(folder)],
        cwd=REPOSITORY,
        env=environment(),
        text=True,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_the_second_run_is_refused_until_the_first_is_gone_however_it_went(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "new"
    process = start_holder(folder)
    try:
        with pytest.raises(UserError) as refused:
            RunLock(folder).acquire()
        holder = json.loads((folder / "lock.json").read_text())
        assert f"process {process.pid} on {holder['host']}, since {holder['since']}" in refused.value.given
        assert f"kill {process.pid}" in refused.value.remedy
        assert "run_name" in refused.value.remedy
        process.send_signal(signal.SIGSTOP)  # stopped is not gone
        with pytest.raises(UserError, match=f"process {process.pid}"):
            RunLock(folder).acquire()
        process.kill()
        process.wait()
        assert (folder / "lock.json").exists()
        with RunLock(folder):
            assert json.loads((folder / "lock.json").read_text())["pid"] == os.getpid()
        assert list(folder.iterdir()) == []
    finally:
        process.kill()
        process.wait()


def test_one_process_cannot_hold_a_lock_twice(tmp_path: Path) -> None:
    with RunLock(tmp_path), pytest.raises(UserError, match=f"process {os.getpid()}"):
        RunLock(tmp_path).acquire()
    with only_run(tmp_path, Ranks()), pytest.raises(UserError, match=f"process {os.getpid()}"):
        RunLock(tmp_path).acquire()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "[]", '{"pid": "x"}', "\0" * 100_000, "[" * 60_000])
def test_an_unreadable_lock_file_blocks_nobody_and_names_nobody(tmp_path: Path, text: str) -> None:
    with RunLock(tmp_path) as lock:
        lock.file.write_text(text)
        with pytest.raises(UserError, match="in use by another process"):
            RunLock(tmp_path).acquire()
    lock.file.write_text(text)
    with RunLock(tmp_path):
        assert json.loads(lock.file.read_text())["pid"] == os.getpid()


def test_a_run_of_before_this_lock_that_was_killed_blocks_nobody(tmp_path: Path) -> None:
    (tmp_path / "lock.json").write_text('{"host": "elsewhere", "pid": 1, "since": "then", "token": "0"}')
    with RunLock(tmp_path) as lock:
        assert json.loads(lock.file.read_text())["pid"] == os.getpid()


def test_a_file_system_without_locks_is_told_and_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)
    with RunLock(tmp_path), RunLock(tmp_path):
        assert "has no locks (No locks available)" in capfd.readouterr().err

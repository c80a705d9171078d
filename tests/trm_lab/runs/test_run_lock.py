"""Two runs on one directory: the second is refused with who and where; what a dead run left blocks nobody."""

import errno
import json
import multiprocessing
import os
import signal
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from trm.errors import UserError
from trm_lab.cluster.ranks import Ranks
from trm_lab.runs.run_lock import RunLock, only_run


def hold(folder: Path, held: Event) -> None:
    with RunLock(folder):
        held.set()
        time.sleep(60)


def test_the_second_run_is_refused_until_the_first_is_gone_however_it_went(tmp_path: Path) -> None:
    folder, fork = tmp_path / "runs" / "new", multiprocessing.get_context("fork")
    held = fork.Event()
    process = fork.Process(target=hold, args=(folder, held))
    process.start()
    assert process.pid is not None
    try:
        assert held.wait(60)
        with pytest.raises(UserError) as refused:
            RunLock(folder).acquire()
        holder = json.loads((folder / "lock.json").read_text())
        assert f"process {process.pid} on {holder['host']}, since {holder['since']}" in refused.value.given
        assert f"kill {process.pid}" in refused.value.remedy
        assert "run_name" in refused.value.remedy
        os.kill(process.pid, signal.SIGSTOP)  # stopped is not gone
        with pytest.raises(UserError, match=f"process {process.pid}"):
            RunLock(folder).acquire()
        process.kill()
        process.join()
        assert (folder / "lock.json").exists()
        with RunLock(folder):
            assert json.loads((folder / "lock.json").read_text())["pid"] == os.getpid()
        assert list(folder.iterdir()) == []
    finally:
        process.kill()
        process.join()


def test_one_process_cannot_hold_a_lock_twice(tmp_path: Path) -> None:
    with RunLock(tmp_path), pytest.raises(UserError, match=f"process {os.getpid()}"):
        RunLock(tmp_path).acquire()
    with only_run(tmp_path, Ranks()), pytest.raises(UserError, match=f"process {os.getpid()}"):
        RunLock(tmp_path).acquire()
    assert list(tmp_path.iterdir()) == []


def test_an_unreadable_or_an_older_lock_file_blocks_nobody_and_names_nobody(tmp_path: Path) -> None:
    older = '{"host": "elsewhere", "pid": 1, "since": "then", "token": "0"}'
    for text in ("", "[]", '{"pid": "x"}', "\0" * 100_000, "[" * 60_000, older):
        with RunLock(tmp_path) as lock:
            lock.file.write_text(text)
            if text != older:
                with pytest.raises(UserError, match="in use by another process"):
                    RunLock(tmp_path).acquire()
        lock.file.write_text(text)
        with RunLock(tmp_path):
            assert json.loads(lock.file.read_text())["pid"] == os.getpid()


def test_a_file_system_without_locks_is_told_and_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)
    with RunLock(tmp_path), RunLock(tmp_path):
        assert "has no locks (No locks available)" in capfd.readouterr().err

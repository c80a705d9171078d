"""A full disk stops no training and loses no record; the file never holds half a line."""

import contextlib
import io
import json
import multiprocessing
import os
import resource
import threading
import time
from pathlib import Path

import pytest

from trm.errors import UserError
from trm_lab.runs.records import FileRecords


def read(file: Path) -> list[int]:
    return [json.loads(line)["step"] for line in file.read_text().splitlines()]


def test_records_are_appended_behind_those_that_a_checkpoint_relies_on(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    records = FileRecords(file)
    records.write({"step": 1})
    relied_on = records.end()
    records.write({"step": 2})
    assert records.end() > relied_on == len('{"step": 1}\n')
    records.close()
    resumed = FileRecords(file, relied_on)
    resumed.write({"step": 3})
    resumed.close()
    resumed.close()
    assert read(file) == [1, 3]
    with pytest.raises(UserError, match="restore the file"):
        FileRecords(file, 1000)


def write_under_limits(file: Path) -> None:
    records = FileRecords(file)
    for step in range(1, 101):
        limit = 300 if 20 < step < 60 else 100_000  # bytes that a file may have; 300 ends within a line
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        records.write({"step": step})
        text = file.read_bytes()
        assert text.endswith(b"\n")
        assert (records.end() > len(text)) == (records.end() > limit), step
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(text), resource.RLIM_INFINITY))
    records.write({"step": 101})
    records.write({"step": 102})
    records.close()


def write_and_tell(file: Path) -> None:
    with contextlib.redirect_stderr(io.StringIO()) as said:  # a file would have the limit as well
        write_under_limits(file)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    file.with_name("errors").write_text(said.getvalue())


def test_records_that_the_disk_refuses_wait_in_memory_in_order_and_lost_ones_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    process = multiprocessing.get_context("fork").Process(target=write_and_tell, args=(file,))
    process.start()
    process.join(60)
    assert process.exitcode == 0
    assert read(file) == list(range(1, 101))
    said = (tmp_path / "errors").read_text()
    assert said.count("records cannot be written") == 2
    assert said.count("is written to again; no record is missing") == 1
    assert said.count("2 records are lost") == 1
    assert "File too large" in said


def test_what_a_failed_fsync_may_have_dropped_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "metrics.jsonl"
    records = FileRecords(file)
    records.write({"step": 1})
    records.sync()
    records.write({"step": 2})

    def dropping(descriptor: int) -> None:
        os.truncate(file, len('{"step": 1}\n') + 4)  # what came to the disk of the second line
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", dropping)
        with pytest.raises(OSError, match="No space left"):
            records.sync()
        assert read(file) == [1]
    records.write({"step": 3})
    records.sync()
    records.close()
    assert read(file) == [1, 2, 3]
    assert "no record is missing" in capfd.readouterr().err


def test_records_written_while_other_threads_sync_are_neither_lost_nor_doubled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: time.sleep(0.001))  # so that the threads meet in it
    file = tmp_path / "metrics.jsonl"
    records, done = FileRecords(file), threading.Event()

    def sync() -> None:
        while not done.is_set():
            records.sync()

    threads = [threading.Thread(target=sync) for _ in range(2)]
    for thread in threads:
        thread.start()
    for step in range(500):
        records.write({"step": step})
    done.set()
    for thread in threads:
        thread.join()
    assert records.end() == file.stat().st_size
    records.close()
    assert read(file) == list(range(500))

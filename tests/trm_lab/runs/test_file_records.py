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

from tests.trm_lab.runs.states import run_on_small_disk
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


def test_records_that_the_disk_refuses_wait_in_memory_in_order_and_lost_ones_are_counted(
    tmp_path: Path,
) -> None:
    file, errors = tmp_path / "metrics.jsonl", tmp_path / "errors"

    def program() -> None:
        with contextlib.redirect_stderr(io.StringIO()) as said:  # a file would have the limit as well
            write_under_limits(file)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        errors.write_text(said.getvalue())

    process = multiprocessing.get_context("fork").Process(target=program)
    process.start()
    process.join(60)
    assert process.exitcode == 0
    assert read(file) == list(range(1, 101))
    said = errors.read_text()
    assert said.count("records cannot be written") == 2
    assert said.count("is written to again; no record is missing") == 1
    assert said.count("2 records are lost") == 1
    assert "File too large" in said


FULL = """
import sys
from pathlib import Path
from trm_lab.runs.records import FileRecords
folder = Path(sys.argv[1])
records = FileRecords(folder / "metrics.jsonl")
records.write({"step": 0, "text": "x" * 3000})
(folder / "other").write_bytes(bytes(4 * 4096 - 4096))  # the rest of the disk
for step in range(1, 5):
    records.write({"step": step, "text": "x" * 3000})
try:
    records.sync()
    raise SystemExit("sync took what the disk refuses")
except OSError as error:
    print(error)
end = records.end()
(folder / "other").unlink()
records.sync()
assert end == (folder / "metrics.jsonl").stat().st_size
records.close()
print((folder / "metrics.jsonl").read_text().count("\\n"))
"""


def test_a_disk_that_is_full_for_a_while_costs_no_record(tmp_path: Path) -> None:
    said = run_on_small_disk(FULL, tmp_path / "small", kibibytes=16)
    assert "No space left on device" in said
    assert "\n5\n" in said


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

"""Two runs on one directory: the second is refused with who and where; what a dead run left is taken over."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.runs import REPOSITORY, environment
from trm.errors import UserError
from trm_lab.runs import run_lock
from trm_lab.runs.lock_file import Holder
from trm_lab.runs.run_lock import RunLock

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


def written(folder: Path, **changes: Any) -> Path:
    """A lock as another process would have left it."""
    folder.mkdir(parents=True, exist_ok=True)
    holder = {**vars(Holder.this_process()), **changes}
    (folder / "lock.json").write_text(json.dumps(holder))
    return folder / "lock.json"


def test_the_second_run_is_refused_until_the_first_is_gone_however_it_went(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "runs" / "new"
    holder = start_holder(folder)
    try:
        with pytest.raises(UserError) as refused:
            RunLock(folder).acquire()
        text = str(refused.value)
        known = json.loads((folder / "lock.json").read_text())
        for word in (
            str(holder.pid),
            known["host"],
            known["since"],
            f"kill {holder.pid}",
            "run_name",
            "lock.json",
        ):
            assert word in text, word
        holder.send_signal(signal.SIGSTOP)  # stopped is not gone
        with pytest.raises(UserError):
            RunLock(folder).acquire()
        holder.kill()  # not yet waited for: a zombie
        assert wait_for(lambda: "Z" in Path(f"/proc/{holder.pid}/stat").read_text().split(")")[1].split()[0])
        with RunLock(folder).acquire() as lock:
            assert "taken over" in capfd.readouterr().err
            assert lock.lost == ""
        assert list(folder.iterdir()) == []
    finally:
        holder.kill()
        holder.wait()


def wait_for(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def test_one_process_cannot_hold_a_lock_twice(tmp_path: Path) -> None:
    with RunLock(tmp_path), pytest.raises(UserError, match=f"process {os.getpid()}"):
        RunLock(tmp_path).acquire()
    with RunLock(tmp_path):
        pass


@pytest.mark.parametrize(
    "changes",
    [{"pid": 2**22 + 1}, {"started": 1}, {"boot": "another boot"}],
    ids=["gone", "number used again", "rebooted"],
)
def test_a_lock_of_this_machine_whose_process_is_gone_is_taken_over_at_once(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    written(tmp_path, **changes)
    began = time.monotonic()
    with RunLock(tmp_path).acquire(wait=60):
        assert time.monotonic() - began < 30
        assert json.loads((tmp_path / "lock.json").read_text())["pid"] == os.getpid()


@pytest.mark.parametrize("changes", [{"host": "elsewhere"}, {"space": "pid:[1]"}], ids=["host", "container"])
def test_another_machine_s_lock_is_taken_over_when_nothing_touches_it_and_respected_when_something_does(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    file = written(tmp_path, **changes, pid=1)
    os.utime(file, (1, 1))  # its machine's clock may show anything
    with RunLock(tmp_path, poll_seconds=0.02).acquire(wait=0.2):
        pass
    file = written(tmp_path, **changes, pid=1)
    touching = threading.Timer(0.1, os.utime, [file, (5, 5)])
    touching.start()
    with pytest.raises(UserError, match="process 1 on"):
        RunLock(tmp_path, poll_seconds=0.02).acquire(wait=5)
    touching.join()


def test_a_lock_that_is_released_while_it_is_watched_is_free(tmp_path: Path) -> None:
    file = written(tmp_path, host="elsewhere")
    threading.Timer(0.1, file.unlink).start()
    began = time.monotonic()
    with RunLock(tmp_path, poll_seconds=0.02).acquire(wait=30):
        assert time.monotonic() - began < 15


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x"}', "\0" * 100_000, '{"host": 1}', "[" * 60_000])
def test_an_unreadable_lock_is_stale_after_the_wait(tmp_path: Path, text: str) -> None:
    (tmp_path / "lock.json").write_text(text)
    with RunLock(tmp_path, poll_seconds=0.02).acquire(wait=0.1):
        assert json.loads((tmp_path / "lock.json").read_text())["pid"] == os.getpid()


def test_a_held_lock_is_touched_so_that_other_machines_see_its_holder_live(tmp_path: Path) -> None:
    with RunLock(tmp_path, touch_seconds=0.02) as lock:
        os.utime(lock.file, (1, 1))
        assert wait_for(lambda: lock.file.stat().st_mtime > 1)


def test_a_holder_notices_that_its_lock_was_taken_and_leaves_the_taker_s_alone(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    lock = RunLock(tmp_path, touch_seconds=0).acquire()
    lock.touch()
    assert lock.lost == ""
    file = written(tmp_path, host="elsewhere", pid=77)
    lock.touch()
    lock.touch()
    assert "process 77 on elsewhere holds it" in lock.lost
    assert capfd.readouterr().err.count("no longer ours") == 1
    lock.release()
    assert json.loads(file.read_text())["pid"] == 77


def test_a_taker_that_finds_it_took_a_fresh_lock_gives_it_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the file system locks nothing, the stale lock may become a fresh one between the look and the rename."""
    stale, fresh = written(tmp_path, host="elsewhere").read_text(), ""
    original = Path.rename

    def quicker_taker(file: Path, target: Path) -> Path:
        nonlocal fresh
        file.unlink()
        fresh = written(tmp_path, host="third", pid=3).read_text()
        monkeypatch.setattr(Path, "rename", original)
        return original(file, target)

    monkeypatch.setattr(Path, "rename", quicker_taker)
    taker = RunLock(tmp_path, poll_seconds=0.02)
    done = threading.Event()

    def keep_touching() -> None:
        """As the third run would, from the moment it holds the lock."""
        while not done.wait(0.02):
            if fresh and taker.file.exists():
                os.utime(taker.file)

    toucher = threading.Thread(target=keep_touching)
    toucher.start()
    with pytest.raises(UserError, match="third"):
        taker.acquire(wait=0.2)
    done.set()
    toucher.join()
    assert (tmp_path / "lock.json").read_text() == fresh != stale
    assert [p.name for p in tmp_path.iterdir()] == ["lock.json"]


RACING = """
import sys, time
from pathlib import Path
from trm.errors import UserError
from trm_lab.runs.run_lock import RunLock
folder, rounds = Path(sys.argv[1]), int(sys.argv[2])
for number in range(rounds):
    while not (folder / f"go_{number}").exists():
        time.sleep(0.0005)
    try:
        lock = RunLock(folder / str(number), touch_seconds=0, poll_seconds=0.01).acquire(wait=0.05)
        print(number, flush=True)
    except UserError:
        pass
    (folder / f"done_{number}_{sys.argv[3]}").touch()
time.sleep(60)
"""


def test_of_many_that_find_a_stale_lock_exactly_one_takes_it(tmp_path: Path) -> None:
    rounds, takers = 30, 4
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", RACING, str(tmp_path), str(rounds), str(taker)],
            cwd=REPOSITORY,
            env=environment(),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        for taker in range(takers)
    ]
    try:
        for number in range(rounds):
            written(tmp_path / str(number), pid=2**22 + 1)
            (tmp_path / f"go_{number}").touch()
            assert wait_for(lambda number=number: len(list(tmp_path.glob(f"done_{number}_*"))) == takers)  # type: ignore[misc]
    finally:
        for process in processes:
            process.kill()
    took = [int(line) for process in processes for line in process.communicate()[0].split()]
    assert sorted(took) == list(range(rounds))


def test_the_waiting_times_leave_room_for_several_touches() -> None:
    assert run_lock.WAIT_SECONDS >= 5 * run_lock.TOUCH_SECONDS

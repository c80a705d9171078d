"""Checkpoints are written beside the training: one at a time, whole or not at all, and a full disk loses just one."""

import contextlib
import functools
import io
import multiprocessing
import resource
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

from tests.runs import REPOSITORY, finish
from tests.trm_lab.runs.states import content, names, run_on_small_disk, save
from tests.trm_lab.training.kills import Killed, assert_resumable, kill_at
from trm_lab.runs import checkpoints
from trm_lab.runs.checkpoint_writer import CheckpointWriter
from trm_lab.runs.retention import Retention, mark_best


def test_training_goes_on_while_a_checkpoint_is_written_and_a_second_write_waits(tmp_path: Path) -> None:
    may_write, entered, order = threading.Event(), threading.Event(), []

    def sync() -> None:
        entered.set()
        assert may_write.wait(10)
        order.append("records")

    writer = CheckpointWriter(Retention(2), sync)
    writer.submit(tmp_path / "step_1", content(1), keep=False, after=lambda: order.append("after 1"))
    assert entered.wait(10)
    assert names(tmp_path) == []  # the caller is here while the thread still waits for the records
    second = threading.Thread(
        target=writer.submit, args=(tmp_path / "step_2", content(2), False, lambda: order.append("after 2"))
    )
    second.start()
    may_write.set()
    second.join()
    writer.close()
    assert order == ["records", "after 1", "records", "after 2"]
    assert names(tmp_path) == ["step_1", "step_2"]


def test_records_that_cannot_be_brought_to_disk_cost_the_checkpoint_that_counts_on_them(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> None:
        raise OSError(28, "No space left on device", "metrics.jsonl")

    save(tmp_path, 1)
    with CheckpointWriter(Retention(2), refuse) as writer:
        writer.submit(tmp_path / "step_2", content(2), keep=False)
    assert names(tmp_path) == ["step_1"]
    assert len(writer.failures) == 1
    said = capfd.readouterr().err
    last_good = f"last good checkpoint is {tmp_path / 'step_1'}"
    for word in ("step_2", "No space left", "metrics.jsonl", "bytes wanted", last_good, "to do:"):
        assert word in said, word


def test_another_exception_reaches_the_caller_once(tmp_path: Path) -> None:
    broken = content(1)
    broken = checkpoints.TrainingState(broken.model, {}, {}, {}, {"step": object()})
    writer = CheckpointWriter(Retention(2))
    writer.submit(tmp_path / "step_1", broken, keep=False)
    with pytest.raises(TypeError):
        writer.submit(tmp_path / "step_2", content(2), keep=False)
    writer.submit(tmp_path / "step_2", content(2), keep=False)
    writer.close()
    checkpoints.tidy(tmp_path)
    assert names(tmp_path) == ["step_2"]


FULL_DISK = """
import sys
from pathlib import Path
from tests.trm_lab.runs.states import content
from trm_lab.runs import checkpoints
from trm_lab.runs.checkpoint_writer import CheckpointWriter
from trm_lab.runs.records import FileRecords
from trm_lab.runs.retention import Retention

root = Path(sys.argv[1]) / "checkpoints"
writer = CheckpointWriter(Retention(2))
for step, numbers in ((1, 1000), (2, 30_000), (3, 1000), (3, 30_000), (4, 1000)):
    writer.submit(root / f"step_{step}", content(step, numbers), keep=False)
writer.close()
print(sorted(p.name for p in root.iterdir()), len(writer.failures))
for folder in checkpoints.steps(root):
    assert checkpoints.load(folder).model["a"].numel() == 1000

records = FileRecords(root / "metrics.jsonl")
with (root / "other").open("wb", buffering=0) as other:
    while True:
        try:
            other.write(bytes(1024))
        except OSError:
            break
for step in range(5):
    records.write({"step": step, "text": "x" * 3000})
try:
    records.sync()
    raise SystemExit("sync took what the disk refuses")
except OSError as error:
    print(error.strerror.lower())
end = records.end()
(root / "other").unlink()
records.sync()
assert end == (root / "metrics.jsonl").stat().st_size
records.close()
assert (root / "metrics.jsonl").read_text().count("\\n") == 5
"""


def test_a_full_disk_loses_that_checkpoint_and_no_other_and_no_record(tmp_path: Path) -> None:
    """On a real file system of 128 KiB, where the large states do not fit; one of them is a step's second version."""
    said = run_on_small_disk(FULL_DISK, tmp_path / "small", kibibytes=128)
    assert "['step_3', 'step_4'] 2\nno space left on device\n" in said
    first, second = (part.splitlines()[0] for part in said.split("last good checkpoint is ")[1:])
    assert "step_1" in first
    assert "step_3" in second
    assert said.count("No space left on device") > 2  # of the records, too


def write_under_limits(root: Path) -> None:
    """Write a checkpoint with a growing limit of bytes that a file may have, until it can be written."""
    save(root, 1)
    errors = io.StringIO()  # the file to which pytest sends them has the limit as well
    with contextlib.redirect_stderr(errors), CheckpointWriter(Retention(2)) as writer:
        for attempt, limit in enumerate(range(0, 1200, 40)):
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            writer.submit(root / "step_2", content(2), keep=False)
            writer.wait()
            if len(writer.failures) == attempt:
                break
            assert [p.name for p in root.iterdir()] == ["step_1"]
    assert attempt > 10
    assert names(root) == ["step_1", "step_2"]


def test_a_file_that_the_system_cuts_off_at_any_length_never_becomes_part_of_a_checkpoint(tmp_path: Path) -> None:
    process = multiprocessing.get_context("fork").Process(target=write_under_limits, args=(tmp_path,))
    process.start()
    process.join(60)
    assert process.exitcode == 0
    assert names(tmp_path) == ["step_1", "step_2"]


def fall_over_while_writing(root: Path) -> None:
    writer = CheckpointWriter(Retention(2), sync=lambda: time.sleep(0.5))
    writer.submit(root / "step_1", content(1), keep=False)
    raise RuntimeError("the loop fell over")


def test_an_exception_in_the_loop_neither_hangs_the_process_nor_loses_the_write_under_way(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    process = multiprocessing.get_context("fork").Process(target=fall_over_while_writing, args=(tmp_path,))
    process.start()
    process.join(60)
    assert process.exitcode == 1
    assert "the loop fell over" in capfd.readouterr().err
    assert checkpoints.latest(tmp_path) == (tmp_path / "step_1", [])


def test_the_best_of_an_evaluation_survives_the_pruning_of_the_same_write(tmp_path: Path) -> None:
    values = {1: 0.2, 2: 0.9, 3: 0.5, 4: 0.6}

    def mark(step: int) -> None:
        mark_best(tmp_path, "exact_accuracy", values[step], step)

    with CheckpointWriter(Retention(1)) as writer:
        for step in values:
            writer.submit(tmp_path / f"step_{step}", content(step), False, lambda step=step: mark(step))  # type: ignore[misc]
    assert names(tmp_path) == ["step_2", "step_4"]


def test_killed_at_any_file_operation_of_the_writer_a_complete_checkpoint_remains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for call in range(1, 85):
        root = tmp_path / str(call)
        save(root, 1)
        with monkeypatch.context() as patched:
            kill_at(call, patched)
            writer = CheckpointWriter(Retention(1, keep_every=2))
            with contextlib.suppress(Killed):
                for step in (1, 2, 2, 3):
                    mark = functools.partial(mark_best, root, "lm_loss", -step, step)
                    writer.submit(root / f"step_{step}", content(step), False, mark)
            with contextlib.suppress(Killed):
                writer.close()
        assert_resumable(root)


@pytest.mark.long
def test_large_states_are_written_without_a_second_copy(tmp_path: Path) -> None:
    program = """
import resource, sys, torch
from pathlib import Path
from tests.trm_lab.runs.states import state
from trm_lab.runs.checkpoint_writer import CheckpointWriter
from trm_lab.runs.checkpoints import TrainingState
from trm_lab.runs.retention import Retention
large = {f"w{i}": torch.ones(2**22) for i in range(8)}  # 128 MiB
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with CheckpointWriter(Retention(1)) as writer:
    writer.submit(Path(sys.argv[1]) / "step_1", TrainingState(large, {}, {}, {}, state(1)), False)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    printed = finish([sys.executable, "-c", program, str(tmp_path)], REPOSITORY)
    assert int(printed) < 64
    assert torch.equal(checkpoints.load(tmp_path / "step_1").model["w7"], torch.ones(2**22))

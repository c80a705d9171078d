"""Checkpoints are complete or not there; a damaged one is passed over, said, and never silently used."""

import hashlib
import io
import os
from pathlib import Path

import pytest
import torch

from tests.trm_lab.runs.states import content, flip, names, save, state
from tests.trm_lab.training.kills import Killed, assert_resumable, kill_at
from trm.errors import UserError
from trm_lab.runs import checkpoints
from trm_lab.runs.checkpoints import TrainingState
from trm_lab.runs.training_state import snapshot


def test_what_is_saved_is_loaded_bitwise(tmp_path: Path) -> None:
    loaded = checkpoints.load(save(tmp_path, 3))
    assert loaded.state == state(3)
    for part, tensors in content(3).parts().items():
        for name, tensor in tensors.items():
            assert torch.equal(loaded.parts()[part][name], tensor)
            assert loaded.parts()[part][name].dtype == tensor.dtype


def test_the_newest_complete_checkpoint_is_found_by_number(tmp_path: Path) -> None:
    for step in (9, 10, 2):
        save(tmp_path, step)
    (tmp_path / "step_11.partial").mkdir()
    assert checkpoints.latest(tmp_path) == (tmp_path / "step_10", [])


@pytest.mark.parametrize("damage", ["cut", "flipped", "gone", "manifest"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(tmp_path: Path, damage: str) -> None:
    save(tmp_path, 1)
    broken = save(tmp_path, 2)
    file = broken / ("manifest.json" if damage == "manifest" else "model.safetensors")
    data = bytearray(file.read_bytes())
    if damage == "gone":
        file.unlink()
    else:
        data[-1] ^= 1
        file.write_bytes(data[: len(data) // 2] if damage in ("cut", "manifest") else data)
    found, faults = checkpoints.latest(tmp_path)
    assert found == tmp_path / "step_1"
    assert len(faults) == 1
    assert "step_2" in faults[0]
    with pytest.raises(UserError):
        checkpoints.load_weights(broken)


def test_only_damaged_checkpoints_is_an_error_not_a_fresh_start(tmp_path: Path) -> None:
    (save(tmp_path, 1) / "carry.safetensors").unlink()
    with pytest.raises(UserError, match=r"carry\.safetensors is missing"):
        checkpoints.latest(tmp_path)


def test_old_checkpoints_go_and_those_to_be_kept_stay(tmp_path: Path) -> None:
    for step in range(1, 7):
        save(tmp_path, step, keep=step == 2)
    checkpoints.prune(tmp_path, 2)
    assert names(tmp_path) == ["step_2", "step_5", "step_6"]


def test_evaluation_takes_the_averaged_weights(tmp_path: Path) -> None:
    averaged = {"w": torch.ones(2)}
    whole = TrainingState({"w": torch.zeros(2), "buffer": torch.ones(1)}, averaged, {}, {}, state(1))
    checkpoints.save(tmp_path / "step_1", whole, keep=False)
    weights = checkpoints.load_weights(tmp_path / "step_1")
    assert torch.equal(weights["w"], torch.ones(2))
    assert torch.equal(weights["buffer"], torch.ones(1))


def test_tensors_that_share_memory_are_stored(tmp_path: Path) -> None:
    shared = torch.arange(4)
    whole = TrainingState({"w": torch.zeros(1)}, {}, {}, {"inputs": shared, "fed": shared}, state(1))
    checkpoints.save(tmp_path / "step_1", whole, keep=False)
    assert torch.equal(checkpoints.load(tmp_path / "step_1").carry["fed"], shared)


def test_pruning_survives_a_checkpoint_that_a_kill_left_without_its_manifest(tmp_path: Path) -> None:
    for step in range(1, 6):
        save(tmp_path, step)
    (tmp_path / "step_1" / "manifest.json").unlink()
    checkpoints.prune(tmp_path, 1)
    assert names(tmp_path) == ["step_1", "step_5"]


@pytest.mark.parametrize("call", range(1, 82, 3))  # the writer's test goes through them all
def test_killed_at_any_file_operation_a_complete_checkpoint_remains(
    tmp_path: Path, call: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path, 1)
    with monkeypatch.context() as patched:
        kill_at(call, patched)
        try:
            for step in (1, 2, 2, 3):
                save(tmp_path, step)
                checkpoints.prune(tmp_path, 1)
        except Killed:
            pass
    assert_resumable(tmp_path)


def test_a_state_is_found_and_read_in_one_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for step in (1, 2):
        save(tmp_path, step)
    hashed: list[int] = []
    digest = hashlib.file_digest

    def counting(stream: io.BufferedReader, algorithm: str) -> object:
        hashed.append(stream.fileno())
        return digest(stream, algorithm)

    monkeypatch.setattr("hashlib.file_digest", counting)
    folder, loaded, faults = checkpoints.load_latest(tmp_path)
    assert (folder, faults) == (tmp_path / "step_2", [])
    assert loaded is not None
    assert loaded.state["step"] == 2
    assert len(hashed) == 4  # model, ema, optimizer, carry


def test_without_checkpoints_nothing_is_found(tmp_path: Path) -> None:
    assert checkpoints.latest(tmp_path) == (None, [])
    assert checkpoints.load_latest(tmp_path) == (None, None, [])


def test_what_was_passed_over_on_resuming_does_not_push_out_what_is_written_since(tmp_path: Path) -> None:
    """step_8's bytes are wrong in full length; the run went on from step 4 and has just written step 5."""
    for step in (4, 5, 8):
        save(tmp_path, step)
    flip(tmp_path / "step_8" / "model.safetensors", -1)
    checkpoints.prune(tmp_path, 1, newest=5)
    assert names(tmp_path) == ["step_5", "step_8"]


def test_a_checkpoint_that_was_cut_off_never_pushes_out_the_one_good_one(tmp_path: Path) -> None:
    for step in (1, 2):
        save(tmp_path, step)
    os.truncate(tmp_path / "step_2" / "model.safetensors", 10)
    checkpoints.prune(tmp_path, 1)
    assert names(tmp_path) == ["step_1", "step_2"]


def test_a_snapshot_is_out_of_reach_of_later_steps_and_copies_shared_tensors_once() -> None:
    live = content(1)
    shared = torch.zeros(5)
    whole = TrainingState(live.model, {}, {}, {"inputs": shared, "fed": shared}, {"data": {"cursor": 1}})
    taken = snapshot(whole)
    live.model["a"].fill_(9)
    shared.fill_(9)
    whole.state["data"]["cursor"] = 9
    assert torch.equal(taken.model["a"], torch.ones(12))
    assert torch.equal(taken.carry["fed"], torch.zeros(5))
    assert taken.carry["fed"].data_ptr() == taken.carry["inputs"].data_ptr()
    assert taken.state["data"]["cursor"] == 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_snapshot_of_a_gpu_s_tensors_is_complete_and_pinned() -> None:
    large = torch.arange(2**24, device="cuda", dtype=torch.float32)
    taken = snapshot(TrainingState({"w": large}, {}, {}, {}, {}))
    large.zero_()
    assert taken.model["w"].is_pinned()
    assert torch.equal(taken.model["w"], torch.arange(2**24, dtype=torch.float32))

"""Checkpoints are complete or not there; a damaged one is passed over, said, and never silently used."""

import os
from pathlib import Path

import pytest
import torch

from tests.trm_lab.runs.states import content, flip, names, save, state
from trm.errors import UserError
from trm_lab.runs import checkpoints
from trm_lab.runs.checkpoints import TrainingState
from trm_lab.runs.training_state import snapshot


def test_what_is_saved_is_loaded_bitwise(tmp_path: Path) -> None:
    loaded = checkpoints.load(save(tmp_path, 3))
    assert loaded.state == state(3)
    assert [*loaded.carry] == ["halted", "z_H"]  # so that what is written of it again has the same bytes
    for part, tensors in content(3).parts().items():
        for name, tensor in tensors.items():
            assert torch.equal(loaded.parts()[part][name], tensor)
            assert loaded.parts()[part][name].dtype == tensor.dtype


def test_the_newest_complete_checkpoint_is_found_by_number(tmp_path: Path) -> None:
    assert checkpoints.latest(tmp_path) == (None, [])
    assert checkpoints.load_latest(tmp_path) == (None, None, [])
    for step in (9, 10, 2):
        save(tmp_path, step)
    (tmp_path / "step_11.partial").mkdir()
    assert checkpoints.latest(tmp_path) == (tmp_path / "step_10", [])


def test_only_damaged_checkpoints_is_an_error_not_a_fresh_start(tmp_path: Path) -> None:
    (save(tmp_path, 1) / "carry.safetensors").unlink()
    with pytest.raises(UserError, match=r"carry\.safetensors is missing"):
        checkpoints.latest(tmp_path)


def test_evaluation_takes_the_averaged_weights_and_shared_memory_is_stored(tmp_path: Path) -> None:
    averaged, shared = {"w": torch.ones(2)}, torch.arange(4)
    own = {"w": torch.zeros(2), "buffer": torch.ones(1)}
    whole = TrainingState(own, averaged, {}, {"inputs": shared, "fed": shared}, state(1))
    checkpoints.save(tmp_path / "step_1", whole, keep=False)
    weights = checkpoints.load_weights(tmp_path / "step_1")
    assert torch.equal(weights["w"], torch.ones(2))
    assert torch.equal(weights["buffer"], torch.ones(1))
    assert torch.equal(checkpoints.load(tmp_path / "step_1").carry["fed"], shared)


def test_pruning_spares_what_is_to_be_kept_what_is_damaged_and_what_was_passed_over(tmp_path: Path) -> None:
    for step in range(1, 8):
        save(tmp_path, step, keep=step == 2)
    (tmp_path / "step_1" / "manifest.json").unlink()
    os.truncate(tmp_path / "step_7" / "model.safetensors", 10)
    flip(tmp_path / "step_6" / "model.safetensors", -1)  # in full length, so that pruning does not see it
    checkpoints.prune(tmp_path, 1, newest=5)  # the run went on from step 4 and has just written step 5
    assert names(tmp_path) == ["step_1", "step_2", "step_5", "step_6", "step_7"]


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

"""Checkpoints are complete or not there; a damaged one is passed over, said, and never silently used."""

from pathlib import Path

import pytest
import torch

from trm.errors import UserError
from trm.training import checkpoints
from trm.training.checkpoints import TrainingState


def content(step: int) -> TrainingState:
    tensors = {"a": torch.full((3, 4), float(step)), "b": torch.tensor(step)}
    carry = {
        "halted": torch.tensor([True, False]),
        "z_H": torch.ones(2, 3, dtype=torch.bfloat16).expand(2, 3),
    }
    return TrainingState(model=tensors, ema={}, optimizer=tensors, carry=carry, state={"step": step})


def save(root: Path, step: int, keep: bool = False) -> Path:
    folder = root / f"step_{step}"
    checkpoints.save(folder, content(step), keep)
    return folder


def test_what_is_saved_is_loaded_bitwise(tmp_path: Path) -> None:
    loaded = checkpoints.load(save(tmp_path, 3))
    assert loaded.state == {"step": 3}
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
    checkpoints.prune(tmp_path, keep_last=2)
    assert sorted(p.name for p in checkpoints.steps(tmp_path)) == ["step_2", "step_5", "step_6"]


def test_evaluation_takes_the_averaged_weights(tmp_path: Path) -> None:
    state = TrainingState({"w": torch.zeros(2), "buffer": torch.ones(1)}, {"w": torch.ones(2)}, {}, {}, {})
    checkpoints.save(tmp_path / "step_1", state, keep=False)
    weights = checkpoints.load_weights(tmp_path / "step_1")
    assert torch.equal(weights["w"], torch.ones(2))
    assert torch.equal(weights["buffer"], torch.ones(1))


def test_tensors_that_share_memory_are_stored(tmp_path: Path) -> None:
    shared = torch.arange(4)
    state = TrainingState({"w": torch.zeros(1)}, {}, {}, {"inputs": shared, "fed": shared}, {})
    checkpoints.save(tmp_path / "step_1", state, keep=False)
    assert torch.equal(checkpoints.load(tmp_path / "step_1").carry["fed"], shared)


def test_pruning_survives_a_checkpoint_that_a_kill_left_without_its_manifest(tmp_path: Path) -> None:
    for step in range(1, 6):
        save(tmp_path, step)
    (tmp_path / "step_1" / "manifest.json").unlink()
    checkpoints.prune(tmp_path, keep_last=1)
    assert sorted(p.name for p in checkpoints.steps(tmp_path)) == ["step_1", "step_5"]


class Killed(BaseException):
    """Stands for a SIGKILL at one system call."""


@pytest.mark.parametrize("call", range(1, 60))
def test_killed_at_any_file_operation_a_complete_checkpoint_remains(
    tmp_path: Path, call: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path, 1)
    calls = 0

    def until(original):  # type: ignore[no-untyped-def]
        def operation(*arguments, **options):  # type: ignore[no-untyped-def]
            nonlocal calls
            calls += 1
            if calls == call:
                raise Killed
            return original(*arguments, **options)

        return operation

    with monkeypatch.context() as patched:
        for owner, name in (
            (checkpoints, "save_file"),
            (checkpoints, "_sync"),
            (checkpoints.shutil, "rmtree"),
            (Path, "rename"),
            (Path, "mkdir"),
            (Path, "write_text"),
        ):
            patched.setattr(owner, name, until(getattr(owner, name)))
        try:
            for step in (1, 2, 2, 3):
                save(tmp_path, step)
                checkpoints.prune(tmp_path, keep_last=1)
        except Killed:
            pass
    checkpoints.tidy(tmp_path)
    found, faults = checkpoints.latest(tmp_path)
    assert found is not None
    assert faults == []
    assert checkpoints.load(found).state["step"] == int(found.name.removeprefix("step_"))
    save(tmp_path, 9)
    checkpoints.prune(tmp_path, keep_last=1)
    assert [p.name for p in tmp_path.iterdir()] == ["step_9"]

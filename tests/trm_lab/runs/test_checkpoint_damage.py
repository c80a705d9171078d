"""Whatever happens to a checkpoint's files, by accident or by intent: it is refused, and the file is named."""

import hashlib
import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.security.attempts import little_room
from tests.trm_lab.runs.states import content, flip, save, state
from trm_lab.runs import checkpoints
from trm_lab.runs.checkpoint_reading import FILES, MANIFEST, DamagedError

EVERY_FILE = (*FILES, MANIFEST)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("checkpoints")
    save(root, 1)
    save(root, 2)
    return root


def assert_falls_back(root: Path, name: str) -> None:
    """Step 2 is refused by every way of reading it, with the damaged file's name, and step 1 is used."""
    folder, loaded, faults = checkpoints.load_latest(root)
    assert folder == root / "step_1"
    assert loaded is not None
    assert loaded.model["b"] == 1
    assert len(faults) == 1
    assert "step_2" in faults[0]
    assert name in faults[0]
    newest, (fault,) = checkpoints.latest(root)
    assert newest == root / "step_1"
    assert name in fault
    with pytest.raises(DamagedError, match="step_2"):
        checkpoints.load(root / "step_2")


def damaged_and_put_back(root: Path, name: str, damage: Callable[[Path], None]) -> None:
    file = root / "step_2" / name
    whole = file.read_bytes()
    damage(file)
    try:
        assert_falls_back(root, name)
    finally:
        file.write_bytes(whole)


@settings(max_examples=25, deadline=None)
@given(name=st.sampled_from(EVERY_FILE), share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_one_flipped_bit_anywhere_is_found_and_the_checkpoint_before_is_used(
    root: Path, name: str, share: float, bit: int
) -> None:
    file = root / "step_2" / name
    position = int(share * file.stat().st_size)
    if name != MANIFEST:
        damaged_and_put_back(root, name, lambda file: flip(file, position, 1 << bit))
        return
    whole = file.read_bytes()  # a manifest has no checksum: a flip may hit white space, or name another file
    flip(file, position, 1 << bit)
    try:
        newest, faults = checkpoints.latest(root)
        if newest == root / "step_2":
            assert checkpoints.load(newest).model["b"] == 2
        else:
            assert newest == root / "step_1"
            assert any(name in faults[0] for name in EVERY_FILE)
    finally:
        file.write_bytes(whole)


@settings(max_examples=10, deadline=None)
@given(name=st.sampled_from(EVERY_FILE), share=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_off_anywhere_is_found_and_the_checkpoint_before_is_used(
    root: Path, name: str, share: float
) -> None:
    length = int(share * (root / "step_2" / name).stat().st_size)
    damaged_and_put_back(root, name, lambda file: os.truncate(file, length))


@pytest.mark.parametrize("name", EVERY_FILE)
def test_a_file_that_grew_or_became_something_else_is_found(tmp_path: Path, name: str) -> None:
    def replaced(file: Path) -> None:
        file.unlink()
        os.mkfifo(file)  # to open it would wait without end

    def linked(file: Path) -> None:
        file.rename(tmp_path / "elsewhere")
        file.symlink_to(tmp_path / "elsewhere")

    def grown(file: Path) -> None:
        file.write_bytes(file.read_bytes() + b"x")

    def folder(file: Path) -> None:
        file.unlink()
        file.mkdir()

    for damage in (grown, linked, replaced, folder):
        root = tmp_path / damage.__name__
        save(root, 1)
        damage(save(root, 2) / name)
        assert_falls_back(root, name)


def resigned(folder: Path, **files: bytes) -> None:
    """Write files of a stranger's choice, with a manifest that vouches for them."""
    listed = json.loads((folder / MANIFEST).read_text())
    for name, data in files.items():
        (folder / name.replace("__", ".")).write_bytes(data)
        entry = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        listed["files"][name.replace("__", ".")] = entry
    (folder / MANIFEST).write_text(json.dumps(listed))


@pytest.mark.parametrize("name", ["../../secret", "/etc/passwd", "sub/model.safetensors", "", "model.pt\0"])
def test_a_manifest_that_names_other_files_is_refused_and_they_are_not_opened(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save(tmp_path, 1)
    listed = json.loads((folder / MANIFEST).read_text())
    listed["files"][name] = {"bytes": 1, "sha256": "0" * 64}
    (folder / MANIFEST).write_text(json.dumps(listed))
    opening = Mock(wraps=os.open)
    monkeypatch.setattr(os, "open", opening)
    with pytest.raises(DamagedError, match="no file of a checkpoint"):
        checkpoints.load(folder)
    assert [str(call.args[0]) for call in opening.mock_calls] == [str(folder / MANIFEST)]


def test_a_malformed_manifest_is_a_fault(root: Path) -> None:
    entry = b'{"keep": false, "files": {"state.json": {"bytes": %s, "sha256": ""}}}'
    for manifest in (
        *(b"", b"[]", b"\xff\xfe", b"[" * 200_000),
        b'{"keep": "yes", "files": {}}',
        b'{"keep": false, "files": []}',
        b'{"keep": false, "files": {}}',
        b'{"keep": false, "files": {"state.json": 7}}',
        entry % b"-1",
        entry % (b"9" * 5000),
    ):
        damaged_and_put_back(root, MANIFEST, lambda file, manifest=manifest: file.write_bytes(manifest))  # type: ignore[misc]


def test_a_state_with_values_of_another_type_is_a_fault(tmp_path: Path) -> None:
    save(tmp_path, 1)
    folder = save(tmp_path, 2)
    wrong: dict[str, list[Any]] = {
        "step": [-1, 2.0, True, "2", None],
        "records_bytes": [-1, [0]],
        "data": [None, {"cursor": 1.5}],
        "config": [None, "lr: 1"],
        "datasets": [{}, [{"path": "data/x"}]],
        "puzzle": [[], {"name": "x"}, {"name": "x", "kind": "", "seq_len": 10**12, "vocab_size": 12}],
    }
    for key, values in wrong.items():
        for value in values:
            resigned(folder, state__json=json.dumps({**state(2), key: value}).encode())
            assert_falls_back(tmp_path, "state.json")
            assert key in checkpoints.latest(tmp_path)[1][0]


def test_a_vouched_for_file_that_is_no_honest_safetensors_is_a_fault(tmp_path: Path) -> None:
    """With a size and a checksum that are right, which anyone can compute.  More headers: tests/security."""
    save(tmp_path, 1)
    folder = save(tmp_path, 2)
    large = {"a": {"dtype": "F32", "shape": [10**12], "data_offsets": [0, 4 * 10**12]}}
    before = {"a": {"dtype": "F32", "shape": [1], "data_offsets": [-4, 0]}}
    texts = [b"[" * 100_000, *(json.dumps(header).encode() for header in (large, before))]
    files = [struct.pack("<Q", len(text)) + text + bytes(16) for text in texts]
    for data in (b"", struct.pack("<Q", 2**63) + b"{}", *files, b"\x80\x04cposix\nsystem\n(S'true'\ntR."):
        resigned(folder, model__safetensors=data)
        with little_room():
            assert_falls_back(tmp_path, "model.safetensors")


def test_what_is_loaded_does_not_hang_on_the_file(tmp_path: Path) -> None:
    """A mapped tensor would end the process when its file is cut off."""
    folder = save(tmp_path, 3)
    loaded = checkpoints.load(folder)
    for file in folder.iterdir():
        os.truncate(file, 0)
    assert torch.equal(loaded.model["a"], content(3).model["a"])


def test_checkpoints_of_the_first_format_still_load(tmp_path: Path) -> None:
    """Written here as the first version wrote them: file by file, then the manifest."""
    from safetensors.torch import save_file

    folder = tmp_path / "step_5"
    folder.mkdir()
    for part, tensors in content(5).parts().items():
        save_file({k: v.contiguous() for k, v in tensors.items()}, folder / f"{part}.safetensors")
    (folder / "state.json").write_text(json.dumps(state(5), indent=1))
    files = {
        f.name: {"bytes": f.stat().st_size, "sha256": hashlib.sha256(f.read_bytes()).hexdigest()}
        for f in sorted(folder.iterdir())
    }
    (folder / MANIFEST).write_text(json.dumps({"keep": False, "files": files}, indent=1))
    assert checkpoints.latest(tmp_path) == (folder, [])
    assert torch.equal(checkpoints.load(folder).carry["z_H"], content(5).carry["z_H"])

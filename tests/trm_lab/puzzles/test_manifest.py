"""A dataset says what it is; a changed, cut off or missing file is noticed when it is loaded."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.trm_lab.puzzles.arc.small_arc import build
from trm.errors import UserError
from trm_lab.puzzles import manifest
from trm_lab.puzzles.loading import EvaluationData, TrainingData
from trm_lab.puzzles.manifest import MANIFEST_FILE, check_files, digest, fingerprint, read_about

STORED = "027e2fc20c4b069cf9e1cba99c59cc3442412ac54000d030b9b9a511c01fc949"  # as the first release computed it


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return build(tmp_path)[0]


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def test_a_changed_file_is_named_when_the_dataset_is_loaded(dataset: Path) -> None:
    copied = "train/more__inputs.npy"
    cases: list[tuple[str, Callable[[Path], object], str]] = [
        ("train/all__inputs.npy", flip, "its content is not what was built"),
        ("train/all__inputs.npy", lambda file: os.truncate(file, 100), "bytes instead of"),
        ("identifiers.json", Path.unlink, "missing"),
        (copied, lambda file: shutil.copy(dataset / "train/all__inputs.npy", file), "was not there when"),
        (MANIFEST_FILE, flip, "its content is not what was written|not a manifest"),
    ]
    for name, damage, problem in cases:
        file = dataset / name
        before = file.read_bytes() if file.exists() else b""
        damage(file)
        with pytest.raises(UserError, match=problem) as error:
            check_files(dataset)
        assert name in error.value.given
        with pytest.raises(UserError):
            TrainingData([dataset], seed=0, global_batch_size=8)
        with pytest.raises(UserError):
            EvaluationData([dataset], global_batch_size=8)
        file.write_bytes(before) if before else file.unlink()


def test_a_dataset_of_the_published_builders_needs_no_manifest_and_a_compact_set_does(tmp_path: Path) -> None:
    dataset = build(tmp_path)[0]
    with_manifest = fingerprint(dataset)
    (dataset / MANIFEST_FILE).unlink()
    assert read_about(dataset) is None
    TrainingData([dataset], seed=0, global_batch_size=8)
    without = fingerprint(dataset)
    assert without != with_manifest
    flip(dataset / "train" / "all__inputs.npy")
    assert fingerprint(dataset) != without
    compact = build(tmp_path, name="compact", materialize=False)[0]
    (compact / MANIFEST_FILE).unlink()
    with pytest.raises(UserError, match=r"manifest.json: missing"):
        TrainingData([compact], seed=0, global_batch_size=8)


def test_fingerprints_of_datasets_without_a_manifest_stay_what_runs_have_stored(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "identifiers.json").write_text('["<blank>"]')
    np.save(tmp_path / "train" / "all__inputs.npy", np.zeros((3 << 10, 1 << 10), np.uint8))
    assert fingerprint(tmp_path) == STORED


def test_of_a_large_file_blocks_are_read_from_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "_WHOLE", 1 << 12)
    monkeypatch.setattr(manifest, "_BLOCK", 16)
    digests = {}
    for place in (None, 0, 5, (1 << 16) - 1, 100):
        content = bytearray(1 << 16)
        if place is not None:
            content[place] = 1
        (tmp_path / "large").write_bytes(content)
        digests[place] = digest(tmp_path / "large")
    assert len(set(digests.values())) == 4
    assert digests[100] == digests[None]  # documented: between the blocks nothing is seen

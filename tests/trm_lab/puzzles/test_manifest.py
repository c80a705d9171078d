"""A dataset says what it is; a changed, cut off or missing file is noticed when it is loaded."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.trm_lab.puzzles.arc.small_arc import build
from trm.errors import UserError
from trm_lab.puzzles import manifest
from trm_lab.puzzles.loading import EvaluationData, TrainingData
from trm_lab.puzzles.manifest import (
    MANIFEST_FILE,
    About,
    check_files,
    digest,
    fingerprint,
    read_about,
    write_manifest,
)

STORED = (
    "027e2fc20c4b069cf9e1cba99c59cc3442412ac54000d030b9b9a511c01fc949"  # as the first release computed it
)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return build(tmp_path)[0]


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("file", "damage", "problem"),
    [
        ("train/all__inputs.npy", flip, "its content is not what was built"),
        ("train/all__inputs.npy", cut, "bytes instead of"),
        ("identifiers.json", Path.unlink, "missing"),
    ],
)
def test_a_changed_file_is_named_when_the_dataset_is_loaded(
    dataset: Path, file: str, damage: Callable[[Path], None], problem: str
) -> None:
    damage(dataset / file)
    with pytest.raises(UserError, match=problem) as error:
        check_files(dataset)
    assert file in error.value.given
    with pytest.raises(UserError):
        TrainingData([dataset], seed=0, global_batch_size=8)
    with pytest.raises(UserError):
        EvaluationData([dataset], global_batch_size=8)


def test_a_dataset_of_the_published_builders_has_no_manifest_and_loads(dataset: Path) -> None:
    with_manifest = fingerprint(dataset)
    (dataset / MANIFEST_FILE).unlink()
    assert read_about(dataset) is None
    TrainingData([dataset], seed=0, global_batch_size=8)
    without = fingerprint(dataset)
    assert without != with_manifest
    flip(dataset / "train" / "all__inputs.npy")
    assert fingerprint(dataset) != without


def test_an_array_that_was_not_built_is_noticed(dataset: Path) -> None:
    shutil.copy(dataset / "train" / "all__inputs.npy", dataset / "train" / "more__inputs.npy")
    with pytest.raises(UserError, match="was not there when this dataset was built"):
        check_files(dataset)


def test_a_compact_set_has_a_manifest(tmp_path: Path) -> None:
    compact, _ = build(tmp_path, materialize=False)
    (compact / MANIFEST_FILE).unlink()
    with pytest.raises(UserError, match=r"manifest.json: missing"):
        TrainingData([compact], seed=0, global_batch_size=8)


def test_fingerprints_of_datasets_without_a_manifest_stay_what_runs_have_stored(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "identifiers.json").write_text('["<blank>"]')
    np.save(tmp_path / "train" / "all__inputs.npy", np.zeros((3 << 10, 1 << 10), np.uint8))
    assert fingerprint(tmp_path) == STORED


def test_what_is_written_of_a_dataset_is_read_back(tmp_path: Path) -> None:
    about = About("mine", 3, "clean", "queens", {"side": 8})
    (tmp_path / "file").write_text("content")
    write_manifest(tmp_path, about)
    assert read_about(tmp_path) == about
    content = json.loads((tmp_path / MANIFEST_FILE).read_text())
    assert content["files"]["file"]["size"] == 7
    content["about"]["scorer"] = ""
    (tmp_path / MANIFEST_FILE).write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"manifest.json: its content is not what was written"):
        read_about(tmp_path)


def test_of_a_large_file_blocks_are_read_from_end_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "_WHOLE", 1 << 12)
    monkeypatch.setattr(manifest, "_BLOCK", 16)
    file = tmp_path / "large"
    seen = {}
    for place in (None, 0, 5, (1 << 16) - 1, 100):
        content = bytearray(1 << 16)
        if place is not None:
            content[place] = 1
        file.write_bytes(content)
        seen[place] = digest(file)
    assert len({seen[None], seen[0], seen[5], seen[(1 << 16) - 1]}) == 4
    assert seen[100] == seen[None]  # documented: between the blocks nothing is seen
